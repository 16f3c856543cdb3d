"""ALFWorld's own games as a world: panels, demonstrations and episodes from a small stand-in data folder."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.household.alfworld import environment
from spa_lab.envs.household.expert import HouseholdExpert
from spa_lab.envs.household.recorded import recorded_command, same_observation
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.worlds import make_environment
from tests.envs.alfworld_data import OLDER_GRAMMAR, recorded_games, write_data, write_trial

KINDS = {
    "pick_and_place_simple", "look_at_obj_in_light", "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep", "pick_cool_then_place_in_recep", "pick_two_obj_and_place",
}  # fmt: skip
MakeWorld = Callable[..., Environment]


@pytest.fixture
def alfworld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    """(games of each type and split, grammar) -> the world on such a data folder."""
    monkeypatch.delenv("ALFWORLD_DEMONSTRATIONS", raising=False)

    def make(**options: Any) -> Environment:
        write_data(tmp_path, **options)
        monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
        return make_environment("alfworld")

    return make


def expert_episode(task: Task, limit: int = 60) -> tuple[str, list[tuple[str, str, str]]]:
    """The opening, and the expert's (thought, action, observation) until the goal."""
    world = HouseholdWorld()
    opening = world.reset(task)
    expert = HouseholdExpert(
        task.instruction, opening, wanted=task.payload.wanted, grammar=task.payload.grammar
    )
    steps = []
    for _ in range(limit):
        thought, action = expert.act()
        reply = world.step(action)
        steps.append((thought, action, reply.observation))
        if reply.done:
            return opening, steps
        expert.observe(action, reply.observation)
    raise AssertionError(f"{task.id} is not solved in {limit} steps")


def solvable(tasks: Any, n: int, limit: int = 40) -> list[Task]:
    """The first n tasks that the expert solves."""
    chosen = []
    for task in tasks:
        try:
            expert_episode(task, limit)
        except AssertionError:
            continue
        chosen.append(task)
        if len(chosen) == n:
            return chosen
    raise AssertionError(f"only {len(chosen)} solvable tasks")


def as_published(task: Task, **fields: Any) -> dict[str, Any]:
    """The expert's episode as ETO's files have it: older wording, arrivals shortened, no last answer."""
    opening, steps = expert_episode(task)
    talk = [
        ("human", "Interact with a household. Thought: ... Action: ..."),
        ("gpt", "OK"),
        ("human", opening),
    ]
    for thought, action, observation in steps:
        if action.startswith("move "):
            action = "put " + action[5:].replace(" to ", " in/on ")
        if observation.startswith("You move "):
            observation = observation.replace("You move ", "You put ").replace(" to ", " in/on ")
        if observation.startswith("You arrive at "):
            observation = observation.partition(". ")[2]
        talk += [("gpt", f"Thought: {thought}\nAction: {action}"), ("human", f"Observation: {observation}")]
    return {**fields, "conversations": [{"from": who, "value": text} for who, text in talk[:-1]]}


def replay_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged about recordings (the stand-in's short grammar is an unknown release as well)."""
    return [message for message in caplog.messages if "unknown release" not in message]


def test_panels_are_alfworlds_splits_in_a_fixed_mixed_order(alfworld: MakeWorld) -> None:
    world = alfworld(per_type=2)
    assert (world.benchmark, world.official, world.panels) == ("ALFWorld", True, ("unseen", "seen"))
    for split, folder in (("train", "train"), ("seen", "valid_seen"), ("unseen", "valid_unseen")):
        panel = world.tasks(split, 12)
        assert {task.kind for task in panel} == KINDS
        assert {(task.env, task.split, task.id.split("/")[0]) for task in panel} == {
            ("alfworld", split, folder)
        }
        assert [task.id for task in panel] != sorted(task.id for task in panel)
        assert world.tasks(split, 5) == panel[:5]
        assert {task.expert_length for task in panel} == {2}  # of the walkthroughs in the files
    assert "move {object} to {receptacle}" in world.manual


def test_more_tasks_than_there_are(alfworld: MakeWorld) -> None:
    with pytest.raises(
        ValueError, match=r"7774 tasks of panel 'train' are wanted, .*train has 6; lower demo"
    ):
        alfworld().tasks("train", 7774)
    with pytest.raises(
        ValueError, match=r"256 tasks of panel 'unseen' are wanted, .* 6; lower evaluation_tas"
    ):
        environment().tasks("unseen", 256)
    with pytest.raises(ValueError, match=r"split must be one of \('train', 'seen', 'unseen'\), got 'test'"):
        environment().tasks("test", 1)


@pytest.mark.parametrize("grammar", ["move", "put"])
def test_without_recordings_the_expert_demonstrates_in_the_games_wording(
    alfworld: MakeWorld, grammar: str
) -> None:
    world = alfworld(per_type=3, **({"grammar": OLDER_GRAMMAR} if grammar == "put" else {}))
    assert world.demonstrations is None
    tasks = world.tasks("train", 18)
    lengths = {len(expert_episode(task, 150)[1]) for task in solvable(tasks, 14, 150)}
    assert max(lengths) > 4
    actions = {action for task in solvable(tasks, 10) for _, action, _ in expert_episode(task)[1]}
    assert any(action.startswith(f"{grammar} ") for action in actions)
    assert ("put {object} in/on {receptacle}" in world.manual) is (grammar == "put")


def test_the_expert_knows_what_an_annotators_sentence_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = next(game for game in recorded_games() if game["task_type"] == "pick_heat_then_place_in_recep")
    words = {**game, "task": "warm something up and set it down"}
    folder = tmp_path / "json_2.1.1" / "train"
    write_trial(folder / "a" / "trial_T1", words, params=game["pddl_params"])
    write_trial(folder / "b" / "trial_T1", words)
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    world = environment()
    by_name = {task.id: task for task in world.tasks("train", 2)}
    first = by_name["train/a/trial_T1"]
    assert first.instruction == "warm something up and set it down"
    assert any(action.startswith("heat ") for _, action, _ in expert_episode(first, 150)[1])
    with pytest.raises(
        ValueError, match=r"'train/b/trial_T1' has no demonstration: .* ALFWORLD_DEMONSTRATION"
    ):
        world.expert_for(by_name["train/b/trial_T1"], "a mug 1. you see a desk 1.")


@pytest.mark.parametrize("named", [True, False])
def test_recordings_become_demonstrations_and_come_first(
    alfworld: MakeWorld, tmp_path: Path, named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """By the path in a field, or by the sentence and the room."""
    tasks = solvable(alfworld(per_type=3).tasks("train", 18)[6:], 4)
    entries = [
        as_published(task, id=i, game_file=f"data/json_2.1.1/{task.id}/game.tw-pddl" if named else "x")
        for i, task in enumerate(tasks)
    ]
    (tmp_path / "alfworld_sft.json").write_text(json.dumps(entries))
    world = environment()
    assert world.demonstrations is not None
    assert list(world.tasks("train", 4)) != tasks  # lengths are now those of the recordings
    assert {task.id for task in world.tasks("train", 4)} == {task.id for task in tasks}
    with caplog.at_level(logging.WARNING):
        played = world.demonstrations("train", 4)
    assert replay_messages(caplog) == []
    assert [each.trajectory.task_id for each in played] == [task.id for task in world.tasks("train", 4)]
    for each, task in zip(played, world.tasks("train", 4), strict=True):
        assert each.trajectory.success and all(each.supervised)
        assert len(each.trajectory) == task.expert_length
        _, steps = expert_episode(task)
        assert [(s.thought, s.action, s.observation) for s in each.trajectory.steps] == steps
    rest = world.tasks("train", 18)[4:]
    assert {task.expert_length for task in rest} == {2}
    with pytest.raises(
        ValueError, match=r"alfworld_sft.json: holds recordings of 4 of the first 18 train task"
    ):
        world.demonstrations("train", 18)


def test_what_differs_is_reported(
    alfworld: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = solvable(alfworld(per_type=3).tasks("train", 18), 3)
    entries = [as_published(task, game_file=f"{task.id}/game.tw-pddl") for task in (first, second, first)]
    entries[1]["conversations"][4]["value"] = "Observation: On the moon 1, you see nothing."
    entries[0]["conversations"].insert(3, {"from": "gpt", "value": "Thought: I dance.\nAction: dance"})
    entries.append(as_published(third, game_file="train/unknown/trial_T7/game.tw-pddl"))
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(entries))
    monkeypatch.setenv("ALFWORLD_DEMONSTRATIONS", str(file))
    world = environment()
    assert world.demonstrations is not None
    with caplog.at_level(logging.WARNING):
        played = world.demonstrations("train", 2)
    left_out, summary = replay_messages(caplog)
    assert "mine.json: 2 of 4 recordings left out; the first: " in left_out
    assert left_out.endswith(f"entry 3: another recording of {first.id}")
    assert "2 recordings, " in summary
    assert " 1 answered otherwise here, 1 refused, 0 recordings left out" in summary
    (dancer,) = (each for each in played if each.trajectory.task_id == first.id)
    assert dancer.supervised == (False, *(True,) * (len(dancer.trajectory) - 1))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], r"none of 0 recordings belongs to a game in .*train; the first: the file is empty"),
        ([{"conversations": []}], r"entry 1: 'conversations' holds no user message"),
    ],
)
def test_useless_recordings(alfworld: MakeWorld, tmp_path: Path, entries: Any, message: str) -> None:
    (tmp_path / "alfworld_sft.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=message):
        alfworld().tasks("train", 1)


def test_missing_data_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = r"json_2\.1\.1/\{train,valid_seen,valid_unseen\}/<task>/trial_\*/"
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    with pytest.raises(ValueError, match=rf"^ALFWORLD_DATA is not set; it must name .*{layout}"):
        make_environment("alfworld")
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=rf"^ALFWORLD_DATA=.*nowhere: no such folder; expected .*{layout}"):
        make_environment("alfworld")
    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=rf"{layout}.*; the folder holds logs$") as error:
        make_environment("alfworld")
    assert "\n" not in str(error.value)


def test_settings_tell_data_folders_apart(
    alfworld: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = alfworld().settings["games"]
    other = write_data(tmp_path / "other", per_type=2)
    monkeypatch.setenv("ALFWORLD_DATA", str(other))
    assert environment().settings["games"] != before


def test_recorded_wording_and_ours() -> None:
    task = Task("t", "alfworld", "train", "", "", payload=type("P", (), {"grammar": "move"}))
    assert recorded_command(task, " put mug 1 in/on desk 1 ") == "move mug 1 to desk 1"
    assert recorded_command(task, "xyzzy") == "xyzzy"
    assert same_observation(
        "On the desk 1, you see nothing.", "You arrive at loc 3. On the desk 1, you see nothing."
    )
    assert same_observation("You put the mug 1 in/on the desk 1.", "You move the mug 1 to the desk 1.")
    assert not same_observation("You put the mug 1 in/on the desk 1.", "You move the mug 1 to the desk 2.")
    assert not same_observation("On the desk 1, you see nothing.", "Nothing happens.")

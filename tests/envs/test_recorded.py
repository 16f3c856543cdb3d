"""Recorded demonstrations: read from ShareGPT files, replayed in our world, differences reported."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.base import Reply, Task, World
from spa_lab.envs.recorded import (
    RECORDED,
    RecordedDemonstrations,
    RecordedEpisode,
    read_episodes,
    recording_file,
    replay,
)


class Corridor(World):
    """Three rooms in a row; the last one ends the episode with outcome 1."""

    def reset(self, task: Task) -> str:
        self.room = 0
        return f"Room 0. Your task: {task.instruction}"

    def step(self, action: str) -> Reply:
        if action != "go on":
            return Reply("No.", False, False, 0.0, 'the form is "go on"')
        self.room += 1
        return Reply(f"Room {self.room}.", True, self.room == 3, float(self.room == 3))


TASKS = [Task(f"t{i}", "corridor", "train", "walk", f"walk {i}") for i in range(4)]
OPENING = "Room 0. Your task: walk {}"


def entry(task: int, *moves: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """An entry as the published files have it: instructions, "OK", then (action, observation) in turn."""
    talk = [("human", "You walk through rooms."), ("gpt", "OK"), ("human", OPENING.format(task))]
    for action, observation in moves:
        talk.append(("gpt", f"Thought: I walk.\nAction: {action}"))
        if observation:
            talk.append(("human", f"Observation: {observation}"))
    return {"id": task, **fields, "conversations": [{"from": who, "value": what} for who, what in talk]}


def test_a_line_ends_at_a_line_feed_only(tmp_path: Path) -> None:
    path = tmp_path / "demonstrations.jsonl"
    lines = [json.dumps(entry(0, ("go on", "Room 1.\u2028Dark.")), ensure_ascii=False)] * 2
    path.write_text("\r\n".join(lines), encoding="utf-8")
    assert [len(episode.steps) for episode in read_episodes(path)] == [1, 1]


RIGHT = (("go on", "Room 1."), ("go on", "Room 2."), ("go on", ""))


@pytest.fixture
def recordings(tmp_path: Path) -> Callable[..., list[RecordedEpisode]]:
    def write(*entries: Any, lines: bool = False, opening: str = "") -> list[RecordedEpisode]:
        path = tmp_path / "demonstrations.json"
        path.write_text("\n".join(map(json.dumps, entries)) if lines else json.dumps(entries))
        return read_episodes(path, opening=re.compile(opening) if opening else None)

    return write


def demonstrations(episodes: Sequence[RecordedEpisode], **options: Any) -> RecordedDemonstrations:
    return RecordedDemonstrations(
        source="FILE",
        episodes={f"t{episode.fields['id']}": episode for episode in episodes},
        make_world=Corridor,
        tasks=lambda split, n: TASKS[:n],
        step_limit=5,
        **options,
    )


@pytest.mark.parametrize("lines", [False, True])
def test_instructions_are_skipped_and_steps_are_parsed(recordings: Any, lines: bool) -> None:
    (episode, other) = recordings(entry(0, *RIGHT, game_file="x/y"), entry(1, *RIGHT), lines=lines)
    assert episode.fields == {"id": 0, "game_file": "x/y"}
    assert episode.opening == OPENING.format(0)
    assert [(s.thought, s.action, s.observation) for s in episode.steps] == [
        ("I walk.", "go on", "Room 1."), ("I walk.", "go on", "Room 2."), ("I walk.", "go on", ""),
    ]  # fmt: skip
    assert other.where.endswith("demonstrations.json: entry 2")


def test_messages_with_roles_are_read_too(recordings: Any) -> None:
    chat = entry(0, *RIGHT)
    roles = {"human": "user", "gpt": "assistant"}
    messages = [{"role": roles[m["from"]], "content": m["value"]} for m in chat["conversations"]]
    (episode,) = recordings({"id": 0, "messages": [{"role": "system", "content": "Be good."}, *messages]})
    (same,) = recordings(chat)
    assert (episode.opening, episode.steps) == (same.opening, same.steps)


def test_an_example_before_the_episode_is_skipped(recordings: Any) -> None:
    example, real = entry(7, *RIGHT)["conversations"], entry(0, *RIGHT)["conversations"][2:]
    both = {"id": 0, "conversations": [*example, *real]}
    (episode,) = recordings(both, opening="Your task: ")
    assert episode.opening == OPENING.format(0)
    assert len(episode.steps) == 3


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([3], r"demonstrations.json: entry 1: expected an object, got int"),
        ([{"id": 1}], r"entry 1: 'conversations' must be a list, got NoneType"),
        ([{"conversations": ["x"]}], r"conversations\[0\] must be an object, got str"),
        ([{"conversations": [{"from": "cat", "value": "x"}]}], r"'from' \(human or gpt\).*got 'cat' and str"),
        ([{"conversations": [{"from": "gpt", "value": None}]}], r"got 'gpt' and NoneType"),
        ([entry(0, ("", ""))], r"entry 1: .* no user message that is followed by an 'Action:'"),
    ],
)
def test_what_cannot_be_read_is_named(recordings: Any, entries: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recordings(*entries)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", "cannot be read as JSON"),
        ('{"id": 1}\n{"id"', "line 2 is not JSON"),
        (b"\xff[", "cannot be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "d.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"d\.json: {message}"):
        read_episodes(path)
    with pytest.raises(ValueError, match=r"none\.json: cannot be read"):
        read_episodes(tmp_path / "none.json")


def test_a_replay_holds_what_our_world_answered(recordings: Any) -> None:
    (episode,) = recordings(entry(0, ("go  on", "Room 1."), ("fly", "You fly."), ("go on", "Room 9"), *RIGHT))
    played = replay(Corridor(), TASKS[0], episode, step_limit=9, translate=lambda a: a.replace("  ", " "))
    trajectory = played.demonstration.trajectory
    assert [step.action for step in trajectory.steps] == ["go on", "fly", "go on", "go on"]
    assert [step.observation for step in trajectory.steps] == ["Room 1.", "No.", "Room 2.", "Room 3."]
    assert played.demonstration.supervised == (True, False, True, True)
    assert (trajectory.success, trajectory.ended, trajectory.policy) == (True, "done", RECORDED)
    assert trajectory.id == "recorded/t0"
    wrong = [(each.expected, each.ours) for each in played.differences]
    assert wrong == [
        ("You fly.", 'No. [the form is "go on"]'), ("Room 9", "Room 2."), ("Room 1.", "Room 3."),
    ]  # fmt: skip
    assert played.differences[0].where.endswith("entry 1, step 2 of 6, action 'fly'")


def test_demonstrations_of_the_first_tasks(recordings: Any, caplog: pytest.LogCaptureFixture) -> None:
    short = entry(1, *RIGHT[:2])
    given = demonstrations(recordings(entry(0, *RIGHT), short, entry(2, *RIGHT)))
    with caplog.at_level(logging.WARNING):
        played = given("train", 3)
    assert [each.trajectory.task_id for each in played] == ["t0", "t2"]
    assert caplog.messages == [
        "FILE: 3 recordings, 8 steps, 0 answered otherwise here, 0 refused, "
        "1 recordings left out as unsuccessful"
    ]
    _, report = given.replay("train", 3)
    assert report.render().splitlines()[0].endswith("entry 2: ends with outcome 0")
    assert demonstrations(recordings(short), minimum_outcome=0.0).replay("train", 0)[0] == []


def test_too_few_recordings_and_none_that_succeeds(recordings: Any) -> None:
    given = demonstrations(recordings(entry(0, *RIGHT), entry(2, *RIGHT)))
    with pytest.raises(ValueError, match=r"FILE: holds recordings of 2 of the first 4 train tasks; set demo"):
        given("train", 4)
    with pytest.raises(
        ValueError, match=r"FILE: none of 1 recordings reaches its goal .* entry 1: ends with"
    ):
        demonstrations(recordings(entry(0, *RIGHT[:2])))("train", 1)


def test_the_file_comes_from_the_variable_or_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = tmp_path / "default.json"
    monkeypatch.delenv("MY_DEMONSTRATIONS", raising=False)
    assert recording_file("MY_DEMONSTRATIONS", default) is None
    default.touch()
    assert recording_file("MY_DEMONSTRATIONS", default) == default
    (tmp_path / "other.json").touch()
    monkeypatch.setenv("MY_DEMONSTRATIONS", str(tmp_path / "other.json"))
    assert recording_file("MY_DEMONSTRATIONS", default) == tmp_path / "other.json"
    monkeypatch.setenv("MY_DEMONSTRATIONS", str(tmp_path / "missing.json"))
    with pytest.raises(ValueError, match=r"MY_DEMONSTRATIONS=.*missing\.json: no such file"):
        recording_file("MY_DEMONSTRATIONS", default)

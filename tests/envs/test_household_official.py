"""Official games on disk: found in order, filtered, counted; damage is named."""

import logging
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.household import official
from spa_lab.envs.household.official import Release, official_games
from spa_lab.envs.household.world import HouseholdWorld
from tests.envs.alfworld_data import GRAMMAR, OLDER_GRAMMAR, recorded_games, write_data, write_trial


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of 6 games a split, one of each type."""
    return write_data(tmp_path)


def test_finds_every_game_in_order_and_plays_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(data))
    games = official_games()
    assert [task.split for task in games.tasks] == ["train"] * 6 + ["seen"] * 6 + ["unseen"] * 6
    assert [task.id for task in games.tasks[:6]] == sorted(task.id for task in games.tasks[:6])
    assert {task.kind for task in games.tasks} == official.TASK_TYPES
    sentences = {game["task"] for game in recorded_games()}
    assert {task.instruction for task in games.tasks} <= sentences
    assert {task.expert_length for task in games.tasks} == {2}
    world = HouseholdWorld()
    for task in games.tasks:
        assert world.reset(task).endswith(f"Your task is to: {task.instruction}.")
        assert world.step("look").grounded


def test_the_folder_may_be_given_at_either_level(data: Path) -> None:
    assert official_games(data).tasks == official_games(data / "json_2.1.1").tasks
    assert [task.split for task in official_games(data, ("unseen",)).tasks] == ["unseen"] * 6


def test_what_is_left_out_is_counted(data: Path) -> None:
    train, game = data / "json_2.1.1" / "train", recorded_games()[0]
    write_trial(train / "pick_and_place_with_movable_recep-A" / "trial_T1", game)
    write_trial(train / "pick_and_place_simple-AppleSliced-B" / "trial_T1", game)
    write_trial(train / "pick_and_place_simple-A" / "trial_T1", game, solvable=False)
    write_trial(train / "pick_and_place_simple-A" / "trial_T2", game, solvable=None)  # no such key: kept
    write_trial(train / "other-A" / "trial_T1", {**game, "task_type": "another"})
    (write_trial(train / "z-A" / "trial_T1", game) / "game.tw-pddl").unlink()
    (write_trial(train / "z-A" / "trial_T2", game) / "traj_data.json").unlink()
    games = official_games(data)
    assert len(games.tasks) == 19
    assert games.unmarked == 1
    assert games.skipped == {
        "movable receptacle or sliced object": 2,
        "not marked solvable": 1,
        "another task type": 1,
        "no game.tw-pddl": 1,
        "no traj_data.json": 1,
    }
    lines = games.render().splitlines()
    assert lines[1:4] == ["  train: 7", "  seen: 6", "  unseen: 6"]
    assert "  left out, movable receptacle or sliced object: 2" in lines
    assert "  kept without a 'solvable' mark: 1" in lines


def test_releases_are_told_apart(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(official, "RELEASES", dict(official_games(data).releases))
    caplog.clear()
    older = OLDER_GRAMMAR.replace("UNKNOWN GOAL", 'put it \\"there\\". now')
    write_trial(data / "json_2.1.1/train/a/trial_T0", recorded_games()[0], grammar=older)
    with caplog.at_level(logging.WARNING):
        games = official_games(data)
    assert sorted(games.releases.values()) == [1, 18]
    (unknown,) = games.unknown_releases
    assert isinstance(unknown, Release)
    (warning,) = caplog.messages
    assert "1 games of an unknown release" in warning
    assert "UNKNOWN RELEASE" in games.render()
    assert games.tasks[0].payload.grammar == "put"
    assert games.tasks[0].instruction == 'put it "there". now'


def test_known_releases_are_those_of_the_public_packages() -> None:
    assert {name for release in official.RELEASES for name in (release.domain[:8], release.grammar[:8])} == {
        "e64e8c00", "d955e6db", "f1473041", "c5b22f0f"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["game.tw-pddl", "traj_data.json"])
def test_truncated_json_is_named(data: Path, name: str) -> None:
    path = sorted(data.glob(f"json_2.1.1/valid_seen/*/*/{name}"))[2]
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ValueError, match=rf"{path.parent.name}/{name}: cannot be read as JSON"):
        official_games(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grammar": 'template :: "move {o} to {r}"'}, "its grammar has no task sentence"),
        ({"grammar": '"Your task is to: x."'}, "its grammar has no template for putting objects down"),
        ({"grammar": GRAMMAR.replace("UNKNOWN", "\\q")}, "cannot read its task sentence"),
        ({"grammar": None}, "'grammar' must be a string, got NoneType"),
        ({"pddl_problem": 3}, "'pddl_problem' must be a string, got int"),
        ({"pddl_domain": None}, "'pddl_domain' must be a string, got NoneType"),
    ],
)
def test_an_unreadable_game_file_is_named(data: Path, changes: dict[str, Any], message: str) -> None:
    write_trial(data / "json_2.1.1/train/a/trial_T0", recorded_games()[0], **changes)
    with pytest.raises(ValueError, match=rf"a/trial_T0/game.tw-pddl: {message}"):
        official_games(data)


def test_missing_data_is_never_silent(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    with pytest.raises(ValueError, match=r"ALFWORLD_DATA is not set; it must name the folder .* json_2.1.1/"):
        official_games()
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        official_games(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"got 'test'"):
        official_games(data, ("test",))
    for path in data.glob("json_2.1.1/*/*/*/game.tw-pddl"):
        path.unlink()
    with pytest.raises(ValueError, match=r"no official game found \(18 no game.tw-pddl\)"):
        official_games(data)
    (tmp_path / "empty" / "train").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"no official game found \(no trial folders\)"):
        official_games(tmp_path / "empty", ("train",))
    with pytest.raises(ValueError, match=r"valid_seen: the folder of split 'seen' is missing"):
        official_games(tmp_path / "empty")


def test_a_game_file_that_is_gone_at_play_time_is_named(data: Path) -> None:
    task = official_games(data).tasks[0]
    task.payload.problem.unlink()
    with pytest.raises(ValueError, match=r"game.tw-pddl: not a readable game file"):
        HouseholdWorld().reset(task)

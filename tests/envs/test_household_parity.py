"""Replay of recordings of the original engine: everything agrees, and differences are found."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.household.parity import replay_folder

RECORDED = Path(__file__).parents[1] / "fixtures" / "alfworld"
SETS = [
    ("games", "episodes", 108, 3318),
    ("special_games", "special", 76, 2163),
    ("older_games", "older", 6, 218),
]


def write(path: Path, records: list[Any]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(RECORDED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize(("games", "walks", "episodes", "steps"), SETS)
def test_every_recorded_step_agrees(
    tmp_path: Path, games: str, walks: str, episodes: int, steps: int
) -> None:
    for name in (games, walks):
        shutil.copy(RECORDED / f"{name}.jsonl.gz", tmp_path)
    report = replay_folder(tmp_path)
    assert report.render() == f"{episodes} episodes, {steps} steps, 0 mismatches, 0 not replayed"
    assert report.passed


def changed(step: dict[str, Any], **values: Any) -> None:
    step.update(values)


@pytest.mark.parametrize(
    ("change", "where", "shown"),
    [
        (lambda e: changed(e["steps"][1], feedback="Something else."), "step 2 of", "Something else."),
        (lambda e: changed(e["steps"][1], reward=1), "step 2 of", "0.0"),
        (lambda e: changed(e["steps"][1], done=True), "step 2 of", "False"),
        (lambda e: changed(e["steps"][1], won=True), "step 2 of", "False"),
        (lambda e: e["steps"][1]["admissible_commands"].append("fly"), "step 2 of", "only here: fly"),
        (lambda e: changed(e["initial"], feedback="Welcome."), "opening: feedback", "Welcome."),
        (lambda e: changed(e["initial"], won=True), "opening: won", "False"),
    ],
)
def test_a_difference_is_counted_and_shown(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], where: str, shown: str
) -> None:
    walk = lines("older")[0]
    change(walk)
    write(tmp_path / "games.jsonl.gz", lines("older_games"))
    write(tmp_path / "walks.jsonl.gz", [walk])
    report = replay_folder(tmp_path)
    assert (report.episodes, report.mismatches, report.passed) == (1, 1, False)
    text = report.render()
    assert where in text
    assert shown in text
    assert f"  {'expected':<56} | ours" in text.splitlines()
    assert text.splitlines()[-1] == f"1 episodes, {len(walk['steps'])} steps, 1 mismatches, 0 not replayed"


def test_few_of_many_differences_are_shown(tmp_path: Path) -> None:
    games = lines("older_games")
    for game in games:
        game["grammar"] = "move"
    write(tmp_path / "games.jsonl.gz", games)
    write(tmp_path / "walks.jsonl.gz", lines("older"))
    report = replay_folder(tmp_path)
    assert report.mismatches > 100
    assert report.render().count("| ours") == 5


def test_episodes_that_cannot_be_replayed_are_named(tmp_path: Path) -> None:
    games, walks = lines("older_games")[:2], lines("older")
    games[0]["pddl_problem"] = games[0]["pddl_problem"][:5000]
    write(tmp_path / "games.jsonl.gz", games)
    write(tmp_path / "walks.jsonl.gz", walks)
    report = replay_folder(tmp_path)
    assert (report.episodes, report.mismatches, len(report.not_replayed)) == (1, 0, 5)
    text = report.render()
    assert (
        f"not replayed: {walks[0]['episode_id']}: game {games[0]['game_id']!r}: the text ends at line" in text
    )
    assert f"its game {walks[2]['game_id']!r} is not in the folder" in text
    assert text.endswith(" steps, 0 mismatches, 5 not replayed")


def test_nothing_replayed_has_not_passed(tmp_path: Path) -> None:
    write(tmp_path / "games.jsonl.gz", lines("older_games"))
    report = replay_folder(tmp_path)
    assert report.render() == "0 episodes, 0 steps, 0 mismatches, 0 not replayed"
    assert not report.passed


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"a": 1}, r"x.jsonl.gz:1: neither a game"),
        ([1], r"x.jsonl.gz: cannot be read after 1 lines: expected an object, got list"),
        ({"steps": [], "game_id": 3}, r"x.jsonl.gz:1: 'episode_id' must be a str, got NoneType"),
        ({"pddl_problem": "", "game_id": "g"}, r"x.jsonl.gz:1: 'task_type' must be a str, got NoneType"),
        (
            {"game_id": "g", "task_type": "", "task": "", "pddl_problem": "", "grammar": "x"},
            "must be 'move' or 'put'",
        ),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, record: Any, message: str) -> None:
    write(tmp_path / "x.jsonl.gz", [record])
    with pytest.raises(ValueError, match=message):
        replay_folder(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("initial"), r"'initial' must be a dict"),
        (lambda e: e["steps"].insert(0, 7), r"step 1 is not an object"),
        (lambda e: e["steps"][2].pop("command"), r"step 3: 'command' must be a str"),
        (lambda e: e["steps"][2].pop("reward"), r"step 3 of .*: 'reward' is missing"),
        (lambda e: changed(e["steps"][2], admissible_commands=None), r"'admissible_commands' must be a list"),
    ],
)
def test_a_damaged_episode_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    walk = lines("older")[0]
    change(walk)
    write(tmp_path / "games.jsonl.gz", lines("older_games"))
    write(tmp_path / "walks.jsonl.gz", [walk])
    with pytest.raises(ValueError, match=rf"walks.jsonl.gz:1: .*{message}"):
        replay_folder(tmp_path)


def test_damaged_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \*\.jsonl\.gz files"):
        replay_folder(tmp_path)
    whole = (RECORDED / "older.jsonl.gz").read_bytes()
    for content in (whole[:3000], b"not gzip", whole[:50] + bytes(50) + whole[100:], gzip.compress(b"{}\n{")):
        (tmp_path / "walks.jsonl.gz").write_bytes(content)
        with pytest.raises(
            ValueError, match=r"walks\.jsonl\.gz: cannot be read after \d+ lines|neither a game"
        ):
            replay_folder(tmp_path)


def test_two_games_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = lines("older_games")[:2]
    write(tmp_path / "games.jsonl.gz", [first, first, {**second, "game_id": first["game_id"]}])
    with pytest.raises(ValueError, match=r"games.jsonl.gz:3: another game is also called"):
        replay_folder(tmp_path)

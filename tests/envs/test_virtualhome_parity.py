"""Replay of recordings of the original graph engine: everything agrees, and differences are found."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.virtualhome.parity import replay_folder

RECORDED = Path(__file__).parents[1] / "fixtures" / "virtualhome"


def write(path: Path, records: list[Any]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(RECORDED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize(("name", "episodes", "steps"), [("generated", 99, 1976), ("unpatched", 24, 510)])
def test_every_recorded_step_agrees(tmp_path: Path, name: str, episodes: int, steps: int) -> None:
    for part in ("scenes", name):
        shutil.copy(RECORDED / f"{part}.jsonl.gz", tmp_path)
    report = replay_folder(tmp_path)
    assert report.render() == f"{episodes} episodes, {steps} steps, 0 mismatches, 0 not replayed"
    assert report.passed


def test_episodes_in_missing_scenes_are_not_replayed(tmp_path: Path) -> None:
    shutil.copy(RECORDED / "official.jsonl.gz", tmp_path)
    write(tmp_path / "lost.jsonl.gz", lines("generated")[:1])
    report = replay_folder(tmp_path)
    assert not report.passed
    assert report.render().splitlines()[-1] == "0 episodes, 0 steps, 0 mismatches, 57 not replayed"
    assert "its scene 'dev-gen-0' is not in the folder" in report.render()
    assert "its scene is in eai_eval-1.0.5-py3-none-any.whl" in report.render()


def one_walk() -> dict[str, Any]:
    return next(e for e in lines("generated") if e["kind"] == "generated/noisy")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda s: s["parsed"]["objects"].append("x"), "parsed"),
        (lambda s: s["ids"].append(3), "ids"),
        (lambda s: s.update(program="[WALK]"), "program"),
        (lambda s: s.update(rejected="not in hand"), "rejected"),
        (lambda s: s.update(executed=not s["executed"]), "executed"),
        (lambda s: s.update(message="no"), "message"),
        (lambda s: s.update(exception="TypeError"), "exception"),
        (lambda s: s["delta"]["states"].append([1, []]), "delta"),
        (lambda s: s.update(state_sha256="0"), "state_sha256"),
        (lambda s: s["view"]["rooms"].append(9), "view, rooms"),
        (lambda s: s["view"]["held"].append(9), "view, held"),
        (lambda s: s["view"]["visible"].append(9), "view, visible"),
        (lambda s: s["view"]["relations"].append(9), "view, relations"),
        (lambda s: s["view"]["agent_states"].append("ON"), "view, agent_states"),
        (lambda s: s["goal_met"].append(True), "goal_met"),
        (lambda s: s.update(goal_satisfied=None), "goal_satisfied"),
    ],
)
def test_a_difference_is_counted_and_shown(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], where: str
) -> None:
    walk = one_walk()
    index = next(i for i, step in enumerate(walk["steps"]) if step["executed"])
    change(walk["steps"][index])
    shutil.copy(RECORDED / "scenes.jsonl.gz", tmp_path)
    write(tmp_path / "walks.jsonl.gz", [walk])
    report = replay_folder(tmp_path)
    assert (report.episodes, report.mismatches, report.passed) == (1, 1, False)
    text = report.render()
    assert f"step {index + 1} of {len(walk['steps'])}, " in text
    assert f": {where}\n" in text


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"a": 1}, "x.jsonl.gz:1: expected a scene"),
        ({"graph": {}, "scene": 1}, "x.jsonl.gz:1: 'scene' must be a str"),
        ({"graph": {}, "scene": "s"}, "scene 's': 'nodes' must be a list"),
        ({"steps": [], "episode_id": 3}, "x.jsonl.gz:1: 'episode_id' must be a str, got int"),
        ({"steps": [], "episode_id": "e"}, "x.jsonl.gz:1: 'scene' must be a str"),
        ({"steps": [], "episode_id": "e", "file": {}}, "x.jsonl.gz:1: file: 'member' must be a str"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, record: Any, message: str) -> None:
    write(tmp_path / "x.jsonl.gz", [record])
    with pytest.raises(ValueError, match=message):
        replay_folder(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("initial"), "'initial' must be a dict"),
        (lambda e: e.pop("patches"), "'patches' must be a dict"),
        (lambda e: e.update(bind={"cup": 4000}), "'bind' binds 'cup' to an id that no node has"),
        (lambda e: e["goal"].append(["edge", 1]), "needs 3 values, got 1"),
        (lambda e: e["steps"].insert(0, 7), "step 1 is not an object"),
        (lambda e: e["steps"][2].pop("text"), "step 3: 'text' must be a str"),
        (lambda e: e["steps"][2].pop("view"), "step 3 of .*: 'view' is missing"),
        (lambda e: e.update(mode="program") or e["steps"][0].update(parsed=None), "'parsed' must be a dict"),
        (lambda e: e.update(mode="program") or e["steps"][0].update(ids=[1, 2, 3]), "with 3 objects"),
    ],
)
def test_a_damaged_episode_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    walk = lines("generated")[0]
    change(walk)
    shutil.copy(RECORDED / "scenes.jsonl.gz", tmp_path)
    write(tmp_path / "walks.jsonl.gz", [walk])
    with pytest.raises(ValueError, match=rf"walks.jsonl.gz:1: .*{message}|{message}"):
        replay_folder(tmp_path)


def test_program_mode_takes_the_ids_that_are_given(tmp_path: Path) -> None:
    walk = lines("generated")[0]
    walk["mode"] = "program"
    walk["steps"] = [step for step in walk["steps"] if step["program"]]
    shutil.copy(RECORDED / "scenes.jsonl.gz", tmp_path)
    write(tmp_path / "walks.jsonl.gz", [walk])
    assert replay_folder(tmp_path).passed
    walk["steps"][0]["ids"] = [7]
    write(tmp_path / "walks.jsonl.gz", [walk])
    assert not replay_folder(tmp_path).passed


def test_two_scenes_of_one_name_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \*\.jsonl\.gz files"):
        replay_folder(tmp_path)
    write(tmp_path / "scenes.jsonl.gz", lines("scenes")[:1] * 2)
    with pytest.raises(ValueError, match=r"scenes.jsonl.gz:2: duplicate scene"):
        replay_folder(tmp_path)

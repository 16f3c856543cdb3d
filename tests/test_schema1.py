"""Runs of schema 1: names say what files hold; they are read under today's names and never continued."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory, ValueTruth

FACTS = {
    "schema": 1,
    "config": {"env": "toy", "methods": ["spa", "ppo"], "preset": {"name": "old"}},
    "seed": 3,
    "stages": {"clone": {"seconds": 1.5}},
    "n": 2,
}


def _write(path: Path, *records: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"schema": 1, **record}) + "\n" for record in records))


def _credit(trajectory_id: str, source: str, value: float) -> dict:
    return {
        "trajectory_id": trajectory_id, "source": source, "contributions": [value] * 2, "base_value": 0.0,
        "standard_error": None,
    }  # fmt: skip


def _truth(trajectory_id: str, value: float) -> dict:
    return {
        "trajectory_id": trajectory_id, "values": [value, value, 1.0], "standard_error": [0.1, 0.1, 0.0],
        "branches": 8, "policy": "cloned", "step_cap": 5,
    }  # fmt: skip


@pytest.fixture
def old(tmp_path: Path, make_trajectory) -> Run:
    """What an earlier version left after training and `spa-lab fidelity`."""
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(FACTS))
    played = {
        name: asdict(make_trajectory(1.0, (True, True), id=name)) | {"policy": policy}
        for name, policy in (("x", "cloned"), ("ppo/1", "ppo"), ("mine", "ppo"))
    }
    _write(folder / "trajectories" / "explore.jsonl", played["x"])
    _write(folder / "trajectories" / "eval-ppo-unseen_by_length.jsonl", played["ppo/1"])
    _write(folder / "trajectories" / "imported.jsonl", played["mine"])
    _write(folder / "credits" / "held-out-spa.jsonl", _credit("x", "spa", 0.5))
    _write(folder / "credits" / "fidelity-clock.jsonl", _credit("x", "clock", 0.25))
    _write(folder / "credits" / "a.jsonl", _credit("x", "clock", 0.1), _credit("x", "judge", 0.2))
    _write(folder / "truths" / "mc.jsonl", _truth("x", 0.25))
    _write(folder / "truths" / "mc-again.jsonl", _truth("x", 0.5))
    _write(folder / "metrics" / "clone.jsonl", {"loss": 0.5})
    _write(folder / "metrics" / "ppo-ppo.jsonl", {"success": 0.5})
    _write(folder / "metrics" / "fidelity.jsonl", {"source": "clock", "value": 0.5})
    _write(folder / "metrics" / "fidelity-cost-clock.jsonl", {"source": "clock", "seconds": 2.0})
    _write(folder / "metrics" / "fidelity-read-spa.jsonl", {"n": 80})
    (folder / "metrics" / "fidelity-truth-80-0000.jsonl").write_text("")
    return Run.open(folder)


def test_what_it_holds(old: Run) -> None:
    assert [(entry.name, entry.role, entry.policy, entry.panel) for entry in old.trajectory_sets()] == [
        ("eval-ppo-unseen_by_length", "evaluation", "terminal", "unseen_by_length"),
        ("explore", "explored", "cloned", "train"),
        ("imported", "episodes", None, None),
    ]
    evaluated, explored, imported = (entry.load()[0] for entry in old.trajectory_sets())
    assert (evaluated.policy, explored.policy, imported.policy) == ("terminal", "cloned", "ppo")
    assert [entry.peek()[0]["id"] for entry in old.trajectory_sets()] == ["ppo/1", "x", "mine"]
    assert old.methods == {"spa": "PPO, SPA-RL", "terminal": "PPO, terminal reward"}
    assert old.tasks() == {}


def test_credits_and_truths(old: Run) -> None:
    credits = old.credits()
    assert {source: by_id["x"].contributions[0] for source, by_id in credits.items()} == {
        "clock": 0.1,  # from outside: the name is not ours
        "judge": 0.2,
        "spa": 0.5,
        "step_index": 0.25,
    }
    assert [(entry.name, entry.role, entry.source) for entry in old.credit_sets()] == [
        ("a", "given", None), ("held-out-spa", "held_out", "spa"), ("fidelity-clock", "scored", "step_index"),
    ]  # fmt: skip
    assert old.truth()["x"].values[0] == 0.25
    assert old.second_truth()["x"].values[0] == 0.5


def test_only_curves_are_curves(old: Run) -> None:
    assert [(entry.stage, entry.method, entry.rows) for entry in old.curves()] == [
        ("clone", None, [{"loss": 0.5}]), ("ppo", "terminal", [{"success": 0.5}]),
    ]  # fmt: skip
    assert old.results("scoreboard") == [{"source": "step_index", "value": 0.5}]
    assert old.results("costs") == [{"source": "step_index", "seconds": 2.0}]


def test_new_files_may_stand_beside_the_old(old: Run, make_trajectory) -> None:
    """`spa-lab fidelity` on an old run: each file says its own schema."""
    old.save_results("fidelity", [{"source": "spa", "value": 1.0}])
    old.save_truths("z", [ValueTruth("x", [0.5, 0.5, 1.0], np.zeros(3), 4, "cloned", 5)])
    assert old.results("scoreboard") == [{"source": "spa", "value": 1.0}]
    assert old.results("costs") is None
    assert old.truth()["x"].branches == 8, "of two files the first by name counts"
    old.note(n=5)
    assert json.loads((old.path / "run.json").read_text())["schema"] == 1


def test_it_is_not_continued(old: Run) -> None:
    before = (old.path / "run.json").read_text()
    with pytest.raises(ValueError, match=r"run\.json: a run of schema 1 can be inspected, .* not continued"):
        Run.create(old.path, FACTS["config"], seed=3)
    assert (old.path / "run.json").read_text() == before


def test_a_missing_or_mixed_file_is_named(old: Run) -> None:
    (old.path / "truths" / "mc.jsonl").write_text(json.dumps(_truth("x", 0.5) | {"schema": 2}) + "\n")
    with pytest.raises(ValueError, match=r"mc\.jsonl, line 1: no header: 'holds' is None"):
        old.truth()
    path = old.path / "credits" / "held-out-spa.jsonl"
    path.write_text(path.read_text() + json.dumps(_credit("y", "spa", 0.5) | {"schema": 2}) + "\n")
    with pytest.raises(ValueError, match=r"held-out-spa\.jsonl, line 2: schema 2 found, 1 expected as in"):
        old.credits()


def test_headers_of_schema_2(tmp_path: Path, trajectory: Trajectory) -> None:
    run = Run.create(tmp_path / "new", {}, seed=0)
    run.save_trajectories("e", [trajectory], role="evaluation", policy="spa", panel="unseen")
    run.save_credits("a", [Credit(trajectory.id, "spa", [0.1] * len(trajectory))], role="scored")
    run.save_credits("b", [Credit(trajectory.id, "spa", [0.2] * len(trajectory))], role="held_out")
    run.save_metrics("c", [{"loss": 1.0}], stage="ppo", method="spa")
    (entry,) = run.trajectory_sets()
    assert (entry.role, entry.policy, entry.panel) == ("evaluation", "spa", "unseen")
    assert entry.load() == [trajectory]
    assert [entry.role for entry in run.credit_sets()] == ["held_out", "scored"]
    assert run.credits()["spa"][trajectory.id].contributions[0] == 0.1, "a scoreboard's credits count"
    (curve,) = run.curves()
    assert (curve.stage, curve.method, curve.rows) == ("ppo", "spa", [{"loss": 1.0}])
    path = run.path / "trajectories" / "e.jsonl"
    path.write_text(path.read_text().replace('"evaluation"', '"played"'))
    with pytest.raises(ValueError, match=r"e\.jsonl, line 1: 'role' is 'played', expected one of explored"):
        run.trajectory_sets()

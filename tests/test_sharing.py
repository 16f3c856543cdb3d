"""A run takes over the results of another: linked, complete after a kill, and independent afterwards."""

import os
from pathlib import Path

import pytest

from spa_lab.agent.codec import TokenRow
from spa_lab.pipeline.sampled_tokens import merge_waves, rows_of, save_wave
from spa_lab.store import Run
from spa_lab.store.sharing import share
from spa_lab.types import Credit, Trajectory


@pytest.fixture
def source(tmp_path: Path, trajectory: Trajectory, credit: Credit) -> Run:
    run = Run.create(tmp_path / "source", {}, seed=0)
    run.save_trajectories("explore", [trajectory], role="explored")
    run.save_credits("held-out", [credit], role="held_out")
    run.save_metrics("clone", [{"loss": 1.0}])
    save_wave(run, 0, [TokenRow(trajectory.id, (5, 6), (-1, 0))])
    merge_waves(run)
    with run.saving_model("cloned") as folder:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "weights").write_text("w")
    return run


def _inode(run: Run, name: str) -> int:
    return (run.path / name).stat().st_ino


def test_files_are_linked_and_read_as_their_own(source: Run, tmp_path: Path, trajectory: Trajectory) -> None:
    target = Run.create(tmp_path / "target", {}, seed=1)
    target.save_metrics("clone", [{"loss": 2.0}])
    share(source, target)
    assert target.load_trajectories("explore") == [trajectory]
    assert [entry.role for entry in target.credit_sets()] == ["held_out"]
    assert rows_of(target, [trajectory]) == [TokenRow(trajectory.id, (5, 6), (-1, 0))]
    for name in ("trajectories/explore.jsonl", "models/cloned/deep/weights"):
        assert _inode(source, name) == _inode(target, name)
    assert target.load_metrics("clone") == [{"loss": 2.0}]  # its own is kept
    target.save_trajectories("explore", [], role="explored")
    assert source.load_trajectories("explore") == [trajectory]


def test_a_second_call_completes_what_was_begun(source: Run, tmp_path: Path) -> None:
    target = Run.create(tmp_path / "target", {}, seed=1)
    partial = target.path / "models" / f".cloned.{os.getpid()}.partial"
    partial.mkdir(parents=True)
    share(source, target)
    share(source, target)
    assert target.names("models") == ["cloned"] and not partial.exists()


def test_without_hard_links_files_are_copied(
    source: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trajectory: Trajectory
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    target = Run.create(tmp_path / "target", {}, seed=1)
    share(source, target)
    assert target.load_trajectories("explore") == [trajectory]
    name = "models/cloned/deep/weights"
    assert _inode(source, name) != _inode(target, name) and (target.path / name).read_text() == "w"

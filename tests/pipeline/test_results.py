"""Evaluations of runs in one file: nothing but text is lost, and the tables are those of the runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spa_lab.pipeline import results
from spa_lab.store import Run, TaskRecord
from spa_lab.types import Trajectory

WON = {"cloned": (1, 0, 0, 0), "spa": (1, 1, 1, 0), "terminal": (1, 1, 0, 0)}


@pytest.fixture
def runs(tmp_path: Path, make_trajectory: Callable[..., Trajectory]) -> list[Run]:
    """Two seeds; in the second, everything is lost."""
    made = []
    for seed in (0, 1):
        run = Run.create(tmp_path / f"run-{seed}", {"env": "toy", "methods": []}, seed=seed)
        run.note(methods={"spa": "SPA-RL", "terminal": "terminal reward"})
        run.save_tasks("unseen", [TaskRecord(f"t{i}", "kind", "unseen", "do it", 7) for i in range(4)])
        for policy, outcomes in WON.items():
            played = [
                replace(make_trajectory(R * (1.0 - seed), id=f"{policy}/{i}", task_id=f"t{i}"), policy=policy)
                for i, R in enumerate(outcomes)
            ]
            name = f"eval-{policy}-unseen"
            run.save_trajectories(name, played, role="evaluation", policy=policy, panel="unseen")
        made.append(run)
    return made


def test_the_file_gives_the_tables_of_the_runs(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "episodes.csv.gz"
    results.main([*(str(run.path) for run in runs), "--out", str(file)])
    printed = capsys.readouterr().out
    assert "toy, panel `unseen`" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("spa ")]
    assert line.split()[1] == "37.5%" and "− terminal: +12.5%" in line
    results.main([str(file)])
    assert capsys.readouterr().out == printed
    table = results.read_results(file)
    assert len(table) == 24 and set(table["expert_length"]) == {7}
    assert table.groupby("run_seed")["success"].sum().to_dict() == {0: 6, 1: 0}
    first = file.read_bytes()
    results.write_results(table, file)
    assert file.read_bytes() == first


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results.main([str(tmp_path / "nope.csv")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'nope.csv'}: cannot read") and error.count("\n") == 1
    assert results.main([str(tmp_path / "a.csv.gz"), str(tmp_path / "b.csv.gz")]) == 2
    assert "a.csv.gz: no run folder; a file of results is read alone" in capsys.readouterr().err


def test_bad_input(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1 run, got 0"):
        results.episode_results([])
    empty = Run.create(tmp_path / "empty", {"env": "toy", "methods": []}, seed=2)
    with pytest.raises(ValueError, match=f"no evaluation in {empty.path}"):
        results.episode_results([empty])
    with pytest.raises(ValueError, match="two runs have policy 'cloned' of seed 0 in toy"):
        results.episode_results([runs[0], runs[0]])
    table = results.episode_results(runs).drop(columns="outcome")
    results.write_results(table, tmp_path / "x.csv.gz")
    with pytest.raises(ValueError, match=r"x\.csv\.gz: lacks the columns outcome"):
        results.read_results(tmp_path / "x.csv.gz")

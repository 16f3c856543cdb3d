"""Positive controls: exact credit reaches what shuffled credit does not; calls resume; names are checked."""

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from spa_lab.envs.control_probes import CONTROL_PROBES
from spa_lab.learn.methods import METHODS
from spa_lab.pipeline import control_start, controls
from spa_lab.pipeline.control_arms import ARMS, Arm, arms_of
from spa_lab.pipeline.control_start import ControlStart
from spa_lab.pipeline.control_titles import ARM_TITLES
from spa_lab.store import Run
from spa_lab.store.csv_tables import read_table
from spa_lab.view.tables.controls import COLUMNS, OPTIMUM, PREDICTIONS

SEED = 100


@pytest.fixture(scope="module")
def start() -> ControlStart:
    return ControlStart("gates", SEED)


def _mean(values: list[dict[str, object]], iteration: int) -> float:
    return float(np.mean([row["value"] for row in values if row["iteration"] == iteration]))


def test_exact_credit_reaches_the_optimum_and_shuffled_credit_does_not(start: ControlStart) -> None:
    _, exact = controls.train_arm(start, "exact", every=6)
    _, shuffled = controls.train_arm(start, "shuffled", every=6)
    assert _mean(exact, 0) == _mean(shuffled, 0) < 0.35
    assert _mean(exact, 6) > 0.8 * OPTIMUM
    assert _mean(shuffled, 6) < 0.5


def test_every_training_method_is_an_arm() -> None:
    trained = {name for name, entry in METHODS.items() if entry.factory}
    assert trained <= ARMS.keys() and trained <= {arm.method for arm in ARMS.values()}
    assert ARMS.keys() == ARM_TITLES.keys() and len(set(ARM_TITLES.values())) == len(ARMS)
    for each in PREDICTIONS:
        assert {each.ours, each.theirs} <= set(arms_of(each.probe)) <= ARMS.keys()
    assert {each.probe for each in PREDICTIONS} == set(CONTROL_PROBES)


def test_a_finished_part_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(start: ControlStart, arm: str) -> tuple[list[dict[str, float]], list[dict[str, object]]]:
        values = [{"task": "a", "iteration": i, "value": 0.1 * i + 0.01 * start.seed} for i in (0, 6)]
        return [{"success": 0.5}], values

    def never(start: ControlStart, arm: str) -> NoReturn:
        raise AssertionError((start, arm))

    monkeypatch.setattr(controls, "train_arm", made)
    first = controls.controls(tmp_path, probes=["last"], arms=["rloo"], seeds=[SEED, SEED + 1])
    assert list(first.columns) == list(COLUMNS) and len(first) == 4
    monkeypatch.setattr(controls, "train_arm", never)
    again = controls.controls(tmp_path, probes=["last"], arms=["rloo"], seeds=[SEED, SEED + 1])
    assert again.equals(first)
    with pytest.raises(AssertionError, match="grpo"):
        controls.controls(tmp_path, probes=["last"], arms=["rloo", "grpo"], seeds=[SEED])
    monkeypatch.setattr(controls, "ARMS", {**ARMS, "rloo": Arm("rloo", {"ppo.lr": 0.5})})
    with pytest.raises(ValueError, match=r"made with other settings: ppo\.lr is absent, asked 0\.5"):
        controls.controls(tmp_path, probes=["last"], arms=["rloo"], seeds=[SEED])
    run = Run.open(tmp_path / f"seed-{SEED}")
    run.save_metrics("values-last-rloo", run.load_metrics("values-last-rloo"))  # as older ones: no settings
    assert len(controls.controls(tmp_path, probes=["last"], arms=["rloo"], seeds=[SEED])) == 2
    monkeypatch.setattr(control_start, "EXPLORED", 3)
    with pytest.raises(ValueError, match="explored"):
        controls.controls(tmp_path, probes=["last"], arms=["rloo"], seeds=[SEED])


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = [{"task": task, "iteration": i, "value": 0.1 * i} for task in "ab" for i in (0, 6)]
    monkeypatch.setattr(controls, "train_arm", lambda start, arm: ([{"success": 0.5}], values))
    assert controls.main(["--out", str(tmp_path), "--probe", "last", "--seed", "100", "101"]) == 0
    printed = capsys.readouterr().out
    assert "last: value of the policy, 2 seeds" in printed and "last: exact not below terminal" in printed
    assert (tmp_path / "figures" / "controls.svg").is_file()
    assert controls.main([str(tmp_path / "curves.csv.gz")]) == 0
    assert capsys.readouterr().out == printed
    only_one = ["--out", str(tmp_path), "--probe", "last", "--arm", "rloo", "--seed", "102"]
    assert controls.main(only_one) == 0
    assert "last: value of the policy, 2 to 3 seeds" in capsys.readouterr().out
    table = read_table(tmp_path / "curves.csv.gz", COLUMNS)
    assert set(table["seed"]) == {100, 101, 102} and set(table["arm"]) == set(arms_of("last"))
    Run.create(tmp_path / "seed-103", {"preset": {}}, seed=103)
    assert controls.main(only_one) == 2
    assert "seed-103: started with other settings: preset is {}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a folder with --out, or a file of curves"),
        (["--out", "new", "--arm", "spaa"], "no arm 'spaa'; there are: exact,"),
        (["--out", "new", "--probe", "gate"], "no control probe 'gate'; there are: gates,"),
        (["missing.csv.gz"], "missing.csv.gz"),
    ],
)
def test_bad_input(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert controls.main(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert list(tmp_path.iterdir()) == []

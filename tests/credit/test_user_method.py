"""A credit method in a file of its own, outside the package: short, loaded by name, checked and scored."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spa_lab.credit.fidelity import scoreboard
from spa_lab.credit.methods import CreditMethod, credit_method, measure
from spa_lab.plugins import load_object
from spa_lab.types import Trajectory, ValueTruth

FILE = Path(__file__).with_name("repetition.py")


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> CreditMethod:
    monkeypatch.syspath_prepend(FILE.parent)
    monkeypatch.delitem(sys.modules, "repetition", raising=False)
    loaded = load_object("repetition:METHOD", "credit method")
    assert isinstance(loaded, CreditMethod)
    return loaded


@pytest.fixture
def trajectories(make_trajectory: Callable[..., Trajectory]) -> list[Trajectory]:
    """Successes and failures of three tasks, some with refused steps."""
    return [
        make_trajectory(float(i % 2), [True, i % 3 > 0, True, True], id=f"t{i}", task_id=f"task {i // 2}")
        for i in range(6)
    ]


def test_the_file_is_short() -> None:
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 30


def test_it_returns_valid_credits(method: CreditMethod, trajectories: list[Trajectory]) -> None:
    credits, cost = measure(method, trajectories)
    assert [credit.trajectory_id for credit in credits] == [trajectory.id for trajectory in trajectories]
    assert {credit.source for credit in credits} == {"repetition"} == {method.source}
    assert [credit.predicted_outcome for credit in credits] == pytest.approx([0, 1] * 3)
    assert credits[3].contributions.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    assert cost.rollouts == 0


def test_it_is_scored_like_any_other(method: CreditMethod, trajectories: list[Trajectory]) -> None:
    rng = np.random.default_rng(0)
    truths = [
        ValueTruth(trajectory.id, [*rng.random(4), trajectory.outcome], [0.05] * 4 + [0.0], 8, "tiny", 9)
        for trajectory in trajectories
    ]
    table = scoreboard(trajectories, method(trajectories), truths, rng=rng, resamples=20)
    assert set(table["source"]) == {"repetition"}
    assert table.loc[table["metric"] == "rmse", "value"].notna().all()


def test_a_method_of_a_function_names_its_module_if_it_has_no_origin() -> None:
    @credit_method("ones")
    def ones(trajectory: Trajectory) -> list[float]:
        return [1.0] * len(trajectory)

    assert (ones.source, ones.origin) == ("ones", __name__)


def test_wrong_contributions_are_refused(trajectories: list[Trajectory]) -> None:
    @credit_method("short")
    def short(trajectory: Trajectory) -> list[float]:
        return [1.0]

    with pytest.raises(ValueError, match=r"\('t0', 'short', 1\), expected \('t0', 'short', 4\)"):
        short(trajectories)

    @credit_method("undefined")
    def undefined(trajectory: Trajectory) -> list[float]:
        return [float("nan")] * len(trajectory)

    with pytest.raises(ValueError, match="credit of 't0' by 'undefined'"):
        undefined(trajectories)

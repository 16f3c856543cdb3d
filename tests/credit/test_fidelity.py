"""The scoreboard: what it says of sources whose quality is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from spa_lab import rewards
from spa_lab.credit.fidelity import CEILING, METRICS, OUTCOMES, scoreboard
from spa_lab.types import Credit, Trajectory, ValueTruth

N = 64


@pytest.fixture(scope="module")
def exact(make_trajectory: Callable[..., Trajectory]) -> tuple[list[Trajectory], list[np.ndarray]]:
    """Thirty trajectories of ten tasks, half of them successes, and their true values V(h_0) ... V(h_T)."""
    rng = np.random.default_rng(0)
    trajectories, values = [], []
    for i in range(30):
        outcome, n_steps = float(i % 2), int(rng.integers(4, 12))
        trajectories.append(make_trajectory(outcome, [True] * n_steps, id=f"t{i}", task_id=f"task{i % 10}"))
        values.append(np.append(rng.uniform(0.1, 0.9, size=n_steps), outcome))
    return trajectories, values


def _sampled(values: list[np.ndarray], *, seed: int) -> list[ValueTruth]:
    """What N branches would measure."""
    rng = np.random.default_rng(seed)
    truths = []
    for i, path in enumerate(values):
        means = np.append(rng.binomial(N, path[:-1]) / N, path[-1])
        error = np.append(np.sqrt(means[:-1] * (1 - means[:-1]) / N), 0.0)
        truths.append(ValueTruth(f"t{i}", means, error, N, "clone", 40))
    return truths


@pytest.fixture(scope="module")
def table(exact: tuple[list[Trajectory], list[np.ndarray]]) -> pd.DataFrame:
    trajectories, values = exact
    credits = [
        Credit(trajectory.id, "perfect", np.diff(v), v[0])
        for trajectory, v in zip(trajectories, values, strict=True)
    ]
    credits += [
        Credit(trajectory.id, "opposite", -np.diff(v))
        for trajectory, v in zip(trajectories, values, strict=True)
    ]
    rng = np.random.default_rng(5)
    credits += [rewards.random(trajectory, rng=rng) for trajectory in trajectories]
    credits += [rewards.mean(trajectory) for trajectory in trajectories]
    return scoreboard(
        trajectories, credits, _sampled(values, seed=1), second=_sampled(values, seed=2),
        rng=np.random.default_rng(0), resamples=200,
    )  # fmt: skip


def _value(table: pd.DataFrame, source: str, metric: str, outcome: str = "both") -> pd.Series:
    rows = table[(table.source == source) & (table.metric == metric) & (table.outcome == outcome)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_source_outcome_and_metric_has_a_row(table: pd.DataFrame) -> None:
    assert len(table) == 5 * len(OUTCOMES) * len(METRICS)
    assert list(table.columns) == [
        "source", "outcome", "metric", "value", "low", "high", "n_tasks", "n_trajectories",
        "ceiling", "ceiling_low", "ceiling_high", "title", "best", "chance",
    ]  # fmt: skip
    assert list(table.source.unique()) == ["perfect", "opposite", "random", "mean", CEILING]


def test_a_perfect_source_is_above_the_ceiling_and_below_one(table: pd.DataFrame) -> None:
    """The ceiling has noise on both sides, the perfect source only on one."""
    for metric in ("spearman", "kendall", "spearman_pooled", "kendall_pooled"):
        perfect = _value(table, "perfect", metric)
        assert perfect.ceiling < perfect.value < 1
        assert perfect.ceiling > 0.7
        assert perfect.low <= perfect.value <= perfect.high
    assert _value(table, "perfect", "rmse").value < _value(table, "perfect", "rmse").ceiling
    for metric in ("pair_accuracy", "sign_agreement", "harm_auc", "pivot_hit"):
        assert _value(table, "perfect", metric).value > (0.75 if metric == "pivot_hit" else 0.9)
        assert _value(table, "opposite", metric).value < 0.1
    assert _value(table, "perfect", "sum_rmse").value == pytest.approx(0)


def test_guessing_is_at_chance_and_constant_contributions_are_undefined(table: pd.DataFrame) -> None:
    for name, metric in METRICS.items():
        # a split of R is never negative: its signs are no guess
        if metric.chance is not None and "pooled" not in name and name != "sign_agreement":
            row = _value(table, "random", name, "success")
            assert row.low < metric.chance < row.high
    for name in ("spearman", "kendall"):
        row = _value(table, "mean", name)
        assert np.isnan(row[["value", "low", "high"]].astype(float)).all() and row.n_trajectories == 0
    assert _value(table, "mean", "pair_accuracy").value == 0.5
    assert _value(table, "mean", "harm_auc").value == 0.5


def test_knowing_only_the_outcome_looks_good_where_pooled(table: pd.DataFrame) -> None:
    pooled, apart = (
        _value(table, "mean", "spearman_pooled"),
        _value(table, "mean", "spearman_pooled", "failure"),
    )
    assert pooled.value > 0.1 and np.isnan(apart.value)


def test_groups_are_apart(table: pd.DataFrame) -> None:
    counts = [_value(table, "perfect", "sum_rmse", name).n_trajectories for name in OUTCOMES]
    assert counts == [15, 15, 30]
    assert _value(table, "perfect", "sum_rmse", "success").n_tasks == 5
    # constant contributions have no ranks
    assert _value(table, "mean", "kendall", "success").n_tasks == 0


def test_without_a_second_measurement_there_is_no_ceiling(
    exact: tuple[list[Trajectory], list[np.ndarray]],
) -> None:
    trajectories, values = exact
    truths = _sampled(values, seed=1)[:4]
    credits = [rewards.mean(trajectory) for trajectory in trajectories]
    scores = scoreboard(trajectories, credits, truths, rng=np.random.default_rng(0), resamples=5)
    assert scores.ceiling.isna().all() and set(scores.n_tasks) <= {0, 1, 2, 4}
    assert scores.low[scores.n_tasks < 2].isna().all()


def test_what_does_not_fit_is_refused(exact: tuple[list[Trajectory], list[np.ndarray]]) -> None:
    trajectories, values = exact
    truths, rng = _sampled(values, seed=1), np.random.default_rng(0)
    credits = [rewards.mean(trajectory) for trajectory in trajectories]
    with pytest.raises(ValueError, match="0 of 30 trajectories have a truth"):
        scoreboard(trajectories, credits, [], rng=rng)
    with pytest.raises(ValueError, match="'mean' has no credit for 1 of 30 trajectories, the first is 't29'"):
        scoreboard(trajectories, credits[:-1], truths, rng=rng)
    with pytest.raises(ValueError, match="credit of 't0' by 'x' has 1 steps, the trajectory has"):
        scoreboard(trajectories, [Credit("t0", "x", [1.0])], truths, rng=rng)
    with pytest.raises(ValueError, match=r"truth of 't0': that trajectory is not among the 29 given"):
        scoreboard(trajectories[1:], credits[1:], truths, rng=rng)
    with pytest.raises(ValueError, match="duplicate truth of 't0'"):
        scoreboard(trajectories, credits, [*truths, truths[0]], rng=rng)
    with pytest.raises(ValueError, match="duplicate credit of 't0' by 'mean'"):
        scoreboard(trajectories, [*credits, credits[0]], truths, rng=rng)
    with pytest.raises(ValueError, match=f"'{CEILING}' has no credit for 29"):
        scoreboard(trajectories, credits, truths, second=truths[:1], rng=rng)

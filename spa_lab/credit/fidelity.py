"""The scoreboard: every credit source against the measured truth, beside a second measurement.

Contributions c_t are compared with the progress Delta_t = V(h_{t+1}) - V(h_t) of the same steps. A measured
truth is noisy, so that even exact values would not score 1. A second, independent measurement has noise of
its own and scores less than exact values would: its score is a lower bound of the noise ceiling. Successes
and failures are also reported separately, because statistics over both are inflated by the difference between
them: a source that only knows how the episode ended scores well there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from spa_lab.credit import agreement
from spa_lab.credit.agreement import Case, without_rounding
from spa_lab.matching import check_match
from spa_lab.stats.task_weights import percentile_bounds, task_weights
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth

CEILING = "second measurement"
"""Source name of the second, independent truth."""

Statistic = Callable[[list[Case], FloatArray], tuple[FloatArray, list[Case]]]


@dataclass(frozen=True)
class Metric:
    """One column of the scoreboard."""

    title: str
    """Short, for axes."""
    meaning: str
    best: float | None
    """Value of a perfect source; None if there is no best value."""
    chance: float | None
    """Value of a source that guesses; None if it depends on the data."""
    of: Statistic


def _ratio(part: Callable[[Case], agreement.Part]) -> Statistic:
    return partial(agreement.ratio, part=part)


def _pooled(pooled: Callable[[list[Case], FloatArray], FloatArray]) -> Statistic:
    def statistic(cases: list[Case], weights: FloatArray) -> tuple[FloatArray, list[Case]]:
        values = pooled(cases, weights)
        return values, [] if np.isnan(values[0]) else cases

    return statistic


def _root_mean_square(part: Callable[[Case], agreement.Part]) -> Statistic:
    def statistic(cases: list[Case], weights: FloatArray) -> tuple[FloatArray, list[Case]]:
        squares, used = agreement.ratio(cases, weights, part)
        return np.sqrt(squares), used

    return statistic


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "spearman": Metric(
            "Spearman ρ, within", "rank correlation within a trajectory, mean over trajectories", 1.0, 0.0,
            _ratio(agreement.spearman_part),
        ),
        "spearman_pooled": Metric(
            "Spearman ρ, pooled", "of all steps pooled; inflated by differences between trajectories",
            1.0, 0.0, _pooled(agreement.pooled_spearman),
        ),
        "kendall": Metric(
            "Kendall τ, within", "tau-b within a trajectory, mean over trajectories", 1.0, 0.0,
            _ratio(agreement.kendall_part),
        ),
        "kendall_pooled": Metric(
            "Kendall τ, pooled", "of all steps pooled; inflated by differences between trajectories",
            1.0, 0.0, _pooled(agreement.pooled_kendall),
        ),
        "pair_accuracy": Metric(
            "pairs in order", "pairs of steps whose order is known beyond 2 standard errors; ties count 1/2",
            1.0, 0.5, _ratio(agreement.pair_part),
        ),
        "sign_agreement": Metric(
            "sign right", "steps whose |Delta| exceeds 2 standard errors; a contribution of 0 counts 1/2",
            1.0, 0.5, _ratio(agreement.sign_part),
        ),
        "harm_auc": Metric(
            "AUC of harmful steps", "a harmful step scores below another of its trajectory; ties count 1/2",
            1.0, 0.5, _ratio(agreement.harm_part),
        ),
        "harm_auc_pooled": Metric(
            "AUC, pooled", "a harmful step scores below another of any trajectory; inflated",
            1.0, 0.5, _pooled(agreement.pooled_harm),
        ),
        "pivot_hit": Metric(
            "pivotal step found", "the step of largest Delta in a success, of smallest in a failure",
            1.0, None, _ratio(agreement.pivot_part),
        ),
        "rmse": Metric(
            "RMSE, centred", "both centred within the trajectory, so that the offset V(h_0) cancels",
            0.0, None, _root_mean_square(agreement.square_part),
        ),
        "sum_rmse": Metric(
            "RMSE of base + Σĉ", "predicted outcome minus R", 0.0, None,
            _root_mean_square(agreement.sum_square_part),
        ),
        "sum_bias": Metric(
            "base + Σĉ − R", "mean over trajectories", 0.0, None, _ratio(agreement.sum_bias_part)
        ),
        "last_share": Metric(
            "share of the last step", "|c_T| / sum |c|; 1: all credit on the last step", None, None,
            _ratio(agreement.last_part),
        ),
    }
)  # fmt: skip
"""All metrics, in the order of the columns; errors are in outcome units."""

OUTCOMES = ("success", "failure", "both")


def scoreboard(
    trajectories: Sequence[Trajectory],
    credits: Sequence[Credit],
    truths: Sequence[ValueTruth],
    *,
    second: Sequence[ValueTruth] = (),
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Every source scored against the truth, one row per source, outcome and metric.

    Columns:
        source: str; the second truth is a source too, "second measurement".
        outcome: "success", "failure" or "both".
        metric: key of `METRICS`.
        value, low, high: float64, the statistic with its percentile bootstrap interval over tasks, whose
            trajectories are resampled together; NaN if undefined (constant contributions have no ranks).
        n_tasks, n_trajectories: int64, that the statistic is computed from; trajectories in which it is
            undefined are not counted. With fewer than `LEAST_TASKS` tasks there is no interval.
        ceiling, ceiling_low, ceiling_high: float64, score of the second measurement, a lower bound of the
            noise ceiling; NaN without one.
        title, best, chance: of the metric, see `Metric`; NaN if there is none.

    Args:
        trajectories: held out from all fitting; those without a truth are ignored.
        credits: every source must have one for every trajectory with a truth.
        truths: at most one per trajectory, of the policy that played it.
        second: independent truths of the same trajectories with as many branches as `truths`: with fewer,
            the bound would be too low.
        rng: draws the resamples.
        resamples: number of bootstrap samples; they are the same for all sources.
        level: confidence of the intervals, in (0, 1).

    Raises:
        ValueError: there is no truth, a truth or credit matches no trajectory, or a source lacks credits.
    """
    resampled = _resampled(trajectories, credits, truths, second, rng, resamples)
    rows = []
    for (source, outcome, metric), sample in resampled.items():
        low, high = percentile_bounds(sample.values, level, sample.n_tasks)
        point = {"value": float(sample.values[0]), "low": low, "high": high}
        counts = {"n_tasks": sample.n_tasks, "n_trajectories": sample.n_trajectories}
        rows.append({"source": source, "outcome": outcome, "metric": metric} | point | counts)
    return _described(_with_ceiling(pd.DataFrame(rows)))


class _Resampled(NamedTuple):
    values: FloatArray
    """(1 + resamples,) the statistic itself, and in every resample."""
    n_tasks: int
    n_trajectories: int


def _resampled(
    trajectories: Sequence[Trajectory],
    credits: Sequence[Credit],
    truths: Sequence[ValueTruth],
    second: Sequence[ValueTruth],
    rng: np.random.Generator,
    resamples: int,
) -> dict[tuple[str, str, str], _Resampled]:
    """(source, outcome, metric) -> its statistic, over the trajectories that have a truth."""
    by_id = {truth.trajectory_id: truth for truth in truths}
    measured = [trajectory for trajectory in trajectories if trajectory.id in by_id]
    ceiling = [Credit(truth.trajectory_id, CEILING, truth.progress, truth.offset) for truth in second]
    _check(trajectories, measured, [*credits, *ceiling], truths, resamples)
    by_source: dict[str, dict[str, Credit]] = {}
    for credit in (*credits, *ceiling):
        by_source.setdefault(credit.source, {})[credit.trajectory_id] = credit
    tasks = dict.fromkeys((trajectory.env, trajectory.task_id) for trajectory in measured)
    task_index = {task: index for index, task in enumerate(tasks)}
    weights = task_weights(len(tasks), resamples, rng)
    samples: dict[tuple[str, str, str], _Resampled] = {}
    for source, of_source in by_source.items():
        _check_complete(source, of_source, measured)
        cases = [
            _case(
                trajectory,
                of_source[trajectory.id],
                by_id[trajectory.id],
                task_index[trajectory.env, trajectory.task_id],
            )
            for trajectory in measured
        ]
        for outcome in OUTCOMES:
            subset = [case for case in cases if outcome == "both" or case.success == (outcome == "success")]
            for name, metric in METRICS.items():
                if subset:
                    values, used = metric.of(subset, weights)
                    n_tasks = len({case.task for case in used})
                    samples[source, outcome, name] = _Resampled(values, n_tasks, len(used))
    return samples


def _case(trajectory: Trajectory, credit: Credit, truth: ValueTruth, task: int) -> Case:
    return Case(
        task=task,
        contributions=without_rounding(credit.contributions, float(np.abs(credit.contributions).max())),
        truth=without_rounding(truth.progress, 1.0),
        error=truth.standard_error,
        predicted=credit.predicted_outcome,
        outcome=trajectory.known_outcome,
        success=trajectory.known_success,
    )


def _with_ceiling(table: pd.DataFrame) -> pd.DataFrame:
    names = {"value": "ceiling", "low": "ceiling_low", "high": "ceiling_high"}
    ceiling = table[table["source"] == CEILING].rename(columns=names)
    return table.merge(ceiling[["outcome", "metric", *names.values()]], on=["outcome", "metric"], how="left")


def _described(table: pd.DataFrame) -> pd.DataFrame:
    """With the title, best and chance value of each metric."""
    metrics = [METRICS[name] for name in table["metric"]]
    return table.assign(
        title=[metric.title for metric in metrics],
        best=np.array([metric.best for metric in metrics], dtype=np.float64),
        chance=np.array([metric.chance for metric in metrics], dtype=np.float64),
    )


def _check(
    trajectories: Sequence[Trajectory],
    measured: Sequence[Trajectory],
    credits: Sequence[Credit],
    truths: Sequence[ValueTruth],
    resamples: int,
) -> None:
    if not measured or resamples < 1:
        raise ValueError(
            f"{len(measured)} of {len(trajectories)} trajectories have a truth, {resamples} resamples; "
            "needs at least 1 of each"
        )
    check_match(trajectories, credits, truths)


def _check_complete(source: str, credits: Mapping[str, Credit], measured: Sequence[Trajectory]) -> None:
    """Sources that are scored on different trajectories cannot be compared."""
    missing = [trajectory.id for trajectory in measured if trajectory.id not in credits]
    if missing:
        raise ValueError(
            f"{source!r} has no credit for {len(missing)} of {len(measured)} trajectories, "
            f"the first is {missing[0]!r}"
        )

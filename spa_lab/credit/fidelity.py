"""The scoreboard: every credit source against the measured truth, with intervals and the noise ceiling.

Opinions c_t are compared with progress Delta_t = V(h_{t+1}) - V(h_t) of the same steps. A measured truth is
noisy, so that not even the truth itself would score 1: the ceiling is what a second, independent measurement
scores. Success and failure are reported apart, because numbers over both are inflated by the gap between
them: a source that only knows how the episode ended looks good there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from spa_lab.credit import agreement
from spa_lab.credit.agreement import Case
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth

CEILING = "second measurement"
"""Source under which an independent truth is scored."""

Statistic = Callable[[list[Case], FloatArray], tuple[FloatArray, list[Case]]]


@dataclass(frozen=True)
class Metric:
    """One column of the scoreboard."""

    title: str
    """Short, for axes."""
    meaning: str
    best: float | None
    """Value of a perfect source; None where there is no best."""
    chance: float | None
    """Value of a source that guesses; None where guessing has no one value."""
    of: Statistic


def _ratio(part: Callable[[Case], agreement.Part]) -> Statistic:
    return partial(agreement.ratio, part=part)


def _pooled(statistic: Callable[[list[Case], FloatArray], FloatArray]) -> Statistic:
    return lambda cases, weights: (statistic(cases, weights), cases)


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
            "Spearman ρ, pooled", "of all steps together; inflated by differences between trajectories",
            1.0, 0.0, _pooled(agreement.pooled_spearman),
        ),
        "kendall": Metric(
            "Kendall τ, within", "tau-b within a trajectory, mean over trajectories", 1.0, 0.0,
            _ratio(agreement.kendall_part),
        ),
        "kendall_pooled": Metric(
            "Kendall τ, pooled", "of all steps together; inflated by differences between trajectories",
            1.0, 0.0, _pooled(agreement.pooled_kendall),
        ),
        "pair_accuracy": Metric(
            "pairs in order", "pairs of steps whose order is known beyond 2 standard errors; ties half",
            1.0, 0.5, _ratio(agreement.pair_part),
        ),
        "sign_agreement": Metric(
            "sign right", "steps whose |Delta| exceeds 2 standard errors; an opinion of 0 is half",
            1.0, 0.5, _ratio(agreement.sign_part),
        ),
        "harm_auc": Metric(
            "AUC of harmful steps", "a harmful step scores below another of its trajectory; ties half",
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
            "RMSE, centred", "both sides centred within the trajectory, so that the offset V(h_0) cancels",
            0.0, None, _root_mean_square(agreement.square_part),
        ),
        "sum_rmse": Metric(
            "RMSE of base + Σĉ", "predicted outcome against R", 0.0, None,
            _root_mean_square(agreement.sum_square_part),
        ),
        "sum_bias": Metric(
            "base + Σĉ − R", "mean over trajectories", 0.0, None, _ratio(agreement.sum_bias_part)
        ),
        "last_share": Metric(
            "share of the last step", "|c_T| / sum |c|; 1 is a collapse on the end", None, None,
            _ratio(agreement.last_part),
        ),
    }
)  # fmt: skip
"""Everything that is scored, in the order of the columns; outcome units where a correlation is none."""

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
        source: str; the ceiling itself is a source, "second measurement".
        outcome: "success", "failure" or "both".
        metric: key of `METRICS`.
        value, low, high: float64, the statistic with its percentile bootstrap interval over tasks, whose
            trajectories are resampled together; NaN where undefined (a constant opinion has no ranks).
        n_tasks, n_trajectories: int64, behind the statistic; trajectories in which it is undefined are not
            counted. One task has no interval.
        ceiling, ceiling_low, ceiling_high: float64, what the second measurement scores; NaN without one.
        title, best, chance: of the metric, see `Metric`; NaN where there is none.

    Args:
        trajectories: held out from all fitting; those without a truth are left out.
        credits: every source must have one for every trajectory with a truth.
        truths: at most one per trajectory, of the policy that played them.
        second: independent truths of the same trajectories, of as many branches as `truths`: fewer would
            put the ceiling too low.
        rng: draws the resamples.
        resamples: number of bootstrap samples; they are the same for all sources.
        level: confidence of the intervals, in (0, 1).

    Raises:
        ValueError: no truth, a truth or credit that fits no trajectory, or a source without some.
    """
    resampled = _resampled(trajectories, credits, truths, second, rng, resamples)
    rows = []
    for (source, outcome, metric), found in resampled.items():
        low, high = _bounds(found.values, level) if found.n_tasks > 1 else (np.nan, np.nan)
        point = {"value": float(found.values[0]), "low": low, "high": high}
        counts = {"n_tasks": found.n_tasks, "n_trajectories": found.n_trajectories}
        rows.append({"source": source, "outcome": outcome, "metric": metric} | point | counts)
    return _described(_with_ceiling(pd.DataFrame(rows)))


def differences(
    trajectories: Sequence[Trajectory],
    credits: Sequence[Credit],
    truths: Sequence[ValueTruth],
    *,
    against: str,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Every source less one of them, in the same resamples, so that what is hard for both cancels.

    Columns:
        source, outcome, metric: str, as in `scoreboard`; the source `against` itself is left out.
        difference, low, high: float64, with its percentile bootstrap interval over tasks.

    Args:
        trajectories: as in `scoreboard`; so for all others.
        credits: among them those of the source `against`.
        truths: at most one per trajectory.
        against: the source to compare with.
        rng: draws the resamples.
        resamples: number of bootstrap samples.
        level: confidence of the intervals, in (0, 1).

    Raises:
        ValueError: there are no credits by `against`; otherwise as `scoreboard`.
    """
    if against not in {credit.source for credit in credits}:
        raise ValueError(f"no credits by {against!r} to compare with")
    resampled = _resampled(trajectories, credits, truths, (), rng, resamples)
    rows = []
    for (source, outcome, metric), found in resampled.items():
        if source != against:
            gap = found.values - resampled[against, outcome, metric].values
            low, high = _bounds(gap, level)
            names = {"source": source, "outcome": outcome, "metric": metric}
            rows.append(names | {"difference": float(gap[0]), "low": low, "high": high})
    return pd.DataFrame(rows)


class _Resampled(NamedTuple):
    values: FloatArray
    """(1 + resamples,) the statistic as it is, and in every resample."""
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
    measured = [one for one in trajectories if one.id in by_id]
    again = [Credit(one.trajectory_id, CEILING, one.progress, one.offset) for one in second]
    _check(trajectories, measured, [*credits, *again], truths, resamples)
    opinions: dict[str, dict[str, Credit]] = {}
    for credit in (*credits, *again):
        opinions.setdefault(credit.source, {})[credit.trajectory_id] = credit
    numbers = {name: i for i, name in enumerate(dict.fromkeys((one.env, one.task_id) for one in measured))}
    weights = _weights(len(numbers), resamples, rng)
    found: dict[tuple[str, str, str], _Resampled] = {}
    for source, given in opinions.items():
        _check_complete(source, given, measured)
        cases = [_case(one, given[one.id], by_id[one.id], numbers[one.env, one.task_id]) for one in measured]
        for outcome in OUTCOMES:
            own = [case for case in cases if outcome == "both" or case.success == (outcome == "success")]
            for name, metric in METRICS.items():
                if own:
                    values, used = metric.of(own, weights)
                    n_tasks = len({one.task for one in used})
                    found[source, outcome, name] = _Resampled(values, n_tasks, len(used))
    return found


def _case(trajectory: Trajectory, credit: Credit, truth: ValueTruth, task: int) -> Case:
    return Case(
        task, credit.contributions, truth.progress, truth.standard_error, credit.predicted_outcome,
        trajectory.outcome, trajectory.success,
    )  # fmt: skip


def _weights(n_tasks: int, resamples: int, rng: np.random.Generator) -> FloatArray:
    """(1 + resamples, G): every task once, then how often each is in each resample."""
    drawn = rng.multinomial(n_tasks, np.full(n_tasks, 1 / n_tasks), size=resamples)
    return np.concatenate([np.ones((1, n_tasks)), drawn])


def _bounds(values: FloatArray, level: float) -> tuple[float, float]:
    """Percentile interval of the resamples in which the statistic is defined; NaN where it is not itself."""
    defined = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _with_ceiling(table: pd.DataFrame) -> pd.DataFrame:
    names = {"value": "ceiling", "low": "ceiling_low", "high": "ceiling_high"}
    ceiling = table[table["source"] == CEILING].rename(columns=names)
    return table.merge(ceiling[["outcome", "metric", *names.values()]], on=["outcome", "metric"], how="left")


def _described(table: pd.DataFrame) -> pd.DataFrame:
    """With what a reader, or a picture, must know of each metric."""
    known = [METRICS[name] for name in table["metric"]]
    return table.assign(
        title=[one.title for one in known],
        best=np.array([one.best for one in known], dtype=np.float64),
        chance=np.array([one.chance for one in known], dtype=np.float64),
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
            f"{len(measured)} of {len(trajectories)} trajectories have a truth and {resamples} resamples "
            "are asked for; needs at least 1 of each"
        )
    lengths = {one.id: len(one) for one in trajectories}
    if len(lengths) < len(trajectories) or len({one.trajectory_id for one in truths}) < len(truths):
        raise ValueError("two trajectories, or two truths, have one id")
    given = [("truth", one.trajectory_id, len(one.progress)) for one in truths]
    given += [(f"credit by {one.source!r}", one.trajectory_id, len(one)) for one in credits]
    for what, owner, n_steps in given:
        if lengths.get(owner) != n_steps:
            raise ValueError(
                f"{what} of {owner!r} has {n_steps} steps, the trajectory "
                f"{lengths.get(owner, 'is not among those given')}"
            )


def _check_complete(source: str, given: Mapping[str, Credit], measured: Sequence[Trajectory]) -> None:
    """Sources that were scored on different trajectories could not be compared."""
    missing = [one.id for one in measured if one.id not in given]
    if missing:
        raise ValueError(
            f"{source!r} says nothing of {len(missing)} of {len(measured)} trajectories, "
            f"the first is {missing[0]!r}"
        )

"""Bootstrap intervals over rows, over seeds, and of paired differences; the interquartile mean.

Symbols: K seeds (rows), tasks (columns). The intervals are percentile intervals.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spa_lab.stats.interval import Interval, checked_level, percent
from spa_lab.stats.rates import wilson
from spa_lab.types import FloatArray


def same_resamples(rng: np.random.Generator) -> Callable[[], np.random.Generator]:
    """A function whose generators all draw the same numbers; it takes one number of `rng`.

    With one of them for each row of a table, the interval of a row does not depend on the rows before it.
    """
    seed = int(rng.integers(2**63))
    return lambda: np.random.default_rng(seed)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[NDArray], float],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """A statistic with its percentile bootstrap interval over independent rows.

    To resample whole objects (trajectories with all their steps), pass their indices as `values`.
    Percentile intervals are too narrow for small n: about 0.90 coverage instead of 0.95 at n = 10.

    Args:
        values: (n, ...) rows that are independent of each other, n >= 1.
        statistic: maps rows (n, ...) to one number; NaN where it is undefined.
        rng: random numbers of the resamples.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        The interval with n rows; resamples with an undefined statistic are left out and counted in `method`.

    Raises:
        ValueError: no rows, or a bad level or number of resamples.
    """
    rows = np.asarray(values)
    if rows.ndim == 0 or len(rows) == 0:
        raise ValueError(f"bootstrap needs at least 1 row, got shape {rows.shape}")
    check_resamples(resamples)
    n = len(rows)
    replicates = np.array([statistic(rows[rng.integers(n, size=n)]) for _ in range(resamples)], dtype=float)
    return percentile_interval(replicates, float(statistic(rows)), n, level, "bootstrap")


def stratified_bootstrap(
    scores: ArrayLike,
    statistic: Callable[[FloatArray], float],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
    tasks_too: bool = False,
) -> Interval:
    """A statistic over seeds and tasks with the stratified bootstrap of rliable (Agarwal et al. 2021).

    Seeds are resampled independently within every task; the tasks stay fixed. It estimates how this
    benchmark's score would vary if the training were repeated, and says nothing about other tasks.
    With `tasks_too`, tasks are resampled as well (rliable's `task_bootstrap`).

    Args:
        scores: (K, tasks) one score per seed and task, K >= 2.
        statistic: maps (K, tasks) to one number, e.g. `iqm`.
        rng: random numbers of the resamples.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.
        tasks_too: resample the tasks, too: the claim is about other tasks of this kind as well.

    Returns:
        The interval with n = K * tasks scores.

    Raises:
        ValueError: not a matrix, no task, a score that is not finite, or fewer than 2 seeds, of which every
            resample would be the same.
    """
    matrix = score_matrix(scores, "scores")
    n_seeds, n_tasks = matrix.shape
    if n_seeds < 2:
        raise ValueError(f"stratified_bootstrap needs at least 2 seeds, got {n_seeds} for {n_tasks} tasks")
    check_resamples(resamples)
    replicates = np.empty(resamples)
    for i in range(resamples):
        columns = rng.integers(n_tasks, size=n_tasks) if tasks_too else np.arange(n_tasks)
        replicates[i] = statistic(matrix[rng.integers(n_seeds, size=matrix.shape), columns])
    what = f"{n_seeds} seeds and {n_tasks} tasks" if tasks_too else f"{n_seeds} seeds"
    return percentile_interval(
        replicates, float(statistic(matrix)), matrix.size, level, f"stratified bootstrap, {what}"
    )


@dataclass(frozen=True)
class PairedDifference:
    """A mean difference with its interval and a p value of the same resamples."""

    interval: Interval
    p: float
    """Two-sided, in (0, 1]: twice the smaller share of resamples on either side of 0, each share with the
    sample itself counted (Davison and Hinkley 1997, section 4.4); never below 2^(1 - n) for n tasks, what a
    sign test of as many gives at least: seeds do not make few tasks more, and where all differ alike there is
    nothing to resample. Else at most 0.05 where the 95 % interval excludes 0, up to the resolution of the
    resamples, and as little to be trusted with few seeds."""


def paired_difference(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> PairedDifference:
    """The interval of `paired_bootstrap`, and a p value for no difference; arguments and errors as there."""
    difference = _difference(ours, theirs)
    replicates = _crossed_replicates(difference, rng, resamples)
    if np.ptp(difference) == 0 and _are_rates(ours) and _are_rates(theirs):
        interval = _all_alike(float(difference.flat[0]), difference.shape[1], level)
    else:
        interval = _crossed(difference, replicates, "paired bootstrap", level)
    smaller = min(np.count_nonzero(replicates <= 0), np.count_nonzero(replicates >= 0))
    p = 2 * (1 + int(smaller)) / (1 + resamples)
    return PairedDifference(interval, min(1.0, max(p, 2.0 ** (1 - difference.shape[1]))))


def paired_bootstrap(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """Mean difference `ours - theirs` on the same tasks (and seeds), with its percentile interval.

    Pairs are kept together, so what is hard for both cancels. Two populations can be meant:

    * (tasks,): tasks are resampled. The claim is about these trained models on such tasks.
    * (K, tasks): tasks are resampled with all their seeds and, independently, seeds with all their tasks (the
      crossed, "pigeonhole" bootstrap, Owen 2007). The claim is about the methods, trained again, on such
      tasks. It is slightly conservative; with K < 5 the spread over seeds is still badly known.

    To hold the seeds fixed, pass the means over them. Row k of both must belong to the same seed.

    Where all pairs differ alike, there is nothing to resample. For scores in [0, 1] the interval then has
    Wilson's bound w of tasks that all agree: on a share 1 - w of tasks, the difference may be any in [-1, 1].

    Args:
        ours: (tasks,) or (K, tasks) scores, finite.
        theirs: the same shape, same order of tasks and seeds.
        rng: random numbers of the resamples.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        The interval with n = tasks; `method` says what was resampled.

    Raises:
        ValueError: the shapes differ, are neither vectors nor matrices or hold no task, or a score is not
            finite.
    """
    return paired_difference(ours, theirs, rng=rng, level=level, resamples=resamples).interval


def crossed_bootstrap(
    scores: ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """Mean score with its percentile interval over tasks and, where there are several, over seeds.

    The claim is about the method, trained again, on such tasks; see `paired_bootstrap` for what is resampled
    and how far it can be trusted. Scores that are all equal have no spread to resample: use `wilson` for
    such rates.

    Args:
        scores: (tasks,) or (K, tasks), finite; row k holds the scores of seed k on the same tasks.
        rng: random numbers of the resamples.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        The interval with n = tasks; `method` says what was resampled.

    Raises:
        ValueError: neither a vector nor a matrix, no task, or a score is not finite.
    """
    matrix = score_matrix(np.atleast_2d(scores), "scores")
    return _crossed(matrix, _crossed_replicates(matrix, rng, resamples), "bootstrap", level)


def _difference(ours: ArrayLike, theirs: ArrayLike) -> FloatArray:
    """(K, tasks) float64; one row for vectors."""
    if np.shape(ours) != np.shape(theirs):
        raise ValueError(f"paired scores need the same shape, got {np.shape(ours)} and {np.shape(theirs)}")
    return score_matrix(np.atleast_2d(ours), "ours") - score_matrix(np.atleast_2d(theirs), "theirs")


def _crossed_replicates(matrix: FloatArray, rng: np.random.Generator, resamples: int) -> FloatArray:
    """Means, with rows and all their columns and, independently, columns and all their rows resampled."""
    check_resamples(resamples)
    n_seeds, n_tasks = matrix.shape
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples)  # (resamples, K)
    tasks = rng.multinomial(n_tasks, np.full(n_tasks, 1 / n_tasks), size=resamples)  # (resamples, tasks)
    return ((seeds @ matrix) * tasks).sum(axis=1) / matrix.size


def _crossed(matrix: FloatArray, replicates: FloatArray, name: str, level: float) -> Interval:
    n_seeds, n_tasks = matrix.shape
    what = f"tasks and {n_seeds} seeds" if n_seeds > 1 else "tasks"
    return percentile_interval(replicates, float(matrix.mean()), n_tasks, level, f"{name} over {what}")


def _are_rates(scores: ArrayLike) -> bool:
    return bool(np.min(scores) >= 0 and np.max(scores) <= 1)


def _all_alike(difference: float, n_tasks: int, level: float) -> Interval:
    """The same difference of scores in [0, 1] on all tasks: what it may be on others, by Wilson's bound."""
    share = wilson(n_tasks, n_tasks, level=level).low
    low, high = difference * share - (1 - share), difference * share + (1 - share)
    method = f"Wilson's bound of tasks whose pairs all differ alike, {percent(level)}"
    return Interval(low, difference, high, n_tasks, method)


def iqm(values: ArrayLike) -> float:
    """Interquartile mean: the mean without the floor(n / 4) lowest and the floor(n / 4) highest values.

    Args:
        values: at least one finite number, any shape; flattened.

    Returns:
        In the unit of the values; equals rliable's `aggregate_iqm`.

    Raises:
        ValueError: no values, or one that is not finite.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    if not ordered.size or not np.isfinite(ordered).all():
        raise ValueError(f"iqm needs at least 1 value, all finite, got {ordered}")
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def percentile_interval(replicates: FloatArray, point: float, n: int, level: float, method: str) -> Interval:
    """Bounds between which the middle `level` of the defined replicates lies, as an interval."""
    tail = (1 - checked_level(level)) / 2
    defined = replicates[~np.isnan(replicates)]
    n_undefined = replicates.size - defined.size
    label = f"{method}, {percent(level)}" + (
        f", {n_undefined} of {replicates.size} resamples undefined" if n_undefined else ""
    )
    if math.isnan(point) or not defined.size:
        return Interval(math.nan, point, math.nan, n, label)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(low), point, float(high), n, label)


def score_matrix(scores: ArrayLike, name: str) -> FloatArray:
    """The scores as (K, tasks) float64, finite and not empty; raises ValueError naming seed and task."""
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(
            f"{name}: expected (seeds, tasks) with at least one of each, got shape {matrix.shape}"
        )
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        seed, task = (int(i) for i in bad[0])
        raise ValueError(f"{name}: seed {seed}, task {task} of {matrix.shape} is {matrix[seed, task]}")
    return matrix


def check_resamples(resamples: int) -> None:
    """Raise ValueError unless there is at least one resample."""
    if resamples < 1:
        raise ValueError(f"resamples must be >= 1, got {resamples}")

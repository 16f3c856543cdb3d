"""Comparisons of methods over several tasks after Agarwal et al. 2021 (arXiv:2108.13264) and rliable.

A score matrix has a row per training seed (K or M of them) and a column per task. A task is here what a score
is comparable within: a benchmark, a world, a type of task. Single episodes are no good columns: their scores
are 0 or 1, so that an interquartile mean only cuts successes and failures, and a profile has one step.
"""

import numpy as np
from numpy.typing import ArrayLike

from spa_lab.stats.interval import Interval
from spa_lab.stats.resampling import check_resamples, percentile_interval, score_matrix
from spa_lab.types import FloatArray


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """How probable it is that a run of ours scores higher than one of theirs, on a task drawn at random.

    The Mann-Whitney statistic of each task over K * M, averaged over the tasks; ties count one half. As
    rliable's `probability_of_improvement`. Runs are compared with all of the other side, not in pairs.

    Args:
        ours: (K, tasks) scores, finite.
        theirs: (M, tasks) scores of the same tasks.

    Returns:
        In [0, 1]; 0.5 if neither is better.

    Raises:
        ValueError: no such matrices, or different numbers of tasks.
    """
    return _improvement(*_two_sides(ours, theirs))


def improvement_interval(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """`probability_of_improvement` with its interval: seeds of both sides are resampled within every task.

    Args:
        ours: (K, tasks) scores, K >= 2.
        theirs: (M, tasks) scores of the same tasks, M >= 2.
        rng: random numbers of the resamples.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        The interval with n = tasks.

    Raises:
        ValueError: as `probability_of_improvement`, or a side has fewer than 2 seeds.
    """
    sides = _two_sides(ours, theirs)
    if min(len(side) for side in sides) < 2:
        raise ValueError(
            f"improvement needs at least 2 seeds a side, got {len(sides[0])} and {len(sides[1])}"
        )
    check_resamples(resamples)
    replicates = np.array(
        [_improvement(*(_resampled(side, rng) for side in sides)) for _ in range(resamples)], dtype=float
    )
    n_tasks = sides[0].shape[1]
    method = f"stratified bootstrap, {len(sides[0])} and {len(sides[1])} seeds"
    return percentile_interval(replicates, _improvement(*sides), n_tasks, level, method)


def performance_profile(
    scores: ArrayLike,
    thresholds: ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
) -> list[Interval]:
    """Share of runs and tasks whose score is above each threshold, with pointwise intervals.

    As rliable's `create_performance_profile` (run-score distribution): its area is the mean score, and a
    profile that lies above another one everywhere is better in every quantile.

    Args:
        scores: (K, tasks), finite, K >= 2.
        thresholds: (n,) in the unit of the scores.
        rng: random numbers of the stratified bootstrap over seeds.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        One interval a threshold, n = K * tasks.

    Raises:
        ValueError: no such matrix, or fewer than 2 seeds.
    """
    matrix, limits = score_matrix(scores, "scores"), np.asarray(thresholds, dtype=np.float64)
    if len(matrix) < 2:
        raise ValueError(f"performance_profile needs at least 2 seeds, got {len(matrix)}")
    check_resamples(resamples)
    replicates = np.array([_above(_resampled(matrix, rng), limits) for _ in range(resamples)])
    point, method = _above(matrix, limits), f"stratified bootstrap, {len(matrix)} seeds"
    return [
        percentile_interval(replicates[:, i], float(point[i]), matrix.size, level, method)
        for i in range(len(limits))
    ]


def _above(matrix: FloatArray, limits: FloatArray) -> FloatArray:
    """(n,) float64: share of all scores above each limit."""
    ordered = np.sort(matrix, axis=None)
    return 1.0 - np.searchsorted(ordered, limits, side="right") / matrix.size


def _improvement(ours: FloatArray, theirs: FloatArray) -> float:
    difference = ours[:, None, :] - theirs[None, :, :]  # (K, M, tasks)
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def _resampled(matrix: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Seeds drawn with replacement, independently for every task."""
    return matrix[rng.integers(len(matrix), size=matrix.shape), np.arange(matrix.shape[1])]


def _two_sides(ours: ArrayLike, theirs: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = score_matrix(ours, "ours"), score_matrix(theirs, "theirs")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"ours has {first.shape[1]} tasks, theirs {second.shape[1]}")
    return first, second

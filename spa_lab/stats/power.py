"""How many seeds and tasks a paired comparison needs, from the variance that was measured.

The difference of two methods on seed k and task t is modelled as mean + seed effect + task effect + rest,
all independent (random effects, one observation a cell; Searle, Casella and McCulloch 1992, chapter 4). The
mean over K seeds and T tasks then has the variance v_seed / K + v_task / T + v_rest / (K T): more tasks
cannot make up for few seeds, nor the reverse.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from numpy.typing import ArrayLike

from spa_lab.stats.interval import checked_level
from spa_lab.stats.resampling import score_matrix

_NORMAL = NormalDist()


@dataclass(frozen=True)
class DifferenceVariance:
    """Variance components of paired differences, in squared units of the scores."""

    seed: float
    """v_seed: what a training seed adds on all tasks."""
    task: float
    """v_task: what a task adds with all seeds."""
    rest: float
    """v_rest: what is left of a single seed on a single task."""

    def standard_error(self, seeds: int, tasks: int) -> float:
        """Of the mean difference over so many seeds and tasks, in the unit of the scores.

        Raises:
            ValueError: a count is below 1; as the methods below.
        """
        _check_count(seeds=seeds, tasks=tasks)
        return math.sqrt(self.seed / seeds + self.task / tasks + self.rest / (seeds * tasks))

    def detectable(self, seeds: int, tasks: int, *, level: float = 0.95, power: float = 0.8) -> float:
        """Smallest true difference that a two-sided z test at `level` finds with probability `power`."""
        return _deviates(level, power) * self.standard_error(seeds, tasks)

    def tasks_needed(self, margin: float, seeds: int, *, level: float = 0.95, power: float = 0.8) -> float:
        """Tasks with which so many seeds resolve a true difference of `margin`.

        Args:
            margin: in the unit of the scores, > 0.
            seeds: training seeds of each method, >= 1.
            level: 1 - size of the two-sided z test, in (0, 1).
            power: probability of finding the difference, in [0.5, 1).

        Returns:
            A whole number >= 1; infinity if the seeds alone leave too much variance.
        """
        _check_count(seeds=seeds)
        return _needed(self.seed / seeds, self.task + self.rest / seeds, margin, level, power)

    def seeds_needed(self, margin: float, tasks: int, *, level: float = 0.95, power: float = 0.8) -> float:
        """Seeds with which so many tasks resolve a true difference of `margin`; as `tasks_needed`."""
        _check_count(tasks=tasks)
        return _needed(self.task / tasks, self.seed + self.rest / tasks, margin, level, power)


def _check_count(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name}: expected at least 1, got {count}")


def difference_variance(ours: ArrayLike, theirs: ArrayLike) -> DifferenceVariance:
    """The components of `ours - theirs` by the analysis of variance; a negative estimate becomes 0.

    Args:
        ours: (K, tasks) scores, K >= 2 and tasks >= 2.
        theirs: the same shape, same order of seeds and tasks.

    Raises:
        ValueError: the shapes differ or are too small, or a score is not finite.
    """
    first, second = score_matrix(ours, "ours"), score_matrix(theirs, "theirs")
    if first.shape != second.shape or min(first.shape) < 2:
        raise ValueError(
            f"needs two matrices of one shape with at least 2 seeds and 2 tasks, got {first.shape} and "
            f"{second.shape}"
        )
    difference = first - second
    n_seeds, n_tasks = difference.shape
    rows, columns = difference.mean(axis=1), difference.mean(axis=0)
    left = difference - rows[:, None] - columns[None, :] + difference.mean()
    rest = float((left**2).sum()) / ((n_seeds - 1) * (n_tasks - 1))
    seed = (n_tasks * float(rows.var(ddof=1)) - rest) / n_tasks
    task = (n_seeds * float(columns.var(ddof=1)) - rest) / n_seeds
    return DifferenceVariance(max(seed, 0.0), max(task, 0.0), rest)


def _needed(fixed: float, falling: float, margin: float, level: float, power: float) -> float:
    """Smallest n with fixed + falling / n <= (margin / deviates)^2."""
    if not margin > 0:
        raise ValueError(f"margin must be > 0, got {margin}")
    allowed = (margin / _deviates(level, power)) ** 2 - fixed
    return max(1.0, float(math.ceil(falling / allowed))) if allowed > 0 else math.inf


def _deviates(level: float, power: float) -> float:
    """Sum of the two normal quantiles of a two-sided test with that power."""
    if not 0.5 <= power < 1:
        raise ValueError(f"power must lie in [0.5, 1), got {power}")
    return _NORMAL.inv_cdf((1 + checked_level(level)) / 2) + _NORMAL.inv_cdf(power)

"""How well two lists of step scores agree, for many resamples of the tasks at once.

Every statistic is a function of task weights W (B, G): row b says how often each of G tasks is in resample
b. Sums over tasks, and over pairs of tasks, are taken once; a resample then costs a matrix product. The same
weights for all sources keep comparisons paired.

Undefined (nothing to compare) is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spa_lab.stats import kendall_tau_b, spearman
from spa_lab.types import FloatArray


@dataclass(frozen=True, eq=False)
class Case:
    """One trajectory: what a source says of its T steps, and the truth."""

    task: int
    """Number of the task, 0 to G - 1."""
    opinion: FloatArray
    """(T,) contributions."""
    truth: FloatArray
    """(T,) progress Delta, outcome units."""
    error: FloatArray
    """(T + 1,) standard errors of the values that Delta is made of."""
    predicted: float
    """Base value and sum of the contributions."""
    outcome: float
    success: bool

    @property
    def truth_error(self) -> FloatArray:
        """(T,) standard error of each Delta; neighbouring values are independent."""
        return np.hypot(self.error[:-1], self.error[1:])

    @property
    def sure(self) -> NDArray[np.bool_]:
        """(T,) bool: Delta differs from 0 by more than two standard errors."""
        return np.abs(self.truth) > SURE * self.truth_error


Part = tuple[float, float]
"""Numerator and denominator of one trajectory; a ratio of sums over trajectories is the statistic."""

SURE = 2.0
"""Standard errors beyond which a difference counts as known."""
_ROWS = 512
"""Rows of a matrix of all pairs of steps that are in memory at once."""


def spearman_part(case: Case) -> Part:
    """Spearman's rho within the trajectory; the statistic is its mean where it is defined."""
    return _defined(spearman(case.opinion, case.truth))


def kendall_part(case: Case) -> Part:
    """Kendall's tau-b within the trajectory; the statistic is its mean where it is defined."""
    return _defined(kendall_tau_b(case.opinion, case.truth))


def pair_part(case: Case) -> Part:
    """Pairs of steps ordered as the truth has them, of those whose order is known; a tied opinion is half.

    Known: the two Delta differ by more than two standard errors of their difference. Neighbours share a
    value, which makes their difference noisier: Var = e_t^2 + 4 e_{t+1}^2 + e_{t+2}^2.
    """
    first, second = np.triu_indices(len(case.truth), k=1)
    variance = case.truth_error[first] ** 2 + case.truth_error[second] ** 2
    variance = variance + np.where(second == first + 1, 2 * case.error[second] ** 2, 0.0)
    gap = case.truth[second] - case.truth[first]
    known = np.abs(gap) > SURE * np.sqrt(variance)
    agreed = np.sign(gap) * np.sign(case.opinion[second] - case.opinion[first])
    return float(((1 + agreed[known]) / 2).sum()), float(known.sum())


def sign_part(case: Case) -> Part:
    """Steps whose sign is the truth's, of those whose sign is known; an opinion of 0 is half."""
    agreed = np.sign(case.opinion) * np.sign(case.truth)
    return float(((1 + agreed[case.sure]) / 2).sum()), float(case.sure.sum())


def harm_part(case: Case) -> Part:
    """Pairs of a harmful and another step of one trajectory in which the harmful one scores lower; ties half.

    Harmful: Delta is below 0 by more than two standard errors.
    """
    harmful = case.sure & (case.truth < 0)
    above = np.sign(case.opinion[~harmful][None, :] - case.opinion[harmful][:, None])
    return float(((1 + above) / 2).sum()), float(above.size)


def pivot_part(case: Case) -> Part:
    """Whether the decisive step is found: the highest of a success, the lowest of a failure.

    Only where its Delta is known to differ from 0; k opinions tied at the extreme hit with 1 / k.
    """
    direction = 1.0 if case.success else -1.0
    pivot = int(np.argmax(direction * case.truth))
    if not (case.sure[pivot] and direction * case.truth[pivot] > 0):
        return 0.0, 0.0
    scores = direction * case.opinion
    best = scores == scores.max()
    return float(best[pivot] / best.sum()), 1.0


def square_part(case: Case) -> Part:
    """Squared error after both sides are centred within the trajectory: the offset V(h_0) cancels."""
    gap = case.opinion - case.opinion.mean() - (case.truth - case.truth.mean())
    return float(gap @ gap), float(len(gap))


def sum_square_part(case: Case) -> Part:
    """Squared error of the predicted outcome."""
    return (case.predicted - case.outcome) ** 2, 1.0


def sum_bias_part(case: Case) -> Part:
    """Predicted outcome less R."""
    return case.predicted - case.outcome, 1.0


def last_part(case: Case) -> Part:
    """Share of the last step in all that was given, |c_T| / sum |c|; undefined where nothing was given."""
    total = float(np.abs(case.opinion).sum())
    return _defined(float(abs(case.opinion[-1])) / total if total else np.nan)


def ratio(
    cases: list[Case], weights: FloatArray, part: Callable[[Case], Part]
) -> tuple[FloatArray, list[Case]]:
    """A ratio of sums over trajectories, for every row of weights.

    Args:
        cases: trajectories with task numbers below G.
        weights: (B, G) how often each task is in each resample.
        part: numerator and denominator of one trajectory.

    Returns:
        (B,) the statistic, NaN where the denominator is 0; and the trajectories that have a part in it.
    """
    sums = np.zeros((weights.shape[1], 2))
    used = []
    for case in cases:
        found = part(case)
        sums[case.task] += found
        if found[1] > 0:
            used.append(case)
    above, below = (weights @ sums).T
    return _divided(above, below), used


def pooled_spearman(cases: list[Case], weights: FloatArray) -> FloatArray:
    """(B,) Spearman's rho of all steps thrown together, ranks taken anew in every resample.

    The centred mid-rank of a step is half the sum of the signs of its difference to all steps.
    """
    task = _tasks(cases)
    ranks = []
    for values in (_joined(cases, "opinion"), _joined(cases, "truth")):
        signs = _by_task(partial(_signs, values), task, weights.shape[1])
        ranks.append(signs @ weights.T)  # (n, B)
    times = weights[:, task].T  # (n, B)
    cross, one, other = (
        (times * left * right).sum(axis=0)
        for left, right in (ranks, (ranks[0], ranks[0]), (ranks[1], ranks[1]))
    )
    return _divided(cross, np.sqrt(one * other))


def pooled_kendall(cases: list[Case], weights: FloatArray) -> FloatArray:
    """(B,) Kendall's tau-b of all steps thrown together."""
    one, other = _joined(cases, "opinion"), _joined(cases, "truth")
    cross = _pairs(cases, weights, lambda rows: _signs(one, rows) * _signs(other, rows))
    first = _pairs(cases, weights, lambda rows: np.abs(_signs(one, rows)))
    second = _pairs(cases, weights, lambda rows: np.abs(_signs(other, rows)))
    return _divided(cross, np.sqrt(first * second))


def pooled_harm(cases: list[Case], weights: FloatArray) -> FloatArray:
    """(B,) as `harm_part`, with pairs of steps of any two trajectories."""
    opinion = _joined(cases, "opinion")
    harmful = np.concatenate([case.sure & (case.truth < 0) for case in cases])

    def pair(rows: slice) -> NDArray[np.bool_]:
        return harmful[rows, None] & ~harmful[None, :]

    above = _pairs(cases, weights, lambda rows: pair(rows) * (1 - _signs(opinion, rows)) / 2)
    return _divided(above, _pairs(cases, weights, pair))


def _defined(value: float) -> Part:
    return (0.0, 0.0) if np.isnan(value) else (value, 1.0)


def _divided(above: FloatArray, below: FloatArray) -> FloatArray:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def _joined(cases: list[Case], name: str) -> FloatArray:
    return np.concatenate([getattr(case, name) for case in cases])


def _tasks(cases: list[Case]) -> NDArray[np.intp]:
    """(n,) task number of every step."""
    return np.repeat([case.task for case in cases], [len(case.truth) for case in cases])


def _signs(values: FloatArray, rows: slice) -> NDArray[np.float32]:
    """(m, n) sign of the difference of each step in `rows` to every step."""
    return np.sign(values[rows, None] - values[None, :]).astype(np.float32)


def _by_task(matrix: Callable[[slice], NDArray], task: NDArray[np.intp], n_tasks: int) -> FloatArray:
    """(n, G) float64: an (n, n) matrix, made some rows at a time, with its columns summed within tasks."""
    member = (task[:, None] == np.arange(n_tasks)[None, :]).astype(np.float32)
    starts = range(0, len(task), _ROWS)
    parts = [matrix(slice(start, start + _ROWS)).astype(np.float32) @ member for start in starts]
    return np.concatenate(parts).astype(np.float64)


def _pairs(cases: list[Case], weights: FloatArray, matrix: Callable[[slice], NDArray]) -> FloatArray:
    """(B,) sum over all pairs of steps, each as often as both tasks are in the resample."""
    task, n_tasks = _tasks(cases), weights.shape[1]
    member = (np.arange(n_tasks)[:, None] == task[None, :]).astype(np.float64)
    blocks = member @ _by_task(matrix, task, n_tasks)  # (G, G)
    return ((weights @ blocks) * weights).sum(axis=1)

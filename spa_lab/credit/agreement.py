"""How well two lists of step scores agree, for many resamples of the tasks at once.

Every statistic is a function of task weights W (B, G): row b says how often each of G tasks occurs in
resample b. Sums over tasks, and over pairs of tasks, are computed once; a resample then costs a matrix
product. The same weights for all sources keep comparisons paired.

An undefined statistic (nothing to compare) is NaN.
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
    """One trajectory: the contributions of its T steps according to a source, and the truth."""

    task: int
    """Index of the task, 0 to G - 1."""
    contributions: FloatArray
    """(T,) c_t, outcome units."""
    truth: FloatArray
    """(T,) progress Delta, outcome units."""
    error: FloatArray
    """(T + 1,) standard errors of the values whose differences are Delta."""
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
        return np.abs(self.truth) > np.maximum(SURE * self.truth_error, TIED)


Part = tuple[float, float]
"""Numerator and denominator of one trajectory; a ratio of sums over trajectories is the statistic."""

SURE = 2.0
"""Standard errors from which on a difference counts as known."""
TIED = 1e-9
"""Outcome units: values of the truth that differ by less are the same."""
_ROWS_IN_MEMORY = 512
"""Rows of a matrix of all pairs of steps that are computed at a time."""


def without_rounding(numbers: FloatArray, scale: float) -> FloatArray:
    """The numbers in steps of `TIED` times a scale, so that what is equal but for rounding is the same float.

    Differences of shares k / N, and of exact values of a decided state, need not be the same float or 0.
    """
    step = TIED * scale
    return np.round(numbers / step) * step if step else numbers


def spearman_part(case: Case) -> Part:
    """Spearman's rho within the trajectory; the statistic is the mean over those where it is defined."""
    return _defined(spearman(case.contributions, case.truth))


def kendall_part(case: Case) -> Part:
    """Kendall's tau-b within the trajectory; the statistic is the mean over those where it is defined."""
    return _defined(kendall_tau_b(case.contributions, case.truth))


def pair_part(case: Case) -> Part:
    """Pairs of steps in the order of the truth, among those whose order is known; ties count 1/2.

    Known: the two Delta differ by more than two standard errors of their difference. Neighbouring steps share
    a value, which makes their difference noisier: Var = e_t^2 + 4 e_{t+1}^2 + e_{t+2}^2.
    """
    first, second = np.triu_indices(len(case.truth), k=1)
    variance = case.truth_error[first] ** 2 + case.truth_error[second] ** 2
    variance = variance + np.where(second == first + 1, 2 * case.error[second] ** 2, 0.0)
    gap = case.truth[second] - case.truth[first]
    known = np.abs(gap) > np.maximum(SURE * np.sqrt(variance), TIED)
    agreed = np.sign(gap) * np.sign(case.contributions[second] - case.contributions[first])
    return float(((1 + agreed[known]) / 2).sum()), float(known.sum())


def sign_part(case: Case) -> Part:
    """Steps with the sign of the truth, among those whose sign is known; a contribution of 0 counts 1/2."""
    agreed = np.sign(case.contributions) * np.sign(case.truth)
    return float(((1 + agreed[case.sure]) / 2).sum()), float(case.sure.sum())


def harm_part(case: Case) -> Part:
    """Pairs of a harmful and another step of a trajectory in which the harmful one scores lower; ties 1/2.

    Harmful: Delta is below 0 by more than two standard errors.
    """
    harmful = case.sure & (case.truth < 0)
    above = np.sign(case.contributions[~harmful][None, :] - case.contributions[harmful][:, None])
    return float(((1 + above) / 2).sum()), float(above.size)


def pivot_part(case: Case) -> Part:
    """Whether the pivotal step is found: the one of largest Delta in a success, of smallest in a failure.

    Only if its Delta is known to differ from 0. Steps whose Delta ties with it are pivotal, too; of the steps
    whose contributions tie at the extreme, the share counts that is pivotal.
    """
    direction = 1.0 if case.success else -1.0
    progress, scores = direction * case.truth, direction * case.contributions
    pivot = int(np.argmax(progress))
    if not (case.sure[pivot] and progress[pivot] > 0):
        return 0.0, 0.0
    pivotal, best = np.isclose(progress, progress[pivot], rtol=0.0, atol=TIED), scores == scores.max()
    return float((best & pivotal).sum() / best.sum()), 1.0


def square_part(case: Case) -> Part:
    """Squared error after both sides are centred within the trajectory: the offset V(h_0) cancels."""
    gap = case.contributions - case.contributions.mean() - (case.truth - case.truth.mean())
    return float(gap @ gap), float(len(gap))


def sum_square_part(case: Case) -> Part:
    """Squared error of the predicted outcome."""
    return (case.predicted - case.outcome) ** 2, 1.0


def sum_bias_part(case: Case) -> Part:
    """Predicted outcome minus R."""
    return case.predicted - case.outcome, 1.0


def last_part(case: Case) -> Part:
    """Share of the last step, |c_T| / sum |c|; undefined if all contributions are 0."""
    total = float(np.abs(case.contributions).sum())
    return _defined(float(abs(case.contributions[-1])) / total if total else np.nan)


def ratio(
    cases: list[Case], weights: FloatArray, part: Callable[[Case], Part]
) -> tuple[FloatArray, list[Case]]:
    """A ratio of sums over trajectories, for every row of weights.

    Args:
        cases: trajectories with task numbers below G.
        weights: (B, G) how often each task is in each resample.
        part: numerator and denominator of one trajectory.

    Returns:
        (B,) the statistic, NaN where the denominator is 0; and the trajectories that contribute to it.
    """
    sums = np.zeros((weights.shape[1], 2))
    used = []
    for case in cases:
        numerator, denominator = part(case)
        sums[case.task] += numerator, denominator
        if denominator > 0:
            used.append(case)
    numerators, denominators = (weights @ sums).T  # (B,) each
    return _divided(numerators, denominators), used


def pooled_spearman(cases: list[Case], weights: FloatArray) -> FloatArray:
    """(B,) Spearman's rho of all steps pooled, with the ranks of each resample.

    The centred mid-rank of a step is half the sum of the signs of its differences to all steps.
    """
    task = _tasks(cases)
    ranks = []
    for values in (_joined(cases, "contributions"), _joined(cases, "truth")):
        signs = _by_task(partial(_signs, values), task, weights.shape[1])
        ranks.append(signs @ weights.T)  # (n, B)
    times = weights[:, task].T  # (n, B)
    cross, first, second = (
        (times * left * right).sum(axis=0)
        for left, right in (ranks, (ranks[0], ranks[0]), (ranks[1], ranks[1]))
    )
    return _divided(cross, np.sqrt(first * second))


def pooled_kendall(cases: list[Case], weights: FloatArray) -> FloatArray:
    """(B,) Kendall's tau-b of all steps pooled."""
    credit, truth = _joined(cases, "contributions"), _joined(cases, "truth")
    cross = _pairs(cases, weights, lambda rows: _signs(credit, rows) * _signs(truth, rows))
    first = _pairs(cases, weights, lambda rows: np.abs(_signs(credit, rows)))
    second = _pairs(cases, weights, lambda rows: np.abs(_signs(truth, rows)))
    return _divided(cross, np.sqrt(first * second))


def pooled_harm(cases: list[Case], weights: FloatArray) -> FloatArray:
    """(B,) as `harm_part`, with pairs of steps of any two trajectories."""
    credit = _joined(cases, "contributions")
    harmful = np.concatenate([case.sure & (case.truth < 0) for case in cases])

    def pair(rows: slice) -> NDArray[np.bool_]:
        return harmful[rows, None] & ~harmful[None, :]

    above = _pairs(cases, weights, lambda rows: pair(rows) * (1 - _signs(credit, rows)) / 2)
    return _divided(above, _pairs(cases, weights, pair))


def _defined(value: float) -> Part:
    return (0.0, 0.0) if np.isnan(value) else (value, 1.0)


def _divided(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    """NaN where the denominator is 0."""
    undefined = np.full(len(numerators), np.nan)
    return np.divide(numerators, denominators, out=undefined, where=denominators > 0)


def _joined(cases: list[Case], name: str) -> FloatArray:
    return np.concatenate([getattr(case, name) for case in cases])


def _tasks(cases: list[Case]) -> NDArray[np.intp]:
    """(n,) task index of every step."""
    return np.repeat([case.task for case in cases], [len(case.truth) for case in cases])


def _signs(values: FloatArray, rows: slice) -> NDArray[np.float32]:
    """(m, n) sign of the difference of each step in `rows` to every step."""
    return np.sign(values[rows, None] - values[None, :]).astype(np.float32)


def _by_task(matrix: Callable[[slice], NDArray], task: NDArray[np.intp], n_tasks: int) -> FloatArray:
    """(n, G) float64: an (n, n) matrix, computed in blocks of rows, with its columns summed within tasks."""
    member = (task[:, None] == np.arange(n_tasks)[None, :]).astype(np.float32)
    starts = range(0, len(task), _ROWS_IN_MEMORY)
    parts = [matrix(slice(start, start + _ROWS_IN_MEMORY)).astype(np.float32) @ member for start in starts]
    return np.concatenate(parts).astype(np.float64)


def _pairs(cases: list[Case], weights: FloatArray, matrix: Callable[[slice], NDArray]) -> FloatArray:
    """(B,) sum over all pairs of steps, each counted as often as both tasks occur in the resample."""
    task, n_tasks = _tasks(cases), weights.shape[1]
    member = (np.arange(n_tasks)[:, None] == task[None, :]).astype(np.float64)
    blocks = member @ _by_task(matrix, task, n_tasks)  # (G, G)
    return ((weights @ blocks) * weights).sum(axis=1)

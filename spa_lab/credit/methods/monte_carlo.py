"""Credit from continuations: the policy continues from each step, and the outcomes are averaged.

In a world that is deterministic given the task, Q(h_t, a_t) = V(h_{t+1}): the value of a step is the value
of the history that it leads to.
"""

from collections.abc import Callable, Sequence

import numpy as np

from spa_lab.credit.methods.base import CreditMethod
from spa_lab.types import Credit, Trajectory, ValueTruth

Branch = Callable[[Sequence[Trajectory]], Sequence[ValueTruth]]
"""N trajectories -> V(h_0), ..., V(h_T) of each by a fixed number of continuations, in order."""


def monte_carlo_difference(branch: Branch, *, branches: int) -> CreditMethod:
    """Progress by continuations; sums to R exactly.

    c_t = V(h_{t+1}) - V(h_t), base value V(h_0)                              VinePPO, arXiv:2410.01679

    Args:
        branch: plays `branches` continuations from each history.
        branches: continuations at each step.
    """
    origin = "VinePPO, arXiv:2410.01679"
    return _from_values(f"mc_difference_{branches}", origin, branch, branches, difference)


def ipr(branch: Branch, *, branches: int = 5) -> CreditMethod:
    """The mean outcome after each step.

    c_t = V(h_{t+1}), R at the last step        IPR, arXiv:2406.11176; Math-Shepherd's soft label

    A value, not an increment: the sum over T steps counts V about T times.

    Args:
        branch: plays `branches` continuations from each history.
        branches: continuations at each step. IPR: 5; Math-Shepherd: 8.
    """
    origin = "IPR, arXiv:2406.11176; Math-Shepherd (soft), arXiv:2312.08935"
    return _from_values(f"ipr_{branches}", origin, branch, branches, value)


def math_shepherd(branch: Branch, *, branches: int = 8) -> CreditMethod:
    """Whether any continuation after each step gains anything.

    c_t = 1 if V(h_{t+1}) > 0, else 0           Math-Shepherd's hard label, arXiv:2312.08935

    Args:
        branch: plays `branches` continuations from each history.
        branches: continuations at each step. Math-Shepherd: 8.
    """
    origin = "Math-Shepherd (hard), arXiv:2312.08935"
    return _from_values(f"math_shepherd_{branches}", origin, branch, branches, possible)


def difference(truth: ValueTruth, source: str) -> Credit:
    """Progress as a credit; errors of neighbouring values are treated as independent."""
    error = np.hypot(truth.standard_error[:-1], truth.standard_error[1:])
    return Credit(truth.trajectory_id, source, truth.progress, truth.offset, error)


def value(truth: ValueTruth, source: str) -> Credit:
    """The value after each step, (T,)."""
    return Credit(truth.trajectory_id, source, truth.values[1:], 0.0, truth.standard_error[1:])


def possible(truth: ValueTruth, source: str) -> Credit:
    """1 where the value after the step is above 0."""
    return Credit(truth.trajectory_id, source, (truth.values[1:] > 0).astype(np.float64))


def _from_values(
    source: str, origin: str, branch: Branch, branches: int, formula: Callable[[ValueTruth, str], Credit]
) -> CreditMethod:
    if branches < 1:
        raise ValueError(f"{source}: needs at least 1 branch, got {branches}")

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        return [formula(truth, source) for truth in branch(trajectories)]

    return CreditMethod(source, origin, assign, branches=branches)

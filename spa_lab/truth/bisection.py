"""Values at a few steps of a trajectory, found by bisection: where the value changes, not everywhere.

V(h_0) is measured, V(h_T) = R is known. The interval of steps over which the value changes most is halved,
and the value at its middle measured, until nothing changes by `LEAST` or `MOST` values are known. Most steps
of a long episode change nothing, so this takes a few values instead of T.

OmegaPRM (arXiv:2406.06592) halves a solution to find its first error. Departs from it: every change is
looked for, gains as well as losses, in successes as well as in failures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from spa_lab.types import ValueTruth

MOST = 7
"""Values of one trajectory, V(h_0) included."""
LEAST = 0.1
"""Outcome units: over an interval that changes less, no step is looked for."""


@dataclass(frozen=True)
class ValuesAtSteps:
    """Measured values at some steps of one trajectory, and R at its end."""

    trajectory_id: str
    values: Mapping[int, float]
    """t -> V(h_t), in the order of t; T is always there, and 0 once something was measured."""
    branches: int
    """Continuations behind each of them but the last."""

    @property
    def rollouts(self) -> int:
        """Continuations that were played."""
        return self.branches * (len(self.values) - 1)

    def with_value(self, step: int, value: float) -> "ValuesAtSteps":
        """With one value more."""
        return replace(self, values=dict(sorted({**self.values, step: value}.items())))


def next_step(values: Mapping[int, float], *, least: float = LEAST) -> int | None:
    """The step to measure next: the middle of the interval over which the value changes most.

    Args:
        values: t -> V(h_t) of at least two steps.
        least: smallest change that is looked into, outcome units.

    Returns:
        A step between two of `values`; of equal changes that in the longest, then the first interval. None
        if no interval of more than one step changes by `least`.
    """
    intervals = [  # differences of equal shares need not be the same float
        (round(abs(values[after] - values[before]), 9), after - before, -before)
        for before, after in pairwise(sorted(values))
        if after - before > 1
    ]
    change, length, before = max(intervals, default=(0.0, 0, 0))
    return length // 2 - before if intervals and change >= least else None


def bisected_truth(truth: ValueTruth, *, most: int = MOST) -> ValuesAtSteps:
    """What bisection would have measured, read from values that were measured at all steps.

    Args:
        truth: V(h_0), ..., V(h_T).
        most: values, V(h_0) included, >= 1.
    """
    last = len(truth.values) - 1
    known = ValuesAtSteps(truth.trajectory_id, {last: float(truth.values[last])}, truth.branches)
    step: int | None = 0
    while step is not None and len(known.values) <= most:
        known = known.with_value(step, float(truth.values[step]))
        step = next_step(known.values)
    return known

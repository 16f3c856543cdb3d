"""Credit from values at a few steps; a change between two of them is divided evenly, or as a source says."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.types import Credit, FloatArray, Trajectory

MeasuredSteps = Mapping[int, float]
"""t -> V(h_t) at some steps of a trajectory; 0 and T are among them, V(h_T) = R."""
Measure = Callable[[Sequence[Trajectory]], Sequence[MeasuredSteps]]
"""N trajectories -> the measured values of each, in order; asked twice, it gives the same again."""


def divided(values: MeasuredSteps, shares: FloatArray) -> FloatArray:
    """Contributions whose sums between measured steps are the measured changes.

    c_t = s_t + (V(h_b) - V(h_a) - sum of s over a..b-1) / (b - a)   for a <= t < b, neighbours in `values`

    Args:
        values: of a trajectory of T steps.
        shares: (T,) float64, outcome units: s_t, what is known of each step without a measurement; zeros
            divide each change evenly.

    Returns:
        (T,) float64, outcome units; they sum to R - V(h_0).

    Raises:
        ValueError: the first and last of `values` are not 0 and T.
    """
    steps = sorted(values)
    if steps[0] != 0 or steps[-1] != len(shares):
        raise ValueError(f"values from step {steps[0]} to {steps[-1]}, expected 0 to {len(shares)}")
    contributions = np.array(shares, dtype=np.float64)
    for before, after in pairwise(steps):
        missing = values[after] - values[before] - contributions[before:after].sum()
        contributions[before:after] += missing / (after - before)
    return contributions


def bisection(
    measure: Measure, *, branches: int, within: CreditMethod | None = None, source: str | None = None
) -> CreditMethod:
    """Progress between steps that were measured; sums to R exactly, with V(h_0) as base value.

    No standard errors: those of the values are known, but not how wrong the division of a change is.

    Args:
        measure: values by `branches` continuations each, such as those of `truth.bisected`.
        branches: continuations behind each value.
        within: gives the contributions that divide each change; None: evenly.
        source: name of the credit; "mc_bisection_" and `branches` if None.
    """
    name = source or f"mc_bisection_{branches}"

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        if within is None:
            shares = [np.zeros(len(trajectory)) for trajectory in trajectories]
        else:
            shares = [credit.contributions for credit in within(trajectories)]
        return [
            Credit(trajectory.id, name, divided(values, share), values[0])
            for trajectory, values, share in zip(trajectories, measure(trajectories), shares, strict=True)
        ]

    def played(trajectories: Sequence[Trajectory]) -> int:
        return branches * sum(len(values) - 1 for values in measure(trajectories))

    fitting = within.fitting if within else Cost()
    return CreditMethod(name, "ours, after OmegaPRM, arXiv:2406.06592", assign, fitting, played=played)

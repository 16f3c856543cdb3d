"""Several comparisons at once."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values adjusted for their number by Holm's step-down rule (Holm 1979).

    If every comparison whose adjusted value is at most 0.05 is called a difference, the probability that at
    least one of these calls is wrong is at most 5 %, however the comparisons depend on each other. The k-th
    smallest of m values is multiplied by m - k + 1, and none may be smaller than one before it.

    Args:
        p_values: m values in [0, 1]; NaN is not counted and stays NaN.

    Returns:
        In the order given, each in [0, 1].

    Raises:
        ValueError: a value outside [0, 1].
    """
    given = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(given))
    outside = [float(given[i]) for i in known if not 0 <= given[i] <= 1]
    if outside:
        raise ValueError(f"p values must lie in [0, 1], got {outside[0]}")
    adjusted, largest = given.copy(), 0.0
    for rank, i in enumerate(known[np.argsort(given[known], kind="stable")]):
        largest = max(largest, min(1.0, float(given[i]) * (len(known) - rank)))
        adjusted[i] = largest
    return [float(value) for value in adjusted]

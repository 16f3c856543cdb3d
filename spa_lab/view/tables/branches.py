"""Values of steps by continuations: each with its interval, and how the interval shrinks as they come in."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spa_lab.stats import wilson


def value_interval(outcomes: Sequence[float]) -> tuple[float, float, float]:
    """Mean of outcomes in [0, 1] with a 95 % interval: (low, mean, high), outcome units.

    Wilson's where all are 0 or 1, else mean +- 1.96 s.e., clipped to [0, 1].

    Raises:
        ValueError: there is no outcome, or one is outside [0, 1].
    """
    values = np.asarray(outcomes, dtype=np.float64)
    if values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"needs outcomes in [0, 1], at least one, got {values[:5].tolist()} of {values.size}"
        )
    if np.isin(values, (0.0, 1.0)).all():
        rate = wilson(int(values.sum()), values.size)
        return rate.low, rate.point, rate.high
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else 1.0
    return max(mean - half, 0.0), mean, min(mean + half, 1.0)


def interval_table(outcomes: Mapping[str, Sequence[float]], chunk: int) -> pd.DataFrame:
    """One row per prefix and number of continuations: prefix, n, value, low, high (outcome units).

    Args:
        outcomes: name of a prefix -> outcomes of its continuations in the order in which they were played.
        chunk: continuations between two rows, >= 1.
    """
    rows = []
    for name, values in outcomes.items():
        for n in [*range(chunk, len(values), chunk), *([len(values)] if len(values) else [])]:
            low, mean, high = value_interval(values[:n])
            rows.append({"prefix": name, "n": n, "value": mean, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["prefix", "n", "value", "low", "high"])

"""Values of steps by continuations: each with its interval, and how the interval shrinks as they come in."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spa_lab.stats import wilson


def value_interval(outcomes: Sequence[float]) -> tuple[float, float, float]:
    """Mean of outcomes in [0, 1] with a 95 % interval: (low, mean, high), outcome units.

    Wilson's where all are 0 or 1, else mean +- 1.96 s.e., clipped to [0, 1]. The error is that of
    `truth.BranchOutcomes`, of the outcomes with one pseudo-outcome 0 and one pseudo-outcome 1 added: two
    equal outcomes have no spread, but leave no certainty either.

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
    half = 1.96 * float(np.append(values, (0.0, 1.0)).std()) / math.sqrt(values.size)
    return max(mean - half, 0.0), mean, min(mean + half, 1.0)


def difference_interval(
    value: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Difference of two independent values with a 95 % interval: (low, value - other, high), outcome units.

    Newcombe's hybrid of the intervals of both (1998, method 10; Zou and Donner 2008 for other statistics).

    Args:
        value: low, mean and high, as `value_interval` gives them; three times the same if it is known.
        other: the same of what is subtracted.
    """
    (low, mean, high), (other_low, other_mean, other_high) = value, other
    difference = mean - other_mean
    return (
        difference - math.hypot(mean - low, other_high - other_mean),
        difference,
        difference + math.hypot(high - mean, other_mean - other_low),
    )


def values_table(outcomes: Mapping[str, Sequence[float]], known: Mapping[str, float]) -> pd.DataFrame:
    """One row per prefix, in the order given; the differences are to the first.

    Columns:
        prefix: str.
        n: int64, continuations; 0 where the value is known.
        value, low, high: float64, outcome units, with a 95 % interval.
        difference, difference_low, difference_high: float64, outcome units; NaN in the first row.

    Args:
        outcomes: name of a prefix -> outcomes of its continuations, at least one each.
        known: name of a prefix -> its value, where nothing is left to be played.
    """
    rows: list[dict[str, object]] = []
    first: tuple[float, float, float] | None = None
    for name in [*outcomes, *known]:
        value = (known[name],) * 3 if name in known else value_interval(outcomes[name])
        change = (math.nan,) * 3 if first is None else difference_interval(value, first)
        first = first or value
        row: dict[str, object] = {"prefix": name, "n": len(outcomes.get(name, ()))}
        row |= dict(zip(("low", "value", "high"), value, strict=True))
        row |= dict(zip(("difference_low", "difference", "difference_high"), change, strict=True))
        rows.append(row)
    columns = ["prefix", "n", "value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=columns)


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

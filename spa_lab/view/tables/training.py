"""Training metrics of several stages and seeds as one table, averaged over neighbouring updates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

MAX_POINTS = 60
"""Points of one curve in print; neighbouring updates beyond that are averaged."""

Rows = Sequence[Mapping[str, Any]]
_COLUMNS = ("metric", "stage", "update", "value", "low", "high", "n_seeds")


def training_table(
    stages: Mapping[str, Mapping[int, Rows]], metrics: Sequence[str], *, max_points: int = MAX_POINTS
) -> pd.DataFrame:
    """Metrics over the updates, averaged over neighbouring updates and over seeds.

    Columns:
        metric, stage: str, in the order given.
        update: float64, index of the update, from 0; the centre of the averaged ones.
        value: float64, mean over the seeds, in the metric's unit.
        low, high: float64, the smallest and largest seed.
        n_seeds: int64.

    Args:
        stages: stage -> seed -> one row of metrics per update, as in `Run.curves`. Where seeds have different
            numbers of updates, the curve ends with the shortest.
        metrics: names of columns; a stage that never recorded one has no rows of it.
        max_points: points of one curve, >= 1.

    Raises:
        ValueError: a seed has no row at all.
    """
    rows = []
    for metric in metrics:
        for stage, runs in stages.items():
            if any(is_number(row.get(metric)) for seed in runs.values() for row in seed):
                rows += _averaged(metric, stage, runs, max_points)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def is_number(value: Any) -> bool:
    """True for a finite int or float; False for bool, None, NaN and text."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _averaged(metric: str, stage: str, runs: Mapping[int, Rows], max_points: int) -> list[dict[str, Any]]:
    """Rows of one curve; a block of updates in which some seed has no value is left out."""
    n_updates = min(len(rows) for rows in runs.values())
    if not n_updates:
        raise ValueError(f"training curves: {stage!r} has a seed without rows")
    values = np.array(
        [
            [row[metric] if is_number(row.get(metric)) else math.nan for row in rows[:n_updates]]
            for rows in runs.values()
        ],
        dtype=np.float64,
    )  # (seeds, updates)
    width = math.ceil(n_updates / max_points)
    result = []
    for start in range(0, n_updates, width):
        block = values[:, start : start + width]
        known = ~np.isnan(block)
        if known.any(axis=1).all():
            means = np.where(known, block, 0.0).sum(axis=1) / known.sum(axis=1)  # (seeds,)
            centre = start + (block.shape[1] - 1) / 2
            row = {"metric": metric, "stage": stage, "update": centre, "value": means.mean()}
            result.append(row | {"low": means.min(), "high": means.max(), "n_seeds": len(runs)})
    return result

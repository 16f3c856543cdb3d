"""Means over steps or episodes with intervals over tasks, for any grouping of a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.stats.task_weights import percentile_bounds, task_weights

RESAMPLES = 1000
MEAN = ("value", "low", "high", "n", "n_tasks")
"""Columns of a mean."""


def task_means(
    frame: pd.DataFrame,
    by: Sequence[str],
    value: str,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """The mean of a column in every group, with a percentile bootstrap interval over tasks.

    Tasks are resampled with all their rows, since steps of one task depend on each other; the resamples are
    the same for all groups. Rows without a value are left out.

    Columns:
        those of `by`, in the order in which the groups appear.
        value, low, high: float64, in the unit of the column; no interval (NaN) of a group with fewer than
            `LEAST_TASKS` tasks.
        n: int64, rows.
        n_tasks: int64.

    Args:
        frame: with the columns `task_id`, `value` and those of `by`.
        by: columns that make the groups, at least one.
        value: the column to average.
        rng: draws the resamples.
        level: confidence, in (0, 1).
        resamples: number of bootstrap samples.
    """
    known = frame[frame[value].notna()]
    tasks = pd.Index(known["task_id"].unique())
    rows = []
    weights = task_weights(max(len(tasks), 1), resamples, rng)
    for key, group in known.groupby(list(by), sort=False, observed=True):
        per_task = group.groupby("task_id")[value].agg(["sum", "count"])
        places = tasks.get_indexer(per_task.index)
        sums, counts = (per_task[name].to_numpy(dtype=np.float64) for name in ("sum", "count"))
        drawn = weights[:, places]
        with np.errstate(invalid="ignore"):  # a resample without any of these tasks is NaN, and left out
            means = (drawn @ sums) / (drawn @ counts)
        low, high = percentile_bounds(means, level, len(per_task))
        rows.append((*key, float(means[0]), low, high, len(group), len(per_task)))
    return pd.DataFrame(rows, columns=[*by, *MEAN])

"""Training metrics of several stages and seeds as one table, averaged over neighbouring updates."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

MAX_POINTS = 60
"""Points of one curve in print; neighbouring updates beyond that are averaged."""

MAIN = ("success", "reward", "length", "kl", "loss", "accuracy", "share_on_last_step")
"""Metrics that are shown first; of those, at most `MOST_MAIN` that a stage has."""
MOST_MAIN = 4
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "clone/loss": "loss, nats per token",
        "clone/accuracy": "accuracy, share of tokens",
        "estimate/loss": "loss, squared outcome",
        "estimate/bias": "predicted minus true outcome",
        "share_on_last_step": "share of |c| on the last step",
        "success": "success, share of episodes",
        "outcome": "mean outcome R",
        "grounding": "grounded, share of steps",
        "length": "length, steps",
        "reward": "reward paid per episode",
        "kl": "KL to the clone, nats per token",
        "approx_kl": "KL of the update, nats per token",
        "clip_fraction": "clipped, share of tokens",
        "policy": "loss of the policy",
        "value": "loss of the value head",
        "credit_error": "error of the credit's sum",
        "credit_missed": "credit misses R, share of episodes",
        "paid_beyond": "paid beyond explorations, share",
        "paid_repeats": "paid repetitions, share of steps",
    }
)
"""Metric, or stage and metric where stages differ, -> what it is, with its unit."""

_ONLY_WITH = ("value",)
"""Losses of parts that a method may do without: exactly 0 in every update means that it does."""

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
        metrics: names of columns; a stage that never recorded one has no rows of it, nor
            one without a critic of the critic's loss.
        max_points: points of one curve, >= 1.

    Raises:
        ValueError: a seed has no row at all.
    """
    rows = []
    for metric in metrics:
        for stage, runs in stages.items():
            if _is_there(metric, runs):
                rows += _averaged(metric, stage, runs, max_points)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _is_there(metric: str, runs: Mapping[int, Rows]) -> bool:
    """Whether a stage has a metric, and a part that it is of."""
    recorded = [row[metric] for rows in runs.values() for row in rows if is_number(row.get(metric))]
    return any(recorded) if metric in _ONLY_WITH else bool(recorded)


def metric_title(metric: str, stages: Sequence[str]) -> str:
    """What a metric is, in words and with its unit where all `stages` that are shown together agree on it."""
    own = {_TITLES.get(f"{stage}/{metric}", _TITLES.get(metric)) for stage in stages}
    title = own.pop() if len(own) == 1 else None
    return title or metric.replace("_", " ")


def main_metrics(metrics: Sequence[str]) -> list[str]:
    """The few that tell how training goes; all of them if none of `MAIN` is there."""
    return [metric for metric in MAIN if metric in metrics][:MOST_MAIN] or list(metrics)


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

"""Reliability of predicted outcomes: what became of episodes that were predicted to end alike."""

import numpy as np
import pandas as pd

from spa_lab.rewards import EXACT, predicts_outcome
from spa_lab.stats import wilson
from spa_lab.view.tables.task_means import task_means

BINS = 10
"""Of equal width, over the range of the predictions."""


def reliability_table(steps: pd.DataFrame, *, rng: np.random.Generator, bins: int = BINS) -> pd.DataFrame:
    """Mean outcome of the episodes by their predicted outcome, base value plus all contributions.

    Columns:
        source: str; sources that sum to R by construction, or predict none, are left out.
        left, right: float64, outcome units: edges of the bin; empty bins are left out.
        predicted: float64, mean predicted outcome.
        value, low, high: float64, mean outcome R with its 95 % interval over tasks; Wilson's with the tasks
            as trials where all outcomes of the bin are 0 or all are 1.
        n, n_tasks: int64, episodes and tasks.

    Args:
        steps: of `credited_steps.credited_steps`.
        rng: draws the resamples.
        bins: number of bins.
    """
    episodes = steps.drop_duplicates(["source", "trajectory_id"])
    episodes = episodes[episodes["outcome"].notna()]
    tables = []
    for source, rows in episodes.groupby("source", sort=False):
        if not predicts_outcome(str(source)) or (rows["predicted"] - rows["outcome"]).abs().max() < EXACT:
            continue
        low, high = min(0.0, rows["predicted"].min()), max(1.0, rows["predicted"].max())
        edges = np.linspace(low, high, bins + 1)
        place = np.clip(np.searchsorted(edges, rows["predicted"], side="right") - 1, 0, bins - 1)
        rows = rows.assign(place=place)
        made = task_means(rows.sort_values("place", kind="stable"), ["place"], "outcome", rng=rng)
        made = made.assign(
            source=source, left=edges[made["place"]], right=edges[made["place"] + 1],
            predicted=rows.groupby("place")["predicted"].mean().loc[made["place"]].to_numpy(),
        )  # fmt: skip
        # outcomes that are all alike have no spread to resample
        for row in made.index[made["value"].isin((0.0, 1.0))]:
            n_tasks = int(made.at[row, "n_tasks"])
            interval = wilson(int(made.at[row, "value"]) * n_tasks, n_tasks)
            made.loc[row, ["low", "high"]] = [interval.low, interval.high]
        tables.append(made)
    columns = ["source", "left", "right", "predicted", "value", "low", "high", "n", "n_tasks"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)

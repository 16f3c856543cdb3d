"""Credit by kind of step: the verb of the action, or that the world refused it."""

import numpy as np
import pandas as pd

from spa_lab.view.tables.positions import TRUTH
from spa_lab.view.tables.task_means import MEAN, task_means

MOST = 8
"""Kinds that are shown; rarer ones are taken together."""
OTHER = "other"


def kind_table(steps: pd.DataFrame, *, rng: np.random.Generator, most: int = MOST) -> pd.DataFrame:
    """Mean contribution of the steps of every kind.

    Columns:
        kind: str, the most frequent first; "other" for those beyond the first `most` - 1.
        source: str; "truth" for the measured progress, where there is any.
        value, low, high, n, n_tasks: as `task_means.task_means`, outcome units; n counts steps.
        first_decile, last_decile: float64, outcome units: between them lie 80 % of the steps.

    Args:
        steps: of `credited_steps.credited_steps`.
        rng: draws the resamples.
        most: kinds that are told apart, >= 2.
    """
    counts = steps.drop_duplicates(["trajectory_id", "step"])["kind"].value_counts()
    frequent = list(counts.index[: most if len(counts) <= most else most - 1])
    kinds = steps["kind"].where(steps["kind"].isin(frequent), OTHER)
    rows = steps[["task_id", "source"]].assign(kind=kinds, value=steps["contribution"])
    measured = steps[steps["progress"].notna()].drop_duplicates(["trajectory_id", "step"])
    truth = rows.loc[measured.index].assign(source=TRUTH, value=measured["progress"])
    rows = pd.concat([rows, truth])
    made = task_means(rows, ["kind", "source"], "value", rng=rng)
    spread = rows.groupby(["kind", "source"])["value"].quantile([0.1, 0.9]).unstack()
    spread.columns = pd.Index(["first_decile", "last_decile"])
    order = {kind: i for i, kind in enumerate([*frequent, OTHER])}
    table = made.merge(spread, left_on=["kind", "source"], right_index=True)
    return table.sort_values("kind", key=lambda names: names.map(order), kind="stable").reset_index(
        drop=True
    )[["kind", "source", *MEAN, "first_decile", "last_decile"]]

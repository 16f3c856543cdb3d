"""Contributions beside the measured progress of the same steps, and how well their order agrees."""

import numpy as np
import pandas as pd

from spa_lab.stats import spearman
from spa_lab.view.tables.scoreboard import SECOND
from spa_lab.view.tables.task_means import MEAN, task_means


def truth_pairs(steps: pd.DataFrame) -> pd.DataFrame:
    """One row per source and measured step.

    Columns:
        trajectory_id, task_id, verdict, source, step: as in `credited_steps.credited_steps`; where the truth
            was measured twice, "second measurement" is a source as well, the last one.
        progress: float64, outcome units, measured.
        contribution: float64, outcome units, of the source, or measured a second time.

    Args:
        steps: of `credited_steps.credited_steps`.
    """
    columns = ["trajectory_id", "task_id", "verdict", "source", "step", "progress", "contribution"]
    measured = steps[steps["progress"].notna()]
    twice = measured[measured["again"].notna()].drop_duplicates(["trajectory_id", "step"])
    second = twice.assign(source=SECOND, contribution=twice["again"])
    return pd.concat([measured, second], ignore_index=True)[columns]


def agreement_table(pairs: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Rank correlation of every source with the measured progress within an episode, mean over the episodes.

    Columns:
        source: str.
        value, low, high: float64, mean of Spearman's correlation with its interval over tasks.
        n, n_tasks: int64, episodes in which it is defined, and tasks.

    Args:
        pairs: of `truth_pairs`.
        rng: draws the resamples.
    """
    rows = [
        {"source": source, "task_id": task, "rho": spearman(group["contribution"], group["progress"])}
        for (source, _, task), group in pairs.groupby(["source", "trajectory_id", "task_id"], sort=False)
    ]
    frame = pd.DataFrame(rows, columns=["source", "task_id", "rho"])
    made = task_means(frame, ["source"], "rho", rng=rng).set_index("source")
    return made.reindex(list(pairs["source"].unique())).reset_index()[["source", *MEAN]]

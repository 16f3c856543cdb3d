"""Mean credit by the position of the step: from the start, and relative to the length of the episode."""

import numpy as np
import pandas as pd

from spa_lab.view.tables.task_means import MEAN, task_means

BINS = 10
"""Of the relative position."""
LEAST = 3
"""Episodes of a position that is shown."""
TRUTH = "truth"
"""Source of the rows of the measured progress."""


def position_table(steps: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean contribution by position, for successes and failures apart.

    Columns:
        by: "absolute" or "relative".
        source: str; "truth" for the measured progress, where there is any.
        verdict: str.
        position: float64; absolute: the step, from 0; relative: centre of a tenth of the episode, in [0, 1].
        value, low, high, n, n_tasks: as `task_means.task_means`, outcome units; n counts steps.

    Positions with fewer than `LEAST` episodes are left out.

    Args:
        steps: of `credited_steps.credited_steps`.
        rng: draws the resamples.
    """
    last = (steps["n_steps"] - 1).clip(lower=1)
    tenth = np.minimum((steps["step"] / last * BINS).astype(int), BINS - 1)
    places = {"absolute": steps["step"].astype(float), "relative": (tenth + 0.5) / BINS}
    long = [steps[["trajectory_id", "task_id", "source", "verdict"]].assign(value=steps["contribution"])]
    measured = steps[steps["progress"].notna()].drop_duplicates(["trajectory_id", "step"])
    long.append(
        measured[["trajectory_id", "task_id", "verdict"]].assign(source=TRUTH, value=measured["progress"])
    )
    tables = []
    for by, position in places.items():
        rows = pd.concat([part.assign(position=position.loc[part.index]) for part in long])
        groups = ["source", "verdict", "position"]
        episodes = rows.groupby(groups)["trajectory_id"].transform("nunique")
        made = task_means(rows[episodes >= LEAST], groups, "value", rng=rng)
        tables.append(made.assign(by=by).sort_values(groups[2:], kind="stable"))
    columns = ["by", "source", "verdict", "position", *MEAN]
    return pd.concat(tables, ignore_index=True)[columns]

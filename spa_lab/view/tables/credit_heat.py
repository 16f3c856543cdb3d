"""Credit of many episodes as a picture: a row an episode, a column a step."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from spa_lab.types import FloatArray
from spa_lab.view.tables.credited_steps import verdicts_of

Align = Literal["start", "end"]
MOST = 40
"""Episodes of each verdict that are shown."""


class Heat(NamedTuple):
    """Episodes as rows, in the order in which they are drawn."""

    episodes: pd.DataFrame
    """(N,) `trajectory_id`, `verdict`, `n_steps`: by verdict, success first, then by length."""
    values: FloatArray
    """(N, longest) contributions, outcome units; NaN where the episode has no step."""
    total: dict[str, int]
    """Verdict -> episodes before `MOST` of them were chosen."""


def credit_heat(steps: pd.DataFrame, source: str, align: Align = "start", *, most: int = MOST) -> Heat:
    """Contributions of one source, aligned at the first or at the last step.

    Of more than `most` episodes of a verdict, as many are shown, evenly spaced by length.

    Args:
        steps: of `credited_steps.credited_steps`.
        source: one of its sources.
        align: "start": column t is step t; "end": the last column is the last step.
        most: episodes of each verdict.

    Raises:
        ValueError: no episode has credit of that source.
    """
    rows = steps[steps["source"] == source]
    if rows.empty:
        raise ValueError(f"heat map: no episode has credit of {source!r}")
    every = rows.drop_duplicates("trajectory_id")[["trajectory_id", "verdict", "n_steps"]]
    chosen, total = [], {}
    for verdict in verdicts_of(rows):
        of_verdict = every[every["verdict"] == verdict].sort_values("n_steps", kind="stable")
        total[verdict] = len(of_verdict)
        places = np.linspace(0, len(of_verdict) - 1, min(most, len(of_verdict))).round().astype(int)
        chosen.append(of_verdict.iloc[places])
    episodes = pd.concat(chosen, ignore_index=True)
    longest = int(episodes["n_steps"].max())
    values = np.full((len(episodes), longest), np.nan)
    by_id = {name: group["contribution"].to_numpy() for name, group in rows.groupby("trajectory_id")}
    for i, name in enumerate(episodes["trajectory_id"]):
        credit = by_id[name]
        values[i, slice(0, len(credit)) if align == "start" else slice(longest - len(credit), longest)] = (
            credit
        )
    return Heat(episodes, values, total)

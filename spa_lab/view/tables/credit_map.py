"""What credit gains on a terminal reward, by length and number of the episodes, and how fast a reward fades.

Values of policies are exact, and every task is evaluated. Intervals are 95 %, over seeds and tasks.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.stats import paired_bootstrap
from spa_lab.view.tables.controls import paired_areas

COLUMNS = (
    "arm", "length", "episodes", "tokens", "gamma_lambda", "seed", "task", "iteration", "value",
)  # fmt: skip
"""Of the curves: exact value of the policy of an arm on a task after an iteration; 0 is the clone."""
BASELINE, EXACT = "terminal", "exact"
TITLES: Mapping[str, str] = {
    "published": "SPA-RL, estimator",
    "progress": "SPA-RL, progress",
    "hindsight": "SPA-RL, hindsight",
    EXACT: "exact credit",
}
"""Arm -> in words, in the order of the panels."""
_RNG = 0xC0


def credit_map_table(curves: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm and setting: mean value over training, minus that of the terminal reward.

    Columns:
        arm: str, of `TITLES`.
        length: int64, steps of an episode.
        episodes: int64, in an iteration.
        tokens: int64, in a step; gamma_lambda: float64, factor by which they fade a reward.
        difference, low, high: of the areas under the curves, paired by seed and task.
        area, baseline: float64, of the arm and of the terminal reward, in [0, 1].
        start: float64, value of the cloned policy.
        n_seeds, n_tasks: int64.

    Arms are compared on the seeds that both have; a setting without one is left out. Exact credit was trained
    once for all values of gamma * lambda.

    Args:
        curves: with the columns `COLUMNS`.

    Raises:
        ValueError: an arm cannot be paired with the terminal reward, see `controls.paired_areas`.
    """
    settings = ["length", "episodes", "tokens", "gamma_lambda"]
    rows = []
    for setting, terminal in curves[curves["arm"] == BASELINE].groupby(settings):
        length, episodes, tokens, _ = setting
        here = curves[(curves["length"] == length) & (curves["episodes"] == episodes)]
        for arm in TITLES:
            group = here[(here["arm"] == arm) & ((here["tokens"] == tokens) | (arm == EXACT))]
            where = f"{length} steps, {episodes} episodes"
            pair = paired_areas({arm: group, BASELINE: terminal}, where=where)
            if pair is None:
                continue
            ours, theirs = pair
            shared = terminal[terminal["seed"].isin(group["seed"])]
            apart = paired_bootstrap(ours, theirs, rng=np.random.default_rng(_RNG))
            rows.append(
                {
                    "arm": arm, **dict(zip(settings, setting, strict=True)), "difference": apart.point,
                    "low": apart.low, "high": apart.high, "area": ours.mean(), "baseline": theirs.mean(),
                    "start": shared.loc[shared["iteration"] == 0, "value"].mean(),
                    "n_seeds": len(ours), "n_tasks": ours.shape[1],
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def settled(row: Mapping[Hashable, Any]) -> bool:
    """Whether the interval of a difference excludes 0."""
    return bool(row["low"] > 0 or row["high"] < 0)


def render_credit_map(table: pd.DataFrame) -> str:
    """The table as text, a line for each setting."""
    if table.empty:
        return "no setting is finished"
    lines = [
        f"mean value over training minus that of the terminal reward; {seeds_of(table)}, all "
        f"{table['n_tasks'].iloc[0]} tasks, exact values; optimum 1; * the interval excludes 0",
        f"{'steps':>5}{'episodes':>10}{'γλ':>7}{'terminal':>10}"
        + "".join(f"{title:>27}" for title in TITLES.values()),
    ]
    for (length, episodes, fading), rows in table.groupby(["length", "episodes", "gamma_lambda"]):
        line = f"{length:>5}{episodes:>10}{fading:>7.2f}{rows['baseline'].iloc[0]:>10.2f}"
        by_arm = {row["arm"]: row for row in rows.to_dict("records")}
        lines.append(line + "".join(f"{_cell(by_arm.get(arm)):>27}" for arm in TITLES))
    return "\n".join(lines)


def seeds_of(table: pd.DataFrame) -> str:
    """How many seeds the rows of a table have, in words."""
    fewest, most = int(table["n_seeds"].min()), int(table["n_seeds"].max())
    return f"{most} seeds" if fewest == most else f"{fewest} to {most} seeds"


def _cell(row: Mapping[Hashable, Any] | None) -> str:
    if row is None:
        return "–"
    mark = "*" if settled(row) else " "
    return f"{row['difference']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]{mark}"


def panels_of(
    table: pd.DataFrame, arm: str, episodes: int
) -> tuple[list[int], list[float], dict[tuple[int, int], Mapping[Hashable, Any]]]:
    """One panel of a heat map: lengths (rows), values of gamma * lambda (columns), and the table's rows.

    All panels of a table have the same rows and columns; settings that are not finished are missing in the
    dict.
    """
    lengths = sorted(map(int, table["length"].unique()))
    fading = sorted(map(float, table["gamma_lambda"].unique()), reverse=True)
    here = table[(table["arm"] == arm) & (table["episodes"] == episodes)]
    places = {
        (lengths.index(int(row["length"])), fading.index(float(row["gamma_lambda"]))): row
        for row in here.to_dict("records")
    }
    return lengths, fading, places

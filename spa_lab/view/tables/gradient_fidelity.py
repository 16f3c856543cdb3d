"""The comparison of advantages: the rows that a figure draws, and the table as text.

All functions take the table of `pipeline.gradient_fidelity`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

SHOWN = ("correlation", "episodes", "gradient_cosine", "gradient_episodes")
"""Metrics that are drawn if none are given."""
TEXT_METRICS = (
    "correlation",
    "share",
    "gradient_snr",
    "gradient_cosine",
    "gradient_noise",
    "gradient_episodes",
)
"""Metrics of the printed table."""
LEAST_AS_SAMPLED = 0.95
"""Share of episodes with text that encodes to the sampled tokens below which the table warns."""
LOGARITHMIC = frozenset({"episodes", "gradient_noise", "gradient_episodes"})
"""Metrics that are ratios and are drawn on a logarithmic axis."""
CELL = 29
"""Characters of a column of the text: the longest cell, "-0.0040 [-0.0255, -0.0055] ?", and a space."""


def advantage_labels(table: pd.DataFrame) -> dict[str, str]:
    """Advantage -> what it is called, in the order of the table.

    Raises:
        ValueError: the table is empty.
    """
    if table.empty:
        raise ValueError("gradient table: the table has 0 rows")
    rows = table.drop_duplicates("advantage")
    return dict(zip(rows["advantage"], rows["label"], strict=True))


def advantage_rows(table: pd.DataFrame, metric: str, outcome: str, advantages: Sequence[str]) -> pd.DataFrame:
    """One row per advantage, in the given order; NaN where it has no value.

    Raises:
        ValueError: the table is empty or lacks the metric.
    """
    known = list(table["metric"].unique()) if len(table) else []
    if metric not in known:
        raise ValueError(
            f"gradient table: no metric {metric!r}; the table has: {', '.join(known) or 'no rows'}"
        )
    rows = table[(table["metric"] == metric) & (table["outcome"] == outcome)]
    return rows.set_index("advantage").reindex(list(advantages)).reset_index()


def drawn_range(rows: Iterable[pd.DataFrame], metric: str) -> tuple[float, float]:
    """Ends of the axis of a metric: all values, and intervals as far as they are not absurdly wide."""
    drawn = pd.concat(list(rows))
    values = drawn["value"].to_numpy(dtype=np.float64)
    values = np.append(values[np.isfinite(values)], 1.0)
    ends = drawn.loc[drawn["resolved"].eq(True), ["low", "high"]].to_numpy(dtype=np.float64).ravel()
    ends = ends[np.isfinite(ends)]
    if metric in LOGARITHMIC:
        values, ends = values[values > 0], ends[ends > 0]
        most = 10 * values.max()
        return float(min([values.min(), *ends]) / 1.3), float(min(max([values.max(), *ends]), most) * 1.3)
    low, high = min([values.min(), 0.0, *ends]), max([values.max(), *ends])
    pad = 0.05 * (high - low)
    return float(low - pad), float(high + pad)


def sample_in_words(table: pd.DataFrame) -> str:
    """E.g. "512 episodes of 64 tasks (9,831 steps), 4 continuations of each; bootstrap over tasks"."""
    row = table[table["outcome"] == "both"].iloc[0]
    return (
        f"{row['n_episodes']:,} episodes of {row['n_tasks']} tasks ({row['n_steps']:,} steps, policy "
        f"{row['policy']}), {row['branches']} continuations of each step; 95 % bootstrap intervals over tasks"
    )


def render_gradient(table: pd.DataFrame) -> str:
    """The table as text: one line per advantage, values with intervals; "not resolved" without one."""
    names = advantage_labels(table)
    heads = {metric: str(table.loc[table["metric"] == metric, "title"].iloc[0]) for metric in TEXT_METRICS}
    lines = [sample_in_words(table), ""]
    if (share := table["as_sampled"].iloc[0]) < LEAST_AS_SAMPLED:
        lines.insert(
            1,
            f"warning: the text of only {share:.0%} of the episodes encodes to the tokens that were sampled",
        )
    lines.append(f"{'advantage':<26}" + "".join(f"{heads[metric]:>{CELL}}" for metric in TEXT_METRICS))
    by_metric = {metric: advantage_rows(table, metric, "both", list(names)) for metric in TEXT_METRICS}
    for index, title in enumerate(names.values()):
        lines.append(
            f"{title:<26}" + "".join(f"{_cell(by_metric[m].iloc[index]):>{CELL}}" for m in TEXT_METRICS)
        )
    lines += ["", f"{'correlation':<26}{'failures':>{CELL}}{'successes':>{CELL}}"]
    apart = [advantage_rows(table, "correlation", outcome, list(names)) for outcome in ("failure", "success")]
    for index, title in enumerate(names.values()):
        lines.append(f"{title:<26}" + "".join(f"{_cell(rows.iloc[index]):>{CELL}}" for rows in apart))
    return "\n".join(lines)


def _cell(row: Any) -> str:
    """E.g. "0.31 [0.22, 0.40]"."""
    if np.isnan(row["value"]):
        return "–"
    if np.isnan(row["low"]):
        return f"{_number(row['value'])} not resolved"
    if row["low"] == row["high"]:
        return _number(row["value"])
    mark = "" if row["resolved"] else " ?"
    return f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}]{mark}"


def _number(value: float) -> str:
    """Three significant digits for what is small or large."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"

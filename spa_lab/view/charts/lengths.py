"""Success by length: a rate with its interval for every policy and bin, and n below each bin."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, error_bars, layout, marker
from spa_lab.view.geometry import dodge, policies_and_bins
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.text import BY_LENGTH, inert, shortened

PLOT, ROW = 260, 18
"""Pixels: the rates, and one line of n below each bin."""
TITLE = 44
"""Characters of a line of the title beside the rates; a longer line would be cut."""


def length_chart(table: pd.DataFrame, *, beside: Sequence[str] = ()) -> Chart:
    """The table of `tables.evaluation.success_by_length`, without the bins in which no policy has an episode.

    Below each bin stands n of every policy, or once where all policies have the same in every bin.

    Args:
        table: as said.
        beside: policies of the other charts of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    policies, _ = policies_and_bins(table)
    known = table[table.groupby("bin")["n"].transform("sum") > 0]
    if known.empty:
        known = table
    _, bins = policies_and_bins(known)
    apart = style.looks_beside([*beside, *policies])
    traces = [
        _rates(known[known["policy"] == policy], policy, apart[policy], place)
        for policy, place in zip(policies, dodge(len(policies)), strict=True)
    ]
    by = str(table["by"].iloc[0])
    counts = [known.loc[known["bin"] == name, "n"].astype(str) for name in bins]
    if all(one.nunique() == 1 for one in counts):
        counts = [one.head(1) for one in counts]
    labels = [f"{name}<br>n = {'<br>'.join(one)}" for name, one in zip(bins, counts, strict=True)]
    rows = max(map(len, counts))
    title = textwrap.wrap(f"success rate, {intervals_in_words(table)}", TITLE)
    figure: dict[str, Any] = layout(
        PLOT + 90 + ROW * rows,
        hovermode="closest",
        xaxis=axis(
            BY_LENGTH[by],
            grid=False,
            range=[-0.5, len(bins) - 0.5],
            tickvals=list(range(len(bins))),
            ticktext=labels,
        ),
        yaxis=axis("<br>".join(title), range=[-0.03, 1.03], tickformat=".0%", nticks=6),
        shapes=[_separator(edge) for edge in np.arange(1, len(bins)) - 0.5],
    )
    figure["margin"] |= {"b": 62 + ROW * rows, "l": 49 + 15 * len(title)}
    return Chart(traces, figure, f"Success rate of {len(policies)} policies by {BY_LENGTH[by]}")


def _rates(rows: pd.DataFrame, policy: str, look: style.Look, place: float) -> Trace:
    rate = rows["success"].to_numpy(dtype=np.float64)
    up, down = rows["high"].to_numpy() - rate, rate - rows["low"].to_numpy()
    return {
        "type": "scatter",
        "mode": "markers",
        "x": np.arange(len(rows)) + place,
        "y": rate,
        "error_y": error_bars(up, down, colour=look.colour),
        "marker": marker(look, size=9),
        "name": inert(shortened(policy, 40)),
        "customdata": rows[["bin", "k", "n", "low", "high", "n_seeds"]].to_numpy(dtype=object),
        "hovertemplate": "%{customdata[0]} steps: %{y:.1%} (%{customdata[1]} of %{customdata[2]})<br>"
        "95 %: %{customdata[3]:.1%} to %{customdata[4]:.1%}, seeds: %{customdata[5]}",
    }


def _separator(edge: float) -> dict[str, Any]:
    line = {"color": style.GRID, "width": 1}
    return {
        "type": "line",
        "x0": edge,
        "x1": edge,
        "y0": 0,
        "y1": 1,
        "yref": "y domain",
        "line": line,
        "layer": "below",
    }

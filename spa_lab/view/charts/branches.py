"""Value of steps by continuations: how the interval of each value shrinks while continuations come in."""

from typing import Any

import pandas as pd

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, error_bars, layout, line, marker
from spa_lab.view.style import Look
from spa_lab.view.text import inert, shortened

HEIGHT = 290
"""Pixels."""


def branch_chart(table: pd.DataFrame) -> Chart:
    """The table of `tables.branches.interval_table`: one line with error bars per prefix.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("branch chart: no continuation has been played yet")
    names = list(table["prefix"].unique())
    shift = 0.004 * float(table["n"].max())  # error bars of two prefixes stay apart
    traces = [
        _trace(table[table["prefix"] == name], name, index, shift * (index - 1))
        for index, name in enumerate(names)
    ]
    most = int(table["n"].max())
    figure: dict[str, Any] = layout(
        HEIGHT,
        hovermode="closest",
        xaxis=axis("continuations so far", grid=False, range=[0, most * 1.04]),
        yaxis=axis("value (mean outcome, 95 % interval)", range=[-0.03, 1.03]),
    )
    return Chart(traces, figure, f"How the intervals of {len(names)} values shrink with continuations")


def _trace(rows: pd.DataFrame, name: str, index: int, shift: float) -> Trace:
    look = Look(
        style.cycled(style.SERIES, index),
        style.cycled(style.MARKERS, index),
        style.cycled(style.DASHES, index),
    )
    value = rows["value"].to_numpy()
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": rows["n"].to_numpy() + shift,
        "y": value,
        "error_y": error_bars(
            rows["high"].to_numpy() - value, value - rows["low"].to_numpy(), colour=look.colour
        ),
        "customdata": rows[["n", "low", "high"]].to_numpy(),
        "name": inert(shortened(name, 44)),
        "hovertemplate": "%{y:.3f} [%{customdata[1]:.3f}, %{customdata[2]:.3f}], n = %{customdata[0]}",
        "line": line(look),
        "marker": marker(look),
    }

"""Value of steps by continuations: how the interval of each value shrinks while continuations come in."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.stats import wilson
from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, error_bars, layout, line, marker
from spa_lab.view.style import Look
from spa_lab.view.text import inert, shortened

HEIGHT = 290
"""Pixels."""


def value_interval(outcomes: Sequence[float]) -> tuple[float, float, float]:
    """Mean of outcomes in [0, 1] with a 95 % interval: (low, mean, high), outcome units.

    Wilson's where all are 0 or 1, else mean +- 1.96 s.e., clipped to [0, 1].

    Raises:
        ValueError: there is no outcome, or one is outside [0, 1].
    """
    values = np.asarray(outcomes, dtype=np.float64)
    if values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"needs outcomes in [0, 1], at least one, got {values[:5].tolist()} of {values.size}"
        )
    if np.isin(values, (0.0, 1.0)).all():
        rate = wilson(int(values.sum()), values.size)
        return rate.low, rate.point, rate.high
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else 1.0
    return max(mean - half, 0.0), mean, min(mean + half, 1.0)


def interval_table(outcomes: Mapping[str, Sequence[float]], chunk: int) -> pd.DataFrame:
    """One row per prefix and number of continuations: prefix, n, value, low, high (outcome units).

    Args:
        outcomes: name of a prefix -> outcomes of its continuations in the order in which they were played.
        chunk: continuations between two rows, >= 1.
    """
    rows = []
    for name, values in outcomes.items():
        for n in [*range(chunk, len(values), chunk), *([len(values)] if len(values) else [])]:
            low, mean, high = value_interval(values[:n])
            rows.append({"prefix": name, "n": n, "value": mean, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["prefix", "n", "value", "low", "high"])


def branch_chart(table: pd.DataFrame) -> Chart:
    """The table of `interval_table`: one line with error bars per prefix.

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

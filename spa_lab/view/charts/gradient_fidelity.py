"""Comparison of advantages: one panel a metric, advantages down; hollow marks are not resolved."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, error_bars, layout
from spa_lab.view.tables.gradient_fidelity import (
    LOGARITHMIC,
    SHOWN,
    advantage_labels,
    advantage_rows,
    drawn_range,
    sample_in_words,
)
from spa_lab.view.text import inert

ROW, HEAD = 26, 120
"""Pixels."""
GAP = 0.02
"""Between panels, share of the width."""
MARKS: Mapping[str, tuple[float, str, str]] = MappingProxyType(
    {
        "success": (-0.25, style.POSITIVE, "circle"),
        "both": (0.0, style.INK, "diamond"),
        "failure": (0.25, style.NEGATIVE, "square"),
    }
)
"""Outcome -> position within its row, colour, symbol."""


def gradient_chart(table: pd.DataFrame, metrics: Sequence[str] = SHOWN) -> Chart:
    """The table of `spa_lab.gradient_fidelity`; hovering shows values with intervals.

    Args:
        table: the whole of it.
        metrics: values of the table's column `metric`, a panel each.

    Raises:
        ValueError: the table is empty or lacks a metric.
    """
    names = advantage_labels(table)
    traces: list[Trace] = []
    panels: dict[str, Any] = {}
    for i, metric in enumerate(metrics):
        rows = {outcome: advantage_rows(table, metric, outcome, list(names)) for outcome in MARKS}
        suffix = str(i + 1) if i else ""
        traces += [_marks(rows[outcome], outcome, suffix) for outcome in MARKS]
        left, right = i / len(metrics), (i + 1) / len(metrics) - GAP
        ends = drawn_range(rows.values(), metric)
        scale = (
            {"type": "log", "range": np.log10(ends), "dtick": 1 if ends[1] > 30 * ends[0] else "D2"}
            if metric in LOGARITHMIC
            else {"range": ends}
        )
        panels[f"xaxis{suffix}"] = axis(
            str(rows["both"]["title"].iloc[0]), domain=[left, right], anchor=f"y{suffix}", **scale
        )
        labels = [inert(title) for title in names.values()] if i == 0 else [""] * len(names)
        panels[f"yaxis{suffix}"] = axis(
            "", grid=False, range=[len(names) - 0.5, -0.5], tickvals=list(range(len(names))), ticktext=labels,
            anchor=f"x{suffix}", automargin=True,
        )  # fmt: skip
    figure = layout(HEAD + ROW * len(names), hovermode="closest", **panels)
    return Chart(traces, figure, f"{len(names)} advantages before training: {sample_in_words(table)}")


def _marks(rows: pd.DataFrame, outcome: str, suffix: str) -> Trace:
    offset, colour, symbol = MARKS[outcome]
    value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    fills = [colour if resolved is True else style.WHITE for resolved in rows["resolved"].tolist()]
    return {
        "type": "scatter", "mode": "markers", "name": outcome, "legendgroup": outcome,
        "showlegend": not suffix, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}",
        "x": value, "y": np.arange(len(rows)) + offset,
        "error_x": error_bars(high - value, value - low, colour=colour),
        "marker": {"color": fills, "symbol": symbol, "size": 7, "line": {"color": colour, "width": 1.2}},
        "customdata": np.stack([low, high], axis=1),
        "hovertemplate": "%{x:.3g}, 95 %: %{customdata[0]:.3g} to %{customdata[1]:.3g}",
    }  # fmt: skip

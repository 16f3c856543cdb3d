"""Training curves: one small panel per metric, one line per stage, over the updates."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from spa_lab.alarms import SIGNS
from spa_lab.view import style
from spa_lab.view.charts.chart import Axis, Chart, Trace, axis, layout, line, marker
from spa_lab.view.text import inert, shortened

ACROSS, HEIGHT, HEAD = 3, 190, 60
"""Panels side by side at most; pixels of a row of panels, and of what stands above the first."""
GAP_X, GAP_Y = 0.06, 70
"""Between panels: share of the width, and pixels."""
FEW = 40
"""Updates up to which every one has a marker."""
TITLE_WIDTH, TITLE_LINE = 24, 16
"""Characters of a line of a panel's title, and its pixels; a page may be as narrow as 700 pixels."""
MOST_TICKS = 6
"""On the axis of the updates; so many updates at most have a tick each, none between two."""
LIMIT = "limit of the alarm"
LIMITS = {sign.metric: sign.limit for sign in SIGNS}
"""Metric -> the limit above which it raises an alarm; drawn as a line."""


def training_chart(
    table: pd.DataFrame, *, titles: Mapping[str, str] = MappingProxyType({}), x: str = "update"
) -> Chart:
    """The table of `tables.training.training_table`; where it has several seeds, the line is their mean.

    Args:
        table: as said.
        titles: metric -> title of its panel; "_" becomes a space where there is none.
        x: what a row of the metrics is, "update" or "iteration"; updates are counted from 0, as in the table,
            iterations from 1, as alarms and reports count them.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("training chart: no metric has been recorded yet")
    if x == "iteration":
        table = table.assign(update=table["update"] + 1)
    metrics = list(table["metric"].unique())
    across = 2 if len(metrics) in (2, 4) else min(ACROSS, len(metrics))
    n_rows = math.ceil(len(metrics) / across)
    body = n_rows * HEIGHT - GAP_Y
    lines = {metric: _lines(titles.get(metric, metric.replace("_", " "))) for metric in metrics}
    second = TITLE_LINE * (max(len(lines[metric]) for metric in metrics[:across]) - 1)
    figure = layout(body + HEAD + second + 40)
    figure["margin"] |= {"t": HEAD + second, "b": 40}
    figure["legend"] |= {"y": 1 + (26 + second) / body}
    figure["annotations"] = []
    apart = style.looks_beside(map(str, table["stage"].unique()))
    traces: list[Trace] = []
    shown: set[str] = set()
    for index, metric in enumerate(metrics):
        panel = str(index + 1) if index else ""
        x_domain, y_domain = _domains(index, across, body)
        rows = table[table["metric"] == metric]
        lowest = index + across >= len(metrics)
        figure[f"xaxis{panel}"] = _x_axis(rows, x, x_domain, f"y{panel}", titled=lowest)
        figure[f"yaxis{panel}"] = axis("", domain=y_domain, anchor=f"x{panel}", nticks=5)
        figure["annotations"].append(_title(lines[metric], x_domain[0], y_domain[1]))
        for stage, curve in rows.groupby("stage", sort=False):
            traces.append(_trace(curve, str(stage), apart[str(stage)], panel, legend=stage not in shown))
            shown.add(str(stage))
        if metric in LIMITS:
            traces.append(_limit(rows, LIMITS[metric], panel, legend=LIMIT not in shown))
            shown.add(LIMIT)
    return Chart(traces, figure, f"Training curves of {', '.join(metrics)}")


def _x_axis(rows: pd.DataFrame, x: str, domain: list[float], anchor: str, *, titled: bool) -> Axis:
    return axis(
        x if titled else "",
        grid=False,
        domain=domain,
        anchor=anchor,
        **({"dtick": 1} if rows["update"].max() < MOST_TICKS else {"nticks": MOST_TICKS}),
        unifiedhovertitle={"text": f"{x} %{{x}}"},
    )


def _domains(index: int, across: int, body: float) -> tuple[list[float], list[float]]:
    row, column = divmod(index, across)
    width = (1 - GAP_X * (across - 1)) / across
    left, top = column * (width + GAP_X), 1 - row * HEIGHT / body
    return [left, min(left + width, 1.0)], [max(top - (HEIGHT - GAP_Y) / body, 0.0), top]


def _trace(rows: pd.DataFrame, stage: str, look: style.Look, panel: str, *, legend: bool) -> Trace:
    name = inert(shortened(stage, 40))
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(rows) <= FEW else "lines",
        "x": rows["update"].to_numpy(),
        "y": rows["value"].to_numpy(),
        "name": name,
        "legendgroup": name,
        "showlegend": legend,
        "line": line(look) | {"dash": "solid"},
        "marker": marker(look, size=5),
        "hovertemplate": "%{y:.4g}",
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
    }


def _limit(rows: pd.DataFrame, limit: float, panel: str, *, legend: bool) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [rows["update"].min(), rows["update"].max()],
        "y": [limit, limit],
        "name": LIMIT,
        "legendgroup": LIMIT,
        "showlegend": legend,
        "line": {"color": style.MUTED, "dash": "dot", "width": 1.5},
        "hovertemplate": "%{y:.4g}",
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
    }


def _lines(title: str) -> list[str]:
    """At most two lines of a title."""
    return textwrap.wrap(title, TITLE_WIDTH, max_lines=2, placeholder="…") or [title]


def _title(lines: Sequence[str], left: float, top: float) -> dict[str, Any]:
    return {
        "text": f"<b>{'<br>'.join(map(inert, lines))}</b>",
        "align": "left",
        "x": left,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "yshift": 2,
    }

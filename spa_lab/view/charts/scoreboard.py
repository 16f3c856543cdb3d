"""The fidelity scoreboard as a picture: sources down, metrics across, successes and failures apart.

Dots are statistics with their bootstrap intervals, dashed lines the noise ceiling of the same colour, the
dotted line what guessing scores. Takes the table of `credit.fidelity.scoreboard` and nothing else. The twin
on paper is `scoreboard_paper`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa_lab.view import style
from spa_lab.view.tables.scoreboard import (
    DEFAULT_METRICS,
    OUTCOMES,
    metric_rows,
    sample_sizes,
    sources_and_titles,
)
from spa_lab.view.text import inert, shortened

OFFSETS = (-0.16, 0.16)
"""Place of each outcome within its row."""
ROW, HEAD, FOOT = 30, 110, 50
"""Pixels: one source, what stands above the first, what stands below the last."""


def scoreboard_figure(table: pd.DataFrame, metrics: Sequence[str] = DEFAULT_METRICS) -> go.Figure:
    """Every source on every metric; see the module.

    Args:
        table: of `credit.fidelity.scoreboard`.
        metrics: values of the table's column `metric`.

    Raises:
        ValueError: the table is empty or lacks a metric.
    """
    sources, titles = sources_and_titles(table, metrics)
    figure = make_subplots(
        cols=len(metrics), shared_yaxes=True, horizontal_spacing=0.02,
        subplot_titles=[f"<b>{inert(title)}</b>" for title in titles],
    )  # fmt: skip
    for column, metric in enumerate(metrics, start=1):
        own = table[table["metric"] == metric]
        for number, outcome in enumerate(OUTCOMES):
            rows = metric_rows(table, metric, outcome, sources)
            figure.add_trace(_points(rows, number, legend=column == 1), row=1, col=column)
            if np.isfinite(rows["ceiling"].iloc[0]):
                figure.add_vline(
                    rows["ceiling"].iloc[0], line={"color": _colour(number), "width": 1, "dash": "dash"},
                    row=1, col=column,
                )  # fmt: skip
        if np.isfinite(own["chance"].iloc[0]):
            line = {"color": style.MUTED, "width": 1, "dash": "dot"}
            figure.add_vline(own["chance"].iloc[0], line=line, row=1, col=column)
        figure.add_trace(_undefined(own, sources), row=1, col=column)
    _lay_out(figure, table, sources)
    return figure


def _points(rows: pd.DataFrame, number: int, *, legend: bool) -> Any:
    up, down = rows["high"] - rows["value"], rows["value"] - rows["low"]
    colour = _colour(number)
    return go.Scatter(
        x=rows["value"].to_numpy(),
        y=np.arange(len(rows)) + OFFSETS[number],
        mode="markers",
        marker={"color": colour, "size": 9, "symbol": style.SYMBOLS[style.MARKERS[number]]},
        error_x={"array": up.to_numpy(), "arrayminus": down.to_numpy(), "symmetric": False,
                 "color": colour, "thickness": 1.2, "width": 3},
        name=OUTCOMES[number],
        legendgroup=OUTCOMES[number],
        showlegend=legend,
        customdata=rows[["source", "low", "high", "n_trajectories", "ceiling"]].map(_harmless).to_numpy(),
        hovertemplate="%{customdata[0]}: %{x:.3f} [%{customdata[1]:.3f}, %{customdata[2]:.3f}]<br>"
        "n = %{customdata[3]} trajectories, ceiling %{customdata[4]:.3f}<extra>%{fullData.name}</extra>",
        meta="fidelity",
    )  # fmt: skip


def _undefined(own: pd.DataFrame, sources: Sequence[str]) -> Any:
    """Says so where a source has no value at all, e.g. no ranks because it gave every step the same."""
    nothing = [
        row for row, source in enumerate(sources)
        if own.loc[(own["source"] == source) & own["outcome"].isin(OUTCOMES), "value"].isna().all()
    ]  # fmt: skip
    middle = own["value"].mean() if own["value"].notna().any() else 0.0
    return go.Scatter(
        x=[middle] * len(nothing), y=nothing, text=["undefined"] * len(nothing), mode="text",
        textfont={"color": style.MUTED}, hoverinfo="skip", showlegend=False, meta="label",
    )  # fmt: skip


def _harmless(value: Any) -> Any:
    return inert(value) if isinstance(value, str) else value


def _colour(number: int) -> str:
    return style.cycled(style.SERIES, number)


def _lay_out(figure: go.Figure, table: pd.DataFrame, sources: Sequence[str]) -> None:
    names = [inert(shortened(source, 28)) for source in sources]
    figure.update_yaxes(range=[len(sources) - 0.5, -0.5], showgrid=False, zeroline=False)
    figure.update_yaxes(tickvals=np.arange(len(sources)), ticktext=names, automargin=True, col=1)
    figure.update_xaxes(gridcolor=style.GRID, zeroline=False, nticks=5)
    figure.update_annotations(font_size=style.SCREEN_SIZE)
    for row in range(0, len(sources), 2):
        stripe = {"y0": row - 0.5, "y1": row + 0.5, "x0": 0, "x1": 1, "xref": "paper", "yref": "y"}
        figure.add_shape(**stripe, fillcolor=style.STRIPE, line_width=0, layer="below")
    figure.update_layout(
        height=HEAD + FOOT + ROW * len(sources),
        margin={"t": HEAD, "b": FOOT, "l": 10, "r": 20},
        paper_bgcolor=style.WHITE,
        plot_bgcolor=style.WHITE,
        font={"family": style.SCREEN_FONT, "size": style.SCREEN_SIZE, "color": style.INK},
        title={"text": "<b>Credit against the truth</b>", "font_size": 16, "x": 0.01, "xanchor": "left",
               "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 16},
               "subtitle": {"text": sample_sizes(table) + "; dashed: noise ceiling, dotted: guessing",
                            "font": {"size": style.SCREEN_SIZE, "color": style.MUTED}}},
        legend={"orientation": "h", "x": 0.01, "xref": "container", "xanchor": "left",
                "y": 0, "yref": "container", "yanchor": "bottom",
                "itemclick": False, "itemdoubleclick": False},
        hoverlabel={"align": "left", "bgcolor": style.WHITE, "font_color": style.INK},
        template="none",
    )  # fmt: skip

"""Comparison of advantages: advantages down, metrics across; hollow marks are not resolved."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from spa_lab.view import style
from spa_lab.view.paper import latex, looks
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Columns,
    Page,
    add_axes,
    draw_legend,
    fit_text,
    legend_entry,
    legend_rows,
    page_of,
    text_width,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.paper.scoreboard import AXIS, GAP, LEAST, LINE, NAMES, OUTCOME_LOOKS, ROW, wrapped
from spa_lab.view.tables.gradient_fidelity import (
    LOGARITHMIC,
    SHOWN,
    advantage_labels,
    advantage_rows,
    drawn_range,
    sample_in_words,
)

BOTH: looks.Properties = {"color": style.INK, "marker": "D", "markersize": 3.5}
BEST: looks.Properties = {"color": style.MUTED, "linewidth": 0.9, "linestyle": ":"}
MARKS: Mapping[str, tuple[float, looks.Properties]] = {
    "success": (-0.25, OUTCOME_LOOKS["success"]),
    "both": (0.0, BOTH),
    "failure": (0.25, OUTCOME_LOOKS["failure"]),
}
"""Outcome -> position within its row, and look."""


def gradient_figure(
    table: pd.DataFrame,
    metrics: Sequence[str] = SHOWN,
    *,
    columns: Columns | Page = 2,
    name: str = "gradient",
) -> PaperFigure:
    """Every advantage on every metric, as many metrics as fit; see the module.

    Args:
        table: of `spa_lab.gradient_fidelity`.
        metrics: values of the table's column `metric`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.

    Raises:
        ValueError: the table is empty or lacks a metric.
    """
    page = page_of(columns)
    with page.printing():
        free = page.width - _left(_names(table, page.width)) - MARGIN
    shown = list(metrics)[: max(int(free / (LEAST + GAP)), 1)]
    figure = draw_gradient(table, shown, page=page)
    numbers = table[table["metric"].isin(shown)]
    caption = (
        f"Advantages before training, beside exact credit: {sample_in_words(table)}. Hollow: not resolved, "
        "with no interval or, for correlations and cosines, one that holds 0; no mark: undefined."
    )
    return PaperFigure(
        name,
        figure,
        numbers,
        caption,
        page,
        {},
        latex.gradient_rows(numbers, shown),
        ("advantage", "metric", "outcome"),
    )


def draw_gradient(
    table: pd.DataFrame,
    metrics: Sequence[str] = SHOWN,
    *,
    page: Page = TWO_COLUMNS,
) -> Figure:
    """The picture alone, with exactly these metrics.

    Raises:
        ValueError: the table is empty or lacks a metric.
    """
    with page.printing():
        return _draw(table, metrics, page.width)


def _draw(table: pd.DataFrame, metrics: Sequence[str], width: float) -> Figure:
    rows = {
        (m, o): advantage_rows(table, m, o, list(table["advantage"].unique())) for m in metrics for o in MARKS
    }
    names = _names(table, width)
    left = _left(names)
    panel = (width - left - MARGIN) / len(metrics) - GAP
    lines = [wrapped(rows[metric, "both"]["title"].iloc[0], panel) for metric in metrics]
    head = MARGIN + LINE * max(line.count("\n") + 1 for line in lines)
    body = ROW * len(names)
    entries = [
        legend_entry(outcome, look | {"linewidth": 0.8})
        for outcome, (_, look) in MARKS.items()
        if any(rows[metric, outcome]["value"].notna().any() for metric in metrics)
    ]
    legend = legend_rows([*entries, legend_entry("exact credit", BEST)], width - 2 * MARGIN)
    figure = Figure(figsize=(width, head + body + AXIS + LEGEND_ROW * len(legend)))
    for index, (metric, title) in enumerate(zip(metrics, lines, strict=True)):
        axes = add_axes(figure, left + index * (panel + GAP), head, panel, body)
        _draw_panel(axes, {outcome: rows[metric, outcome] for outcome in MARKS}, metric)
        axes.set_title(title, pad=3)
        axes.set_yticks(range(len(names)), names if index == 0 else [])
    draw_legend(figure, legend, MARGIN, head + body + AXIS)
    return figure


def _names(table: pd.DataFrame, width: float) -> list[str]:
    return [fit_text(title, NAMES * width) for title in advantage_labels(table).values()]


def _left(names: Sequence[str]) -> float:
    return MARGIN + 0.08 + max(map(text_width, names))


def _draw_panel(axes: Axes, by_outcome: Mapping[str, pd.DataFrame], metric: str) -> None:
    n_rows = len(by_outcome["both"])
    for row in range(0, n_rows, 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.STRIPE, linewidth=0, zorder=0)
    axes.axvline(1.0, **BEST)
    low, high = drawn_range(by_outcome.values(), metric)
    if metric in LOGARITHMIC:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 3) if high < 30 * low else (1,), numticks=5))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="x", nbins=3)
    axes.set_xlim(low, high)
    for outcome, (offset, look) in MARKS.items():
        _draw_marks(axes, by_outcome[outcome], offset, look)
    axes.set_ylim(n_rows - 0.5, -0.5)
    axes.tick_params(length=2, pad=2)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_marks(axes: Axes, rows: pd.DataFrame, offset: float, look: looks.Properties) -> None:
    """Resolved values with their intervals, the others hollow."""
    value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    place = np.arange(len(rows)) + offset
    bars = np.isfinite(low)
    reach = np.maximum([value - low, high - value], 0.0)[:, bars]
    axes.errorbar(value[bars], place[bars], xerr=reach, linestyle="none", elinewidth=0.8, color=look["color"])
    is_resolved = rows["resolved"].eq(True).to_numpy()
    for chosen, fill in ((is_resolved, look["color"]), (~is_resolved, style.WHITE)):
        axes.plot(value[chosen], place[chosen], linestyle="none", **look | {"markerfacecolor": fill})

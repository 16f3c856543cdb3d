"""The fidelity scoreboard on paper (matplotlib); the twin of `scoreboard`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from spa_lab.view import paper_rows, style
from spa_lab.view.scoreboard import OFFSETS, OUTCOMES, SHOWN, ordered, sources_and_titles
from spa_lab.view.text import shortened

MARGIN, GAP, ROW, PANEL, HEAD, FOOT = 0.12, 0.12, 0.21, 1.3, 0.3, 0.52
"""Inches: around, between panels, one source, width of a panel, titles, axis and legend."""


def scoreboard_paper(table: pd.DataFrame, metrics: Sequence[str] = SHOWN) -> Figure:
    """Every source on every metric, successes and failures apart; see `scoreboard.scoreboard_figure`.

    Args:
        table: of `credit.fidelity.scoreboard`.
        metrics: values of the table's column `metric`.

    Raises:
        ValueError: the table is empty or lacks a metric.
    """
    sources, titles = sources_and_titles(table, metrics)
    names = [shortened(source, 28) for source in sources]
    left = MARGIN + 0.1 + max(map(paper_rows.text_width, names))
    width = left + len(metrics) * (PANEL + GAP) + MARGIN
    body = ROW * len(sources)
    height = HEAD + body + FOOT
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, height))
        for number, (metric, title) in enumerate(zip(metrics, titles, strict=True)):
            corner = ((left + number * (PANEL + GAP)) / width, FOOT / height)
            axes = figure.add_axes((*corner, PANEL / width, body / height))
            _panel(axes, table[table["metric"] == metric], sources)
            axes.set_title(title, fontsize=style.PAPER_SIZE, pad=3)
            axes.set_yticks(range(len(sources)), names if number == 0 else [])
        figure.legend(
            handles=_handles(), loc="lower left", bbox_to_anchor=(MARGIN / width, 0.05 / height), ncols=4,
            frameon=False, borderpad=0, borderaxespad=0, handlelength=1.8,
        )  # fmt: skip
    return figure


def _panel(axes: Axes, own: pd.DataFrame, sources: Sequence[str]) -> None:
    for row in range(0, len(sources), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.STRIPE, linewidth=0, zorder=0)
    if np.isfinite(own["chance"].iloc[0]):
        axes.axvline(own["chance"].iloc[0], color=style.MUTED, linewidth=0.7, linestyle=":")
    for number, outcome in enumerate(OUTCOMES):
        rows, colour = ordered(own, sources, outcome), style.cycled(style.SERIES, number)
        value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
        axes.errorbar(
            value, np.arange(len(rows)) + OFFSETS[number], xerr=np.maximum([value - low, high - value], 0.0),
            linestyle="none", elinewidth=0.8, markersize=3.5, color=colour, marker=style.MARKERS[number],
        )  # fmt: skip
        if np.isfinite(rows["ceiling"].iloc[0]):
            axes.axvline(rows["ceiling"].iloc[0], color=colour, linewidth=0.7, linestyle="--")
    axes.set_ylim(len(sources) - 0.5, -0.5)
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(length=2)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _handles() -> list[Line2D]:
    looks = [
        Line2D([], [], color=style.cycled(style.SERIES, number), marker=style.MARKERS[number],
               markersize=3.5, linewidth=0.8, label=outcome)
        for number, outcome in enumerate(OUTCOMES)
    ]  # fmt: skip
    return [
        *looks,
        Line2D([], [], color=style.INK, linewidth=0.7, linestyle="--", label="noise ceiling"),
        Line2D([], [], color=style.MUTED, linewidth=0.7, linestyle=":", label="guessing"),
    ]

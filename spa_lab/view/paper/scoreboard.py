"""The fidelity scoreboard on paper (matplotlib); the twin of `scoreboard`."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Look,
    draw_legend,
    fitted,
    flowed,
    mark,
    place,
    text_width,
)
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS, OUTCOMES, metric_rows, sources_and_titles

GAP, ROW, LEAST, LINE, AXIS = 0.1, 0.21, 0.7, 0.14, 0.26
"""Inches: between panels, one source, the least panel, a line of a title, the axis below."""
OFFSETS = (-0.16, 0.16)
"""Place of each outcome within its row."""
NAMES = 0.36
"""Share of the width that names take at most."""
CEILINGS: tuple[Look, ...] = ({"linewidth": 0.9, "linestyle": "--"}, {"linewidth": 0.9, "linestyle": "-."})
"""Of successes and of failures."""
CHANCE_LOOK: Look = {"color": style.MUTED, "linewidth": 0.9, "linestyle": ":"}


def scoreboard_paper(
    table: pd.DataFrame, metrics: Sequence[str] = DEFAULT_METRICS, *, width: float = TWO_COLUMNS
) -> Figure:
    """Every source on every metric, successes and failures apart; see `scoreboard.scoreboard_figure`.

    Args:
        table: of `credit.fidelity.scoreboard`.
        metrics: values of the table's column `metric`; see `metrics_that_fit`.
        width: inches.

    Raises:
        ValueError: the table is empty or lacks a metric, or more metrics than have room.
    """
    sources, titles = sources_and_titles(table, metrics)
    names = _names(sources, width)
    left = MARGIN + 0.08 + max(map(text_width, names))
    panel = (width - left - MARGIN) / len(metrics) - GAP
    if panel < LEAST:
        raise ValueError(
            f"scoreboard: {len(metrics)} metrics side by side do not fit {width:.2f} inches, "
            f"{len(metrics_that_fit(table, metrics, width))} do"
        )
    lines = [_wrapped(title, panel) for title in titles]
    head = MARGIN + LINE * max(line.count("\n") + 1 for line in lines)
    body = ROW * len(sources)
    rows = flowed(_handles(), width - 2 * MARGIN)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, head + body + AXIS + LEGEND_ROW * len(rows)))
        for number, (metric, title) in enumerate(zip(metrics, lines, strict=True)):
            axes = place(figure, left + number * (panel + GAP), head, panel, body)
            _panel(axes, table, metric, sources)
            axes.set_title(title, fontsize=style.PAPER_SIZE, pad=3)
            axes.set_yticks(range(len(sources)), names if number == 0 else [])
            _few_ticks(axes, max(int(panel / 0.35), 2))
        draw_legend(figure, rows, MARGIN, head + body + AXIS)
    return figure


def metrics_that_fit(table: pd.DataFrame, metrics: Sequence[str], width: float) -> list[str]:
    """The first of the metrics, as many as have room side by side in a width in inches."""
    sources, _ = sources_and_titles(table, metrics)
    left = MARGIN + 0.08 + max(map(text_width, _names(sources, width)))
    return list(metrics)[: max(int((width - left - MARGIN) / (LEAST + GAP)), 1)]


def _names(sources: Sequence[str], width: float) -> list[str]:
    return [fitted(source, NAMES * width) for source in sources]


def _wrapped(title: str, width: float) -> str:
    """The title in lines that fit a panel, broken between words."""
    room = max(int(width * len(title) / text_width(title)), 6)  # characters
    return "\n".join(textwrap.wrap(title, room, break_long_words=False))


def _panel(axes: Axes, table: pd.DataFrame, metric: str, sources: Sequence[str]) -> None:
    own = table[table["metric"] == metric]
    for row in range(0, len(sources), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.STRIPE, linewidth=0, zorder=0)
    if np.isfinite(own["chance"].iloc[0]):
        axes.axvline(own["chance"].iloc[0], **CHANCE_LOOK)
    for number, outcome in enumerate(OUTCOMES):
        rows, colour = metric_rows(table, metric, outcome, sources), style.cycled(style.SERIES, number)
        value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
        axes.errorbar(
            value, np.arange(len(rows)) + OFFSETS[number], xerr=np.maximum([value - low, high - value], 0.0),
            linestyle="none", elinewidth=0.8, markersize=3.5, color=colour, marker=style.MARKERS[number],
        )  # fmt: skip
        if np.isfinite(rows["ceiling"].iloc[0]):
            axes.axvline(rows["ceiling"].iloc[0], color=colour, **CEILINGS[number])
    axes.set_ylim(len(sources) - 0.5, -0.5)
    axes.tick_params(length=2, pad=2)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _few_ticks(axes: Axes, most: int) -> None:
    """Ticks whose labels lean inward at the border of a panel, or they would run into the next one's."""
    axes.locator_params(axis="x", nbins=most)
    low, high = axes.get_xlim()
    axes.set_xticks([at for at in axes.get_xticks() if low <= at <= high])
    for at, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        if not low + 0.1 * (high - low) < at < high - 0.1 * (high - low):
            label.set_horizontalalignment("left" if at < (low + high) / 2 else "right")


def _handles() -> list[Artist]:
    colours = [style.cycled(style.SERIES, number) for number in range(len(OUTCOMES))]
    looks: list[Artist] = [
        mark(outcome, {"color": colour, "marker": shape, "markersize": 3.5, "linewidth": 0.8})
        for outcome, colour, shape in zip(OUTCOMES, colours, style.MARKERS, strict=False)
    ]
    looks += [
        mark(f"noise ceiling, {outcome}", {"color": colour} | look)
        for outcome, colour, look in zip(OUTCOMES, colours, CEILINGS, strict=True)
    ]
    return [*looks, mark("guessing", CHANCE_LOOK)]

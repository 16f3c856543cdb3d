"""Fidelity scoreboard: sources down, metrics across, successes and failures with marks of their own."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import captions, latex, looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import (
    BORDER,
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Columns,
    Page,
    add_axes,
    draw_legend,
    fit_text,
    lean_inward,
    legend_entry,
    legend_rows,
    page_of,
    round_ticks,
    text_width,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.scoreboard import (
    DEFAULT_METRICS,
    OUTCOMES,
    fewer_trajectories,
    metric_rows,
    sample_sizes,
    sources_and_titles,
    without_interval,
)

GAP, ROW, LEAST, LINE, AXIS = 0.1, 0.21, 0.7, 0.14, 0.26
"""Inches: between panels, one source, the least panel, a line of a title, the axis below."""
NAMES = 0.36
"""Largest share of the width that names take."""
LABEL_GAP = 0.05
"""Least inches between labels of ticks."""
OFFSETS = (-0.16, 0.16)
"""Position of each outcome within its row."""
OUTCOME_LOOKS: Mapping[str, looks.Properties] = {
    "success": {"color": style.POSITIVE, "marker": "o", "markersize": 3.5},
    "failure": {"color": style.NEGATIVE, "marker": "s", "markersize": 3.5},
}
CEILING_LOOKS: Mapping[str, looks.Properties] = {
    "success": {"color": style.POSITIVE, "linewidth": 0.9, "linestyle": "--"},
    "failure": {"color": style.NEGATIVE, "linewidth": 0.9, "linestyle": "-."},
}
CHANCE: looks.Properties = {"color": style.MUTED, "linewidth": 0.9, "linestyle": ":"}


def scoreboard_figure(
    table: pd.DataFrame,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    columns: Columns | Page = 2,
    name: str = "scoreboard",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Every source on every metric, as many metrics as fit; see the module.

    Args:
        table: of `credit.fidelity.scoreboard`; sources are drawn in its order.
        metrics: values of the table's column `metric`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called in the figure; the source itself where it is missing.

    Raises:
        ValueError: the table is empty or lacks a metric.
    """
    page = page_of(columns)
    with page.printing():
        shown = metrics_that_fit(table, metrics, page.width, titles)
    figure = draw_scoreboard(table, shown, page=page, titles=titles)
    numbers = table[table["metric"].isin(shown) & (table["outcome"] != "both")]
    why = without_interval(numbers)
    none = f"; no interval {why}" if why else ""
    fewer = fewer_trajectories(numbers)
    caption = f"Credit against the measured truth; {sample_sizes(table)}{'; ' if fewer else ''}{fewer}{none}."
    tabular = latex.board_rows(numbers, shown, titles)
    return PaperFigure(name, figure, numbers, caption, page, {}, tabular, ("source", "metric", "outcome"))


def draw_scoreboard(
    table: pd.DataFrame,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    page: Page = TWO_COLUMNS,
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:
    """The picture alone, with exactly these metrics.

    Raises:
        ValueError: the table is empty or lacks a metric, or the metrics do not fit the width.
    """
    sources_and_titles(table, metrics)
    with page.printing():
        return _draw(table, metrics, page.width, titles)


def _draw(table: pd.DataFrame, metrics: Sequence[str], width: float, titles: Mapping[str, str]) -> Figure:
    sources, metric_titles = sources_and_titles(table, metrics)
    names = _names(sources, width, titles)
    left = MARGIN + 0.08 + max(map(text_width, names))
    panel = (width - left - MARGIN) / len(metrics) - GAP
    if panel < LEAST:
        raise ValueError(
            f"scoreboard: {len(metrics)} metrics side by side do not fit {width:.2f} inches, "
            f"{len(metrics_that_fit(table, metrics, width, titles))} do"
        )
    lines = [wrapped(title, panel) for title in metric_titles]
    head = MARGIN + LINE * max(line.count("\n") + 1 for line in lines)
    body = ROW * len(sources)
    legend = legend_rows(_legend(table[table["metric"].isin(metrics)]), width - 2 * MARGIN)
    figure = Figure(figsize=(width, head + body + AXIS + LEGEND_ROW * len(legend)))
    for index, (metric, title) in enumerate(zip(metrics, lines, strict=True)):
        axes = add_axes(figure, left + index * (panel + GAP), head, panel, body)
        _draw_panel(axes, table, metric, sources)
        axes.set_title(title, pad=3)
        axes.set_yticks(range(len(sources)), names if index == 0 else [])
        _few_ticks(axes, panel)
    draw_legend(figure, legend, MARGIN, head + body + AXIS)
    return figure


def metrics_that_fit(
    table: pd.DataFrame, metrics: Sequence[str], width: float, titles: Mapping[str, str] = NO_TITLES
) -> list[str]:
    """The first of the metrics, as many as fit side by side in a width in inches."""
    sources, _ = sources_and_titles(table, metrics)
    left = MARGIN + 0.08 + max(map(text_width, _names(sources, width, titles)))
    return list(metrics)[: max(int((width - left - MARGIN) / (LEAST + GAP)), 1)]


def _names(sources: Sequence[str], width: float, titles: Mapping[str, str]) -> list[str]:
    return [fit_text(captions.titled(source, titles), NAMES * width) for source in sources]


def wrapped(title: str, width: float) -> str:
    """The title in lines that fit a panel, broken between words."""
    characters = max(int(width * len(title) / text_width(title)), 6)
    return "\n".join(textwrap.wrap(title, characters, break_long_words=False))


def _draw_panel(axes: Axes, table: pd.DataFrame, metric: str, sources: Sequence[str]) -> None:
    for row in range(0, len(sources), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.STRIPE, linewidth=0, zorder=0)
    chance = table.loc[table["metric"] == metric, "chance"].iloc[0]
    if np.isfinite(chance):
        axes.axvline(chance, **CHANCE)
    for outcome, offset in zip(OUTCOMES, OFFSETS, strict=True):
        rows = metric_rows(table, metric, outcome, sources)
        value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
        axes.errorbar(
            value, np.arange(len(rows)) + offset, xerr=np.maximum([value - low, high - value], 0.0),
            linestyle="none", elinewidth=0.8, **OUTCOME_LOOKS[outcome],
        )  # fmt: skip
        if np.isfinite(rows["ceiling"].iloc[0]):
            axes.axvline(rows["ceiling"].iloc[0], **CEILING_LOOKS[outcome])
    axes.set_ylim(len(sources) - 0.5, -0.5)
    axes.tick_params(length=2, pad=2)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _few_ticks(axes: Axes, panel: float) -> None:
    """Ticks whose labels do not touch; those at the border lean inward, away from the neighbouring panel.

    `panel` is the width of the axes in inches.
    """
    low, high = axes.get_xlim()
    positions, labels = round_ticks((low, high), panel)
    share = (positions - low) / (high - low)
    wide = np.array([text_width(label) for label in labels])
    lean = np.where(share <= BORDER, 0.0, np.where(share >= 1 - BORDER, 1.0, 0.5))
    left = share * panel - lean * wide
    kept = list(range(len(labels)))
    if (left[1:] < (left + wide)[:-1] + LABEL_GAP).any():
        first = left[-1] >= left[0] + wide[0] + LABEL_GAP
        kept = [0, len(labels) - 1] if first else [len(labels) - 1]
    axes.set_xticks(positions[kept], [labels[place] for place in kept])
    lean_inward(axes)


def _legend(table: pd.DataFrame) -> list[Artist]:
    """Entries of what is drawn, and of nothing else."""
    handles: list[Artist] = [
        legend_entry(outcome, look | {"linewidth": 0.8})
        for outcome, look in OUTCOME_LOOKS.items()
        if np.isfinite(table.loc[table["outcome"] == outcome, "value"]).any()
    ]
    for outcome, look in CEILING_LOOKS.items():
        if np.isfinite(table.loc[table["outcome"] == outcome, "ceiling"]).any():
            handles.append(legend_entry(f"second measurement, {outcome}", look))
    if np.isfinite(table["chance"]).any():
        handles.append(legend_entry("chance", CHANCE))
    return handles

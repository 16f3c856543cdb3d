"""Training curves: one small panel per metric, one line per stage; several seeds as mean and range."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    Page,
    draw_legend,
    legend_entry,
    legend_rows,
    page_of,
    tidy,
    whole_ticks,
    wrapped_text,
)
from spa_lab.view.paper.panels import RIGHT, Panels
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.text import shortened

HEIGHT, TITLE_LINE = 1.05, 0.135
"""Inches: a plot, a line of its title."""
SINGLE: looks.Properties = {"color": style.INK, "linestyle": "-", "linewidth": 1.4}
"""A stage that is alone in its figure: no legend tells it from others."""
SMOOTHED_FROM = 30
"""Points of a curve from which it is drawn thin, under its rolling mean."""
WINDOW = 7
"""Points of the rolling mean, centred."""
NO_TITLES: Mapping[str, str] = MappingProxyType({})


def training_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "training",
    titles: Mapping[str, str] = NO_TITLES,
    episodes: float | None = None,
    beside: Sequence[str] = (),
) -> PaperFigure:
    """A panel per metric over the updates or episodes; the band is the range of the seeds.

    Args:
        table: of `training.training_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: metric -> what it is, with its unit; its name where it is missing.
        episodes: of every update: the curves are drawn over the episodes learnt from. Over the updates if
            None.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("training curves: the table has no rows")
    across = "update" if episodes is None else "episodes"
    numbers = table if episodes is None else table.assign(episodes=(table["update"] + 1) * episodes)
    page = page_of(columns)
    with page.printing():
        figure = _draw(numbers, page.width, titles, across, beside)
    n_seeds = int(table["n_seeds"].max())
    seeds = f"mean and range of {n_seeds} seeds" if n_seeds > 1 else "1 seed"
    stages = captions.enumeration(table["stage"].unique())
    over = "updates" if episodes is None else "episodes learnt from"
    smooth = f"; thick: rolling mean of {WINDOW} points" if _is_smoothed(table) else ""
    caption = f"Training of {stages} over the {over}, {seeds}{smooth}."
    return PaperFigure(name, figure, numbers, caption, page, {"n_seeds": n_seeds})


def _is_smoothed(table: pd.DataFrame) -> bool:
    return bool(table.groupby(["metric", "stage"]).size().max() >= SMOOTHED_FROM)


def _draw(
    table: pd.DataFrame, width: float, titles: Mapping[str, str], across: str, beside: Sequence[str]
) -> Figure:
    metrics, stages = list(table["metric"].unique()), list(table["stage"].unique())
    panels = Panels(width, len(metrics), HEIGHT, most=3)
    heads = [
        wrapped_text(titles.get(metric, metric.replace("_", " ")), panels.plot_width + RIGHT, 2)
        for metric in metrics
    ]
    lines = max(map(len, heads))
    panels = Panels(width, len(metrics), HEIGHT, most=3, head=panels.head + TITLE_LINE * (lines - 1))
    drawn = _looks(stages, beside)
    handles = [legend_entry(shortened(stage, 40), look) for stage, look in drawn.items()]
    legend = legend_rows(handles, width - 2 * MARGIN) if len(stages) > 1 else []
    figure = Figure(figsize=(width, panels.foot + LEGEND_ROW * len(legend) + 0.08))
    last = float(table[across].max())
    for index, metric in enumerate(metrics):
        axes = panels.add(figure, index)
        _draw_panel(axes, table[table["metric"] == metric], drawn, across)
        axes.set_xlim(0, last or 1)
        axes.set_xticks(whole_ticks(int(last), panels.plot_width))
        axes.set_title("\n".join(heads[index]), pad=3)
        axes.set_xlabel(across)
    draw_legend(figure, legend, MARGIN, panels.foot + 0.04)
    return figure


def _looks(stages: Sequence[str], beside: Sequence[str]) -> dict[str, looks.Properties]:
    """Solid lines; the marker tells apart what a colour does not in grey."""
    if len(stages) == 1:
        return {stages[0]: SINGLE}
    solid, apart = {"linestyle": "-"}, style.looks_beside([*beside, *stages])
    return {stage: looks.line_of(apart[stage]) | looks.marker_of(apart[stage], 3) | solid for stage in stages}


def _draw_panel(axes: Axes, table: pd.DataFrame, stages: Mapping[str, looks.Properties], across: str) -> None:
    for stage, look in stages.items():
        rows = table[table["stage"] == stage]
        if rows.empty:
            continue
        x, value = rows[across], rows["value"]
        if rows["n_seeds"].max() > 1:
            axes.fill_between(x, rows["low"], rows["high"], color=look["color"], alpha=0.2, linewidth=0)
        if len(rows) >= SMOOTHED_FROM:
            axes.plot(x, value, color=look["color"], linewidth=0.5, alpha=0.6)
            value = value.rolling(WINDOW, center=True, min_periods=1).mean()
        axes.plot(x, value, markevery=max(len(rows) // 6, 1), clip_on=False, **look)
    axes.locator_params(axis="y", nbins=4)
    tidy(axes, "y")

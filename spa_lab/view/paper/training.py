"""Training curves: one small panel per metric, one line per stage; several seeds as mean and range."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    add_axes,
    draw_legend,
    legend_entry,
    legend_rows,
    tidy,
    whole_ticks,
    width_of,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.text import shortened

HEIGHT, LEFT, HEAD, AXIS, LEAST = 1.05, 0.5, 0.22, 0.4, 1.5
"""Inches: one panel, its axis on the left, its title, its axis below, its least width with the axis."""
SINGLE: looks.Properties = {"color": style.INK, "linestyle": "-", "linewidth": 1.2}
"""A stage that is alone in its figure: no legend tells it from others."""


def training_figure(table: pd.DataFrame, *, columns: Columns = 2, name: str = "training") -> PaperFigure:
    """A panel per metric over the updates; the band is the range of the seeds.

    Args:
        table: of `training.training_table`.
        columns: of the paper.
        name: of its files.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("training curves: the table has no rows")
    figure = _draw(table, width_of(columns))
    n_seeds = int(table["n_seeds"].max())
    seeds = f"mean and range of {n_seeds} seeds" if n_seeds > 1 else "1 seed"
    stages = captions.enumeration(table["stage"].unique())
    caption = f"Training of {stages} over the updates, {seeds}."
    return PaperFigure(name, figure, table, caption, columns, {"n_seeds": n_seeds})


def _draw(table: pd.DataFrame, width: float) -> Figure:
    metrics, stages = list(table["metric"].unique()), list(table["stage"].unique())
    n_across = min(len(metrics), max(int((width - 2 * MARGIN) / LEAST), 1), 3)
    n_down = -(-len(metrics) // n_across)
    cell = (width - 2 * MARGIN) / n_across
    lines = _looks(stages)
    handles = [legend_entry(shortened(stage, 40), look) for stage, look in lines.items()]
    legend = legend_rows(handles, width - 2 * MARGIN) if len(stages) > 1 else []
    foot = n_down * (HEAD + HEIGHT + AXIS)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, foot + LEGEND_ROW * len(legend) + 0.08))
        for index, metric in enumerate(metrics):
            row, column = divmod(index, n_across)
            left, top = MARGIN + column * cell + LEFT, row * (HEAD + HEIGHT + AXIS) + HEAD
            axes = add_axes(figure, left, top, cell - LEFT - 0.12, HEIGHT)
            _draw_panel(axes, table[table["metric"] == metric], lines)
            axes.set_xticks(whole_ticks(int(table["update"].max()), cell - LEFT))
            axes.set_title(metric.replace("_", " "), fontsize=style.PAPER_SIZE, pad=3)
            axes.set_xlabel("update")
        draw_legend(figure, legend, MARGIN, foot + 0.04)
    return figure


def _looks(stages: Sequence[str]) -> dict[str, looks.Properties]:
    if len(stages) == 1:
        return {stages[0]: SINGLE}
    return {stage: looks.line_of(stage) | looks.marker_of(stage, 3) for stage in stages}


def _draw_panel(axes: Axes, table: pd.DataFrame, stages: Mapping[str, looks.Properties]) -> None:
    for stage, look in stages.items():
        rows = table[table["stage"] == stage]
        if len(rows):
            if rows["n_seeds"].max() > 1:
                band = {"color": look["color"], "alpha": 0.22, "linewidth": 0}
                axes.fill_between(rows["update"], rows["low"], rows["high"], **band)
            axes.plot(rows["update"], rows["value"], markevery=max(len(rows) // 6, 1), **look)
    axes.locator_params(axis="y", nbins=4)
    tidy(axes, "y")

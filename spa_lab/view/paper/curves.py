"""Training on paper: one small picture per metric, a line per stage; seeds as mean and range."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Look,
    draw_legend,
    flowed,
    looks,
    mark,
    place,
    tidy,
    whole_ticks,
)
from spa_lab.view.text import shortened

MOST_POINTS = 60
"""Points of a line in print; of more updates, neighbours are averaged."""
TALL, LEFT, HEAD, AXIS, LEAST = 1.05, 0.5, 0.22, 0.4, 1.5
"""Inches: one picture, its axis on the left, its title, its axis below, its least width with the axis."""

Rows = Sequence[Mapping[str, Any]]


def curves_paper(table: pd.DataFrame, *, width: float = TWO_COLUMNS, order: Sequence[str] = ()) -> Figure:
    """The table of `training_table`, a picture per metric; the band is the range of the seeds.

    Args:
        table: of `training_table`.
        width: inches.
        order: stages whose look is decided by their place here, see `paper_page.looks`.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("training curves: the table has no rows")
    metrics, stages = list(table["metric"].unique()), list(table["stage"].unique())
    across = min(len(metrics), max(int((width - 2 * MARGIN) / LEAST), 1), 3)
    down = -(-len(metrics) // across)
    one = (width - 2 * MARGIN) / across
    own = {stage: _look(number) for stage, number in zip(stages, looks(stages, order), strict=True)}
    handles = [mark(shortened(stage, 40), look) for stage, look in own.items()]
    rows = flowed(handles, width - 2 * MARGIN) if len(stages) > 1 else []
    foot = down * (HEAD + TALL + AXIS)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, foot + LEGEND_ROW * len(rows) + 0.08))
        for number, metric in enumerate(metrics):
            line, place_ = divmod(number, across)
            left, top = MARGIN + place_ * one + LEFT, line * (HEAD + TALL + AXIS) + HEAD
            axes = place(figure, left, top, one - LEFT - 0.12, TALL)
            _draw(axes, table[table["metric"] == metric], own)
            axes.set_xticks(whole_ticks(int(table["update"].max()), one - LEFT))
            axes.set_title(metric.replace("_", " "), fontsize=style.PAPER_SIZE, pad=3)
            axes.set_xlabel("update")
        draw_legend(figure, rows, MARGIN, foot + 0.04)
    return figure


def _draw(axes: Axes, own: pd.DataFrame, stages: Mapping[str, Look]) -> None:
    for stage, look in stages.items():
        rows = own[own["stage"] == stage]
        if len(rows):
            if rows["n_seeds"].max() > 1:
                band: Look = {"color": look["color"], "alpha": 0.22, "linewidth": 0}
                axes.fill_between(rows["update"], rows["low"], rows["high"], **band)
            axes.plot(
                rows["update"], rows["value"], markevery=max(len(rows) // 6, 1), **look
            )  # fmt: skip
    axes.locator_params(axis="y", nbins=4)
    tidy(axes, "y")


def _look(number: int) -> Look:
    colour, dash = style.cycled(style.SERIES, number), style.cycled(style.DASHES, number)
    shape = style.cycled(style.MARKERS, number)
    return {"color": colour, "linestyle": dash, "linewidth": 1.2, "marker": shape, "markersize": 3}

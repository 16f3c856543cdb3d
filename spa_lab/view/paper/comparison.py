"""Policies compared in print: performance profiles, and success against the episodes learnt from."""

from dataclasses import dataclass

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import looks
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    add_axes,
    draw_legend,
    legend_entry,
    legend_rows,
    tidy,
    width_of,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.text import shortened

HEIGHT, LEFT, AXIS = 2.0, 0.55, 0.42
"""Inches: the plot, the axis on the left, the axis below."""


@dataclass(frozen=True)
class _Axes:
    x: str
    """Column."""
    x_title: str
    y_title: str
    steps: bool = False
    """The function is constant between two values of x."""


def profile_figure(table: pd.DataFrame, *, columns: Columns = 2, name: str = "profiles") -> PaperFigure:
    """Performance profiles: share of seeds and types of tasks whose success rate is above a threshold.

    Args:
        table: of `tables.comparison.profile_table`.
        columns: of the paper.
        name: of its files.

    Raises:
        ValueError: the table has no rows.
    """
    titles = _Axes("threshold", "success rate τ", "share of scores above τ", steps=True)
    n_seeds = _n_seeds(table)
    caption = (
        "Performance profiles: share of seeds and types of tasks whose success rate is above τ; bands are "
        f"pointwise 95 % intervals by a stratified bootstrap over up to {n_seeds} seeds."
    )
    return PaperFigure(name, _draw(table, titles, columns), table, caption, columns, {"n_seeds": n_seeds})


def learning_figure(
    table: pd.DataFrame, *, columns: Columns = 2, name: str = "success-by-episodes"
) -> PaperFigure:
    """Success while training against the episodes learnt from.

    Args:
        table: of `tables.comparison.learning_table`.
        columns: of the paper.
        name: of its files.

    Raises:
        ValueError: the table has no rows.
    """
    titles = _Axes("episodes", "episodes learnt from", "success while training")
    n_seeds = _n_seeds(table)
    caption = (
        "Success of the episodes that a policy learns from, sampled while training, against their number; "
        f"mean and range of up to {n_seeds} seeds."
    )
    return PaperFigure(name, _draw(table, titles, columns), table, caption, columns, {"n_seeds": n_seeds})


def _n_seeds(table: pd.DataFrame) -> int:
    if table.empty:
        raise ValueError("comparison figure: the table has no rows")
    return int(table["n_seeds"].max())


def _draw(table: pd.DataFrame, titles: _Axes, columns: Columns) -> Figure:
    width, policies = width_of(columns), list(table["policy"].unique())
    lines = {policy: looks.line_of(policy) | looks.marker_of(policy, 3) for policy in policies}
    handles = [legend_entry(shortened(policy, 40), look) for policy, look in lines.items()]
    legend = legend_rows(handles, width - LEFT - MARGIN)
    foot = MARGIN + HEIGHT + AXIS
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, foot + LEGEND_ROW * len(legend) + 0.06))
        axes = add_axes(figure, LEFT, MARGIN, width - LEFT - MARGIN, HEIGHT)
        for policy, look in lines.items():
            _draw_band(axes, table[table["policy"] == policy], titles, look)
        right = float(table[titles.x].max())
        axes.set(xlim=(0, right or 1), ylim=(0, 1.02), xlabel=titles.x_title, ylabel=titles.y_title)
        tidy(axes, "y")
        draw_legend(figure, legend, LEFT, foot + 0.02)
    return figure


def _draw_band(axes: Axes, rows: pd.DataFrame, titles: _Axes, look: looks.Properties) -> None:
    x, steps = rows[titles.x], titles.steps
    if rows["n_seeds"].max() > 1:
        band = {"color": look["color"], "alpha": 0.15, "linewidth": 0, "step": "post" if steps else None}
        axes.fill_between(x, rows["low"], rows["high"], **band)
    drawn = look | {"drawstyle": "steps-post" if steps else "default"}
    axes.plot(x, rows["value"], markevery=max(len(rows) // 8, 1), clip_on=False, **drawn)

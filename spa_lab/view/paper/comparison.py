"""Policies compared in print: performance profiles, and success against the episodes learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import looks
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    Page,
    add_axes,
    draw_legend,
    legend_entry,
    legend_rows,
    page_of,
    tidy,
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


def profile_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "profiles",
    beside: Sequence[str] = (),
) -> PaperFigure:
    """Performance profiles: share of seeds and types of tasks whose success rate is above a threshold.

    Args:
        table: of `tables.comparison.profile_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    titles = _Axes("threshold", "success rate τ", "share of scores above τ", steps=True)
    n_seeds = _n_seeds(table)
    flat = " (none where the resamples do not differ)" if (table["low"] == table["high"]).any() else ""
    caption = (
        f"Performance profiles: share of seeds and types of tasks whose success rate is above τ; bands{flat} "
        f"are pointwise 95 % intervals by a stratified bootstrap over up to {n_seeds} seeds."
    )
    return _printed(name, table, titles, caption, page_of(columns), beside)


def learning_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "success-by-episodes",
    beside: Sequence[str] = (),
) -> PaperFigure:
    """Success while training against the episodes learnt from, or the wall time that they took.

    Args:
        table: of `tables.learning.learning_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    by_time = "seconds" in table
    n_seeds = _n_seeds(table)
    if by_time:
        table = table.assign(minutes=table["seconds"] / 60)
    x, x_title = ("minutes", "wall time (minutes)") if by_time else ("episodes", "episodes learnt from")
    against = "the wall time of training, spread evenly over the episodes" if by_time else "their number"
    band = (
        f"mean of up to {n_seeds} seeds with 95 % bootstrap intervals over seeds"
        if table["low"].notna().any()
        else f"mean of up to {n_seeds} seeds"
        if n_seeds > 1
        else "1 seed"
    )
    caption = (
        "Success of the episodes that a policy learns from, sampled while training, against "
        f"{against}; {band}."
    )
    titles = _Axes(x, x_title, "success while training")
    return _printed(name, table, titles, caption, page_of(columns), beside)


def _n_seeds(table: pd.DataFrame) -> int:
    if table.empty:
        raise ValueError("comparison figure: the table has no rows")
    return int(table["n_seeds"].max())


def _printed(
    name: str, table: pd.DataFrame, titles: _Axes, caption: str, page: Page, beside: Sequence[str]
) -> PaperFigure:
    with page.printing():
        figure = _draw(table, titles, page.width, beside)
    return PaperFigure(name, figure, table, caption, page, {"n_seeds": _n_seeds(table)})


def _draw(table: pd.DataFrame, titles: _Axes, width: float, beside: Sequence[str]) -> Figure:
    policies = list(table["policy"].unique())
    apart = style.looks_beside([*beside, *policies])
    lines = {policy: looks.line_of(apart[policy]) | looks.marker_of(apart[policy], 3) for policy in policies}
    handles = [legend_entry(shortened(policy, 40), look) for policy, look in lines.items()]
    legend = legend_rows(handles, width - LEFT - MARGIN)
    foot = MARGIN + HEIGHT + AXIS
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
    if rows["low"].notna().any():
        band = {"color": look["color"], "alpha": 0.15, "linewidth": 0, "step": "post" if steps else None}
        axes.fill_between(x, rows["low"], rows["high"], **band)
    drawn = look | {"drawstyle": "steps-post" if steps else "default"}
    axes.plot(x, rows["value"], markevery=max(len(rows) // 8, 1), clip_on=False, **drawn)

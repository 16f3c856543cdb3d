"""Positive controls: one panel a probe, arms down, mean value over training; exact credit as a line."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import looks
from spa_lab.view.paper.page import MARGIN, Columns, add_axes, text_width, tidy, width_of
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.controls import OPTIMUM

ROW, HEAD, AXIS, GAP = 0.17, 0.25, 0.45, 0.25
"""Inches: an arm, the title of a panel, its axis below, between panels."""
ORACLE = "exact"
"""Arm that is drawn as a line through its panel."""


def controls_figure(table: pd.DataFrame, *, columns: Columns = 2, name: str = "controls") -> PaperFigure:
    """Areas under the curves with intervals, and final values as hollow marks.

    The probe with the most arms is on the left, the others below each other on the right.

    Args:
        table: of `tables.controls.controls_table`.
        columns: of the paper.
        name: of its files.

    Raises:
        ValueError: the table is empty.
    """
    if table.empty:
        raise ValueError("controls: the table has no rows")
    n_seeds = int(table["n_seeds"].max())
    caption = (
        f"Mean value of the policy over training (filled, with 95 % intervals over {n_seeds} seeds and all "
        "tasks) and its value at the end (hollow), by probe; exact values, optimum 1. Dotted: the cloned "
        "policy; dashed: exact credit."
    )
    figure = _draw(table, width_of(columns))
    return PaperFigure(name, figure, table, caption, columns, {"n_seeds": n_seeds})


def _draw(table: pd.DataFrame, width: float) -> Figure:
    panels = sorted(table.groupby("probe", sort=False), key=lambda panel: -len(panel[1]))
    (_, largest), right = panels[0], panels[1:]
    label = max(map(text_width, table["arm"].unique())) + 0.1
    sides = 2 if right else 1
    panel_width = (width - 2 * MARGIN - (sides - 1) * GAP) / sides - label
    heights = [HEAD + ROW * len(rows) + AXIS for _, rows in right]
    height = max(HEAD + ROW * len(largest) + AXIS, sum(heights))
    tops = [0.0, *np.cumsum([0.0, *heights])[:-1]] if right else [0.0]
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, height))
        for index, (top, (probe, rows)) in enumerate(zip(tops, panels, strict=True)):
            left = MARGIN + label + (index > 0) * (panel_width + GAP + label)
            axes = add_axes(figure, left, top + HEAD, panel_width, ROW * len(rows))
            _draw_panel(axes, rows)
            axes.set_title(str(probe), fontsize=style.PAPER_SIZE, pad=3)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axvline(rows["start"].iloc[0], color=style.MUTED, linewidth=0.9, linestyle=":")
    oracle = rows.loc[rows["arm"] == ORACLE, "area"]
    if len(oracle):
        axes.axvline(oracle.iloc[0], color=style.MUTED, linewidth=0.9, linestyle="--")
    for place, row in enumerate(rows.to_dict("records")):
        marker = looks.marker_of(row["arm"], 3.5)
        axes.plot([row["low"], row["high"]], [place, place], color=marker["color"], linewidth=1.0)
        axes.plot(row["area"], place, linestyle="none", **marker)
        axes.plot(row["final"], place, linestyle="none", **marker | {"markerfacecolor": style.WHITE})
    axes.set_yticks(range(len(rows)), list(rows["arm"]))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-0.03, OPTIMUM + 0.03)
    axes.set_xticks([0.0, 0.5, 1.0])
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)

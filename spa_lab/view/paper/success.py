"""Success rates of policies, and paired differences between policies, with their intervals."""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, latex, looks
from spa_lab.view.paper.page import (
    MARGIN,
    Columns,
    add_axes,
    add_text,
    fit_text,
    text_width,
    tidy,
    width_of,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.text import signed

AXIS = 0.38
"""Inches of the axis below."""
ROW, NAME_ROW = 0.24, 0.18
"""Inches of one row, and of a line if the name stands above its interval."""
LONG_NAME = 0.5
"""A name that would take more of the width stands above its interval."""
_BACKGROUND = MappingProxyType({"facecolor": style.WHITE, "linewidth": 0, "pad": 0.8})
"""Of a name that stands over lines."""


def success_figure(table: pd.DataFrame, *, columns: Columns = 2, name: str = "success") -> PaperFigure:
    """Success rate of every policy with its interval, and the numbers beside it.

    Args:
        table: of `evaluation.success_table`.
        columns: of the paper.
        name: of its files.

    Raises:
        ValueError: the table has no rows.
    """
    numbers = [
        f"{100 * row.success:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]" for row in table.itertuples()
    ]
    shown = table.rename(columns={"success": "point", "policy": "name"})
    policies = list(table["policy"])
    figure = _draw_list(shown, policies, numbers, "success rate (%)", (0.0, 1.0), width_of(columns))
    caption = f"Strict success in per cent with {intervals_in_words(table)}."
    facts = captions.policy_facts(table)
    return PaperFigure(name, figure, table, caption, columns, facts, latex.success_rows(table))


def differences_figure(
    table: pd.DataFrame, *, columns: Columns = 2, name: str = "differences"
) -> PaperFigure:
    """Paired differences of success with their intervals; the vertical line is no difference.

    Args:
        table: of `evaluation.differences_table`.
        columns: of the paper.
        name: of its files.

    Raises:
        ValueError: the table has no rows.
    """
    numbers = [
        f"{signed(100 * row.point, 1)} [{signed(100 * row.low, 1)}, {signed(100 * row.high, 1)}]"
        for row in table.itertuples()
    ]
    shown = table.assign(name=[f"{row.ours} − {row.theirs}" for row in table.itertuples()])
    ends = np.array([0.0, *shown["low"], *shown["high"]], dtype=np.float64)
    pad = 0.06 * (ends.max() - ends.min()) or 0.05
    span = (float(ends.min() - pad), float(ends.max() + pad))
    title = "difference of success (percentage points)"
    figure = _draw_list(shown, list(table["ours"]), numbers, title, span, width_of(columns))
    methods = captions.enumeration(table["method"].unique())
    caption = f"Difference of strict success in percentage points; {methods}."
    facts = {"n": int(table["n"].max()), "n_seeds": int(table["n_seeds"].max())}
    return PaperFigure(name, figure, table, caption, columns, facts, latex.difference_rows(table))


def _draw_list(
    table: pd.DataFrame,
    policies: Sequence[str],
    numbers: Sequence[str],
    title: str,
    span: geometry.Span,
    width: float,
) -> Figure:
    """A row per name: point and interval in the look of its policy, numbers as text; long names above."""
    if table.empty:
        raise ValueError(f"{title}: the table has no rows")
    right = MARGIN + 0.1 + max(map(text_width, numbers))
    natural = max(map(text_width, table["name"]))
    stacked = natural > LONG_NAME * (width - right)
    left = MARGIN + (0.06 if stacked else natural + 0.1)
    row = 2 * NAME_ROW if stacked else ROW
    plot_width, height = width - left - right, row * len(table)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, MARGIN + height + AXIS))
        axes = add_axes(figure, left, MARGIN, plot_width, height)
        axes.set(xlim=span, ylim=(len(table) - 0.5, -0.5), yticks=[])
        _draw_intervals(axes, table, policies, 0.22 if stacked else 0.0)
        ticks = geometry.ticks(span, most=int(min(max(plot_width / 0.45, 2), 6)))
        axes.set_xticks(ticks, [f"{100 * tick:.0f}".replace("-", "−") for tick in ticks])
        for index, (name, text) in enumerate(zip(table["name"], numbers, strict=True)):
            line = MARGIN + row * index + (0.75 * row if stacked else 0.5 * row) + 0.04
            add_text(figure, width - MARGIN, line, text, ha="right")
            if stacked:
                short = fit_text(name, width - 2 * MARGIN)
                add_text(figure, MARGIN, MARGIN + row * index + 0.14, short, bbox=dict(_BACKGROUND))
            else:
                add_text(figure, left - 0.1, line, name, ha="right")
        centre = max(left + plot_width / 2, MARGIN + text_width(title) / 2)
        add_text(figure, centre, MARGIN + height + 0.31, title, ha="center")
    return figure


def _draw_intervals(axes: Axes, table: pd.DataFrame, policies: Sequence[str], below: float) -> None:
    """Points with their intervals, `below` rows under the centre of their rows."""
    if axes.get_xlim()[0] < 0:
        axes.axvline(0, color=style.INK, linewidth=0.8)
    for index, (policy, row) in enumerate(zip(policies, table.itertuples(), strict=True)):
        reach = np.maximum([[row.point - row.low], [row.high - row.point]], 0.0)
        axes.errorbar(
            [row.point], [index + below], xerr=reach, linestyle="none", elinewidth=1.0, capsize=2,
            clip_on=False, **looks.marker_of(policy),
        )  # fmt: skip
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)

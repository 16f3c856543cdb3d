"""Success rates of policies, and paired differences between policies, with their intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, latex, looks
from spa_lab.view.paper.page import (
    MARGIN,
    Columns,
    Page,
    add_axes,
    add_text,
    page_of,
    text_width,
    tidy,
    wrapped_text,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.comparison_rows import rate_text
from spa_lab.view.text import one_line, signed_in_full

AXIS = 0.38
"""Inches of the axis below."""
ROW, LINE = 0.24, 0.14
"""Inches of one row, and of a line of its name."""
LEAST_PLOT, NAMES = 1.0, 0.52
"""Inches of the intervals below which numbers stand under the names; share of the width that names take
then."""


def success_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "success",
    beside: Sequence[str] = (),
) -> PaperFigure:
    """Success rate of every policy with its interval, and the numbers beside it.

    Args:
        table: of `evaluation.success_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    numbers = [rate_text(row.success, row.low, row.high) for row in table.itertuples()]
    shown = table.rename(columns={"success": "point", "policy": "name"})
    drawn = _looks(table["policy"], beside)
    page = page_of(columns)
    with page.printing():
        figure = _draw_list(shown, drawn, numbers, "success rate (%)", (0.0, 1.0), page.width)
    caption = captions.rates(table)
    facts = captions.policy_facts(table)
    return PaperFigure(name, figure, table, caption, page, facts, latex.success_rows(table), ("policy",))


def differences_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "differences",
    beside: Sequence[str] = (),
) -> PaperFigure:
    """Paired differences of success with their intervals; the vertical line is no difference.

    Args:
        table: of `evaluation.differences_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    numbers = [
        f"{point} [{low}, {high}]"
        for point, low, high in zip(
            *([signed_in_full(100 * value, 1) for value in table[name]] for name in ("point", "low", "high")),
            strict=True,
        )
    ]
    references = list(dict.fromkeys(map(str, table["theirs"])))
    if len(references) == 1:
        names, against = list(map(str, table["ours"])), f" to {references[0]}"
    else:
        names, against = [f"{row.ours} vs {row.theirs}" for row in table.itertuples()], ""
    shown = table.assign(name=names)
    ends = np.array([0.0, *shown["low"], *shown["high"]], dtype=np.float64)
    pad = 0.06 * (ends.max() - ends.min()) or 0.05
    span = (float(ends.min() - pad), float(ends.max() + pad))
    short, whole = "difference of success (points)", f"difference{against} (points)"
    page = page_of(columns)
    with page.printing():
        title = whole if against and text_width(whole) <= page.width - 2 * MARGIN else short
        figure = _draw_list(
            shown, _looks(table["ours"], [*beside, *references]), numbers, title, span, page.width
        )
    methods = captions.enumeration(table["method"].unique())
    caption = f"Difference of strict success{against} in percentage points; {methods}."
    facts = {"n": int(table["n"].max()), "n_seeds": int(table["n_seeds"].max())}
    return PaperFigure(
        name, figure, table, caption, page, facts, latex.difference_rows(table), ("ours", "theirs")
    )


def _looks(policies: Sequence[str], beside: Sequence[str]) -> list[style.Look]:
    """Of every row, told apart from all that are shown."""
    apart = style.looks_beside([*beside, *policies])
    return [apart[policy] for policy in policies]


def _draw_list(
    table: pd.DataFrame,
    drawn: Sequence[style.Look],
    numbers: Sequence[str],
    title: str,
    span: geometry.Span,
    width: float,
) -> Figure:
    """A row per name: point and interval in the look of its policy, numbers as text.

    Numbers stand on the right or, where that leaves too little space for the intervals, below the names.
    """
    if table.empty:
        raise ValueError(f"{title}: the table has no rows")
    names = [one_line(name) for name in table["name"]]
    left = MARGIN + 0.1 + max(map(text_width, names))
    right = MARGIN + 0.1 + max(map(text_width, numbers))
    labels = [[name] for name in names]
    is_beside = width - left - right >= LEAST_PLOT
    if not is_beside:
        room = NAMES * width - MARGIN - 0.1
        labels = [[*wrapped_text(name, room, 2), text] for name, text in zip(names, numbers, strict=True)]
        left = MARGIN + 0.1 + max(text_width(line) for label in labels for line in label)
        right = MARGIN + 0.06
    row = max(ROW, LINE * max(map(len, labels)) + 0.08)
    plot_width, height = width - left - right, row * len(table)
    figure = Figure(figsize=(width, MARGIN + height + AXIS))
    axes = add_axes(figure, left, MARGIN, plot_width, height)
    axes.set(xlim=span, ylim=(len(table) - 0.5, -0.5), yticks=[])
    _draw_intervals(axes, table, drawn)
    ticks = geometry.ticks(span, most=int(min(max(plot_width / 0.45, 2), 6)))
    axes.set_xticks(ticks, [f"{100 * tick:.0f}".replace("-", "−") for tick in ticks])
    for index, (label, text) in enumerate(zip(labels, numbers, strict=True)):
        first = MARGIN + row * (index + 0.5) + 0.04 - LINE * (len(label) - 1) / 2
        for line, words in enumerate(label):
            add_text(figure, left - 0.1, first + LINE * line, words, ha="right")
        if is_beside:
            add_text(figure, width - MARGIN, first, text, ha="right")
    half = text_width(title) / 2
    centre = min(max(left + plot_width / 2, MARGIN + half), width - MARGIN - half)
    add_text(figure, centre, MARGIN + height + 0.31, title, ha="center")
    return figure


def _draw_intervals(axes: Axes, table: pd.DataFrame, drawn: Sequence[style.Look]) -> None:
    """Points with their intervals."""
    if axes.get_xlim()[0] < 0:
        axes.axvline(0, color=style.INK, linewidth=0.8)
    for index, (look, row) in enumerate(zip(drawn, table.itertuples(), strict=True)):
        reach = np.maximum([[row.point - row.low], [row.high - row.point]], 0.0)
        axes.errorbar(
            [row.point], [index], xerr=reach, linestyle="none", elinewidth=1.0, capsize=2,
            clip_on=False, **looks.marker_of(look),
        )  # fmt: skip
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)

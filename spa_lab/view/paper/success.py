"""Success rates on paper: by length of the task, of every policy, and of policies against each other."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import geometry, style
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Look,
    draw_legend,
    fitted,
    flowed,
    looks,
    mark,
    place,
    text_width,
    tidy,
    write,
)
from spa_lab.view.text import BY_LENGTH, shortened, signed

N_TITLE = "n"
TALL, COUNT_ROW, LEFT, AXIS = 1.75, 0.17, 0.52, 0.38
"""Inches: the rates, n of one policy, what the axis takes on the left and below."""
ROW, NAME_ROW = 0.24, 0.18
"""Inches of one policy in a list, and of a line where its name stands above its interval."""
_BLANK = MappingProxyType({"facecolor": style.WHITE, "linewidth": 0, "pad": 0.8})
"""Ground of a name that stands over lines."""
LONG_NAME = 0.5
"""A name that would take more of the width stands above."""


def success_by_length_paper(
    table: pd.DataFrame, *, width: float = TWO_COLUMNS, order: Sequence[str] = ()
) -> Figure:
    """Success rate of every policy by length of the task, with intervals; n of each bin below.

    Args:
        table: of `evaluation.success_by_length`; empty bins are left blank.
        width: inches.
        order: policies whose look is decided by their place here, see `paper_page.looks`.

    Raises:
        ValueError: the table has no rows.
    """
    policies, bins = geometry.policies_and_bins(table)
    own = [_policy_look(number) for number in looks(policies, order)]
    handles = [
        mark(shortened(policy, 40), look | {"linestyle": "none"})
        for policy, look in zip(policies, own, strict=True)
    ]
    rows = flowed(handles, width - LEFT - MARGIN)
    counts = MARGIN + TALL + AXIS
    foot = counts + COUNT_ROW * len(policies) + 0.06
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, foot + LEGEND_ROW * len(rows) + 0.02))
        inside = width - LEFT - MARGIN
        axes = place(figure, LEFT, MARGIN, inside, TALL)
        _draw_rates(axes, table, dict(zip(policies, own, strict=True)), bins)
        write(figure, LEFT + inside / 2, counts - 0.08, BY_LENGTH[table["by"].iloc[0]], ha="center")
        below = place(figure, LEFT, counts, inside, COUNT_ROW * len(policies))
        _write_counts(below, table, dict(zip(policies, own, strict=True)), axes.get_xlim(), inside)
        draw_legend(figure, rows, LEFT, foot)
    return figure


def success_paper(table: pd.DataFrame, *, width: float = TWO_COLUMNS) -> Figure:
    """Success rate of every policy with its interval, and the numbers beside it.

    Args:
        table: of `evaluation.success_table`.
        width: inches.

    Raises:
        ValueError: the table has no rows.
    """
    said = [
        f"{100 * row.success:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]" for row in table.itertuples()
    ]
    shown = table.rename(columns={"success": "point", "policy": "name"})
    return _listed(shown, said, "success rate (%)", (0.0, 1.0), width)


def differences_paper(table: pd.DataFrame, *, width: float = TWO_COLUMNS) -> Figure:
    """Paired differences of success with their intervals; the line is no difference.

    Args:
        table: of `evaluation.differences_table`.
        width: inches.

    Raises:
        ValueError: the table has no rows.
    """
    said = [
        f"{signed(100 * row.point, 1)} [{signed(100 * row.low, 1)}, {signed(100 * row.high, 1)}]"
        for row in table.itertuples()
    ]
    shown = table.assign(name=[f"{row.ours} − {row.theirs}" for row in table.itertuples()])
    ends = np.array([0.0, shown["low"].min(), shown["high"].max()], dtype=np.float64)
    pad = 0.06 * (ends.max() - ends.min()) or 0.05
    span = (float(ends.min() - pad), float(ends.max() + pad))
    return _listed(shown, said, "difference of success (points)", span, width)


def _listed(
    table: pd.DataFrame, said: Sequence[str], title: str, span: geometry.Span, width: float
) -> Figure:
    """A row for every name: its point with the interval, and the same in words; long names stand above."""
    if table.empty:
        raise ValueError(f"{title}: the table has no rows")
    right = MARGIN + 0.1 + max(map(text_width, said))
    natural = max(map(text_width, table["name"]))
    stacked = natural > LONG_NAME * (width - right)
    left = MARGIN + (0.06 if stacked else natural + 0.1)
    row = 2 * NAME_ROW if stacked else ROW
    inside, tall = width - left - right, row * len(table)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, MARGIN + tall + AXIS))
        axes = place(figure, left, MARGIN, inside, tall)
        axes.set(xlim=span, ylim=(len(table) - 0.5, -0.5), yticks=[])
        _draw_intervals(axes, table, 0.22 if stacked else 0.0)
        places = geometry.ticks(span, most=int(min(max(inside / 0.45, 2), 6)))
        axes.set_xticks(places, [f"{100 * place:.0f}".replace("-", "−") for place in places])
        for number, (name, words) in enumerate(zip(table["name"], said, strict=True)):
            line = MARGIN + row * number + (0.75 * row if stacked else 0.5 * row) + 0.04
            write(figure, width - MARGIN, line, words, ha="right")
            if stacked:
                name = fitted(name, width - 2 * MARGIN)
                write(figure, MARGIN, MARGIN + row * number + 0.14, name, bbox=dict(_BLANK))
            else:
                write(figure, left - 0.1, line, name, ha="right")
        middle = max(left + inside / 2, MARGIN + text_width(title) / 2)
        write(figure, middle, MARGIN + tall + 0.31, title, ha="center")
    return figure


def _draw_intervals(axes: Axes, table: pd.DataFrame, below: float) -> None:
    """Points with their intervals, a little below the middle of their rows."""
    low, point, high = (table[name].to_numpy(dtype=np.float64) for name in ("low", "point", "high"))
    if axes.get_xlim()[0] < 0:
        axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.errorbar(
        point, np.arange(len(table)) + below, xerr=np.maximum([point - low, high - point], 0.0),
        color=style.POSITIVE, marker="o", linestyle="none", elinewidth=1.0, capsize=2, markersize=4.5,
        clip_on=False,
    )  # fmt: skip
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)


def _draw_rates(axes: Axes, table: pd.DataFrame, policies: Mapping[str, Look], bins: Sequence[str]) -> None:
    """Points with intervals, policies side by side within each bin."""
    places = 1.25 * geometry.dodge(len(policies))  # narrower columns than on the screen
    for number, (policy, look) in enumerate(policies.items()):
        own = table[table["policy"] == policy]
        success, low, high = (own[name].to_numpy(dtype=np.float64) for name in ("success", "low", "high"))
        reach = np.maximum([success - low, high - success], 0.0)
        axes.errorbar(
            np.arange(len(bins)) + places[number], success, yerr=reach,
            linestyle="none", elinewidth=1.0, capsize=1.5, clip_on=False, **look,
        )  # fmt: skip
    for edge in np.arange(1, len(bins)) - 0.5:
        axes.axvline(edge, color=style.GRID, linewidth=0.6)
    axes.set(xlim=(-0.5, len(bins) - 0.5), ylim=(0, 1), ylabel="success rate", xticks=range(len(bins)))
    axes.set_xticklabels(bins)
    tidy(axes, "y")


def _write_counts(
    axes: Axes, table: pd.DataFrame, policies: Mapping[str, Look], span: geometry.Span, inches: float
) -> None:
    """A row per policy: its marker, and n of every bin below the bin."""
    axes.set(xlim=span, ylim=(len(policies) - 0.5, -0.5))
    axes.set_axis_off()
    margin = axes.get_yaxis_transform()  # across: the axis is 0 to 1; down: rows
    for number, (policy, look) in enumerate(policies.items()):
        for place_, n in enumerate(table["n"][table["policy"] == policy]):
            axes.text(place_, number, str(n), ha="center", va="center")
        axes.text(-0.26 / inches, number, N_TITLE, transform=margin, ha="right", va="center")
        axes.plot(
            [-0.12 / inches], [number], linestyle="none", clip_on=False, transform=margin,
            **look,
        )  # fmt: skip


def _policy_look(number: int) -> Look:
    colour, shape = style.cycled(style.SERIES, number), style.cycled(style.MARKERS, number)
    return {"color": colour, "marker": shape, "markersize": 4.5}

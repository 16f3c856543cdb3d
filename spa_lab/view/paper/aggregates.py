"""Policies compared as bars, and by the aggregates of Agarwal et al. 2021 (arXiv:2108.13264)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, latex, looks
from spa_lab.view.paper.page import (
    MARGIN,
    Columns,
    Page,
    add_axes,
    add_text,
    lean_inward,
    page_of,
    text_width,
    wrapped_text,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.comparison_rows import comparison_rows, rate_text

ROW, HEAD, AXIS, GAP, LEAST = 0.22, 0.26, 0.4, 0.16, 0.95
"""Inches: a policy, the titles, the axis below, between panels, the least width of a panel."""
NAMES = 0.36
"""Largest share of the width that names take."""
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
"""Of bars, by the dash of the policy's look, so that a grey print tells apart what a colour does."""
AGGREGATES: Mapping[str, tuple[str, str, str, str, float]] = MappingProxyType(
    {
        "success": ("success", "low", "high", "mean (%)", 100.0),
        "iqm": ("iqm", "iqm_low", "iqm_high", "IQM (%)", 100.0),
        "improvement": ("improvement", "improvement_low", "improvement_high", "P(better)", 1.0),
    }
)
"""Panel -> columns of its value and interval, title, factor."""


def bars_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "success-bars",
    beside: Sequence[str] = (),
) -> PaperFigure:
    """A bar for the success rate of every method or ablation, with its interval and the numbers beside it.

    Args:
        table: of `tables.evaluation.success_table` or `tables.comparison.comparison_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    _check(table)
    page = page_of(columns)
    with page.printing():
        figure = _draw_bars(table, page.width, beside)
    caption = captions.rates(table)
    facts = captions.policy_facts(table)
    return PaperFigure(name, figure, table, caption, page, facts, latex.success_rows(table), keys=("policy",))


def aggregates_figure(
    table: pd.DataFrame,
    reference: str,
    *,
    columns: Columns | Page = 2,
    name: str = "aggregates",
    beside: Sequence[str] = (),
) -> PaperFigure:
    """Mean and interquartile mean of success, and the probability of improvement over the reference.

    Args:
        table: of `tables.comparison.comparison_table`.
        reference: the policy that others are compared with.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        beside: policies of the other figures of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    _check(table)
    page = page_of(columns)
    with page.printing():
        figure = _draw_aggregates(table, page.width, beside)
    better = (
        f", and probability that a seed is better than one of {reference} on a type of tasks"
        if table["improvement"].notna().any()
        else ""
    )
    resampled = (
        "with 95 % stratified bootstrap intervals over seeds; no interval of one seed, or where the "
        "resamples do not differ"
        if table["iqm_low"].notna().any()
        else "without intervals over seeds"
    )
    caption = (
        f"Mean success with {captions.intervals(table)}; interquartile mean (IQM) of the success rates of "
        f"seeds on types of tasks{better}, {resampled}."
    )
    tabular = latex.booktabs(*comparison_rows(table, reference))
    facts = captions.policy_facts(table)
    return PaperFigure(name, figure, table, caption, page, facts, tabular, keys=("policy",))


def _check(table: pd.DataFrame) -> None:
    if table.empty:
        raise ValueError("policies compared: the table has no rows")


def _names(table: pd.DataFrame, width: float) -> list[str]:
    """What stands on the left: names in one or two lines."""
    return ["\n".join(wrapped_text(policy, NAMES * width, 2)) for policy in table["policy"]]


def _row(names: Sequence[str]) -> float:
    """Inches of a policy."""
    return ROW + 0.1 * any("\n" in name for name in names)


def _widest(names: Sequence[str]) -> float:
    return max(text_width(line) for name in names for line in name.split("\n"))


def _draw_bars(table: pd.DataFrame, width: float, beside: Sequence[str]) -> Figure:
    names = _names(table, width)
    numbers = [rate_text(row.success, row.low, row.high) for row in table.itertuples()]
    left = MARGIN + 0.1 + _widest(names)
    right = MARGIN + 0.08 + max(map(text_width, numbers))
    if width - left - right < LEAST:  # numbers go, they are in the table
        numbers, right = [], MARGIN + 0.1
    row_height = _row(names)
    plot, body = width - left - right, row_height * len(table)
    figure = Figure(figsize=(width, MARGIN + body + AXIS))
    axes = add_axes(figure, left, MARGIN, plot, body)
    value, low, high = (table[column].to_numpy(dtype=np.float64) for column in ("success", "low", "high"))
    apart = style.looks_beside([*beside, *table["policy"]])
    for row, (policy, rate) in enumerate(zip(table["policy"], value, strict=True)):
        look = apart[policy]
        hatch = HATCHES[style.DASHES.index(look.dash)]
        axes.barh(
            row, rate, height=0.68, facecolor=look.colour, edgecolor=style.WHITE, linewidth=0, hatch=hatch
        )
    reach = np.nan_to_num(np.maximum([value - low, high - value], 0.0))
    _, caps, bars = axes.errorbar(
        value, np.arange(len(table)), xerr=reach, ecolor=style.INK, capsize=2, fmt="none", elinewidth=1
    )
    for line in (*caps, *bars):  # seen on dark bars, too
        line.set_path_effects([withStroke(linewidth=2.5, foreground=style.WHITE)])
    ticks = geometry.ticks((0.0, 1.0), most=int(min(max(plot / 0.45, 2), 6)))
    _finish(axes, len(table), names, (0.0, 1.0), [(tick, f"{100 * tick:.0f}") for tick in ticks])
    for row, text in enumerate(numbers):
        add_text(figure, width - MARGIN, MARGIN + row_height * (row + 0.5) + 0.04, text, ha="right")
    add_text(figure, left + plot / 2, MARGIN + body + AXIS - 0.08, "success rate (%)", ha="center")
    return figure


def _draw_aggregates(table: pd.DataFrame, width: float, beside: Sequence[str]) -> Figure:
    apart = style.looks_beside([*beside, *table["policy"]])
    names = _names(table, width)
    left = MARGIN + 0.1 + _widest(names)
    free = width - left - MARGIN
    fit = max(int((free + GAP) / (LEAST + GAP)), 1)
    shown = [key for key in AGGREGATES if table[AGGREGATES[key][0]].notna().any()]
    across = min(fit, len(shown))
    if across < len(shown):  # below each other
        across = 1
    panel = (free + GAP) / across - GAP
    body = _row(names) * len(table)
    down = -(-len(shown) // across)
    figure = Figure(figsize=(width, down * (HEAD + body + AXIS - 0.12)))
    for index, key in enumerate(shown):
        row, column = divmod(index, across)
        top = row * (HEAD + body + AXIS - 0.12) + HEAD
        axes = add_axes(figure, left + column * (panel + GAP), top, panel, body)
        _draw_points(axes, table, key, apart)
        span, ticks = _axis(table, key, panel)
        _finish(axes, len(table), names if column == 0 else [], span, ticks)
        if across > 1:
            lean_inward(axes)
        axes.set_title(AGGREGATES[key][3], pad=3)
    return figure


def _axis(table: pd.DataFrame, key: str, panel: float) -> tuple[geometry.Span, list[tuple[float, str]]]:
    """Limits, and ticks with their labels."""
    factor = AGGREGATES[key][4]
    if key == "improvement":
        return (0.0, 1.0), [(0.0, "0"), (0.5, "0.5"), (1.0, "1")]
    ends = table[list(AGGREGATES[key][:3])].to_numpy(dtype=np.float64)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    pad = 0.08 * (high - low) or 0.05
    span = max(low - pad, 0.0), min(high + pad, 1.0)
    ticks = geometry.ticks(span, most=3)
    return span, [(float(tick), f"{factor * tick:g}") for tick in ticks]


def _draw_points(axes: Axes, table: pd.DataFrame, key: str, apart: Mapping[str, style.Look]) -> None:
    value, low, high = (table[column].to_numpy(dtype=np.float64) for column in AGGREGATES[key][:3])
    if key == "improvement":
        axes.axvline(0.5, color=style.MUTED, linewidth=0.8, linestyle=":")
    reach = np.nan_to_num(np.maximum([value - low, high - value], 0.0))
    for row, policy in enumerate(table["policy"]):
        if np.isfinite(value[row]):
            axes.errorbar(
                [value[row]], [row], xerr=reach[:, [row]], linestyle="none", elinewidth=1.0, capsize=2,
                clip_on=False, **looks.marker_of(apart[policy]),
            )  # fmt: skip


def _finish(
    axes: Axes, n_rows: int, names: Sequence[str], span: geometry.Span, ticks: Sequence[tuple[float, str]]
) -> None:
    """Names on the left, ticks, a faint grid."""
    axes.set(xlim=span, ylim=(n_rows - 0.5, -0.5))
    axes.set_yticks(range(len(names)), list(names), linespacing=1.0)
    axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
    axes.tick_params(length=2, pad=2)
    axes.tick_params(axis="y", length=0, pad=5)
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)

"""One trajectory on paper, steps across: how credits add up, and what PPO makes of one of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Look,
    draw_legend,
    flowed,
    mark,
    place,
    tidy,
    whole_ticks,
)
from spa_lab.view.paper.rows import (
    NEGATIVE_LOOK,
    OUTCOME_LOOK,
    POSITIVE_LOOK,
    REFUSED_LOOK,
    TRUTH_LOOK,
    draw_diamonds,
    path_look,
)
from spa_lab.view.tables.advantages import credit_term, grounding_term
from spa_lab.view.tables.trajectory import running_sum
from spa_lab.view.text import UNGROUNDED, shortened, truth_label

LEFT, AXIS, TALL, PANEL, GAP = 0.55, 0.4, 1.7, 1.0, 0.14
"""Inches: the axis on the left and below, the sums, one of the explorer's panels, between panels."""
GROUNDING_LOOK: Look = {"facecolor": style.WHITE, "edgecolor": style.INK, "linewidth": 0.6, "hatch": "....."}
TERMINAL_LOOK: Look = {"color": style.SOURCES[1], "linewidth": 1.3, "linestyle": "--"}
REACH_LOOK: Look = {"color": style.INK, "linewidth": 1.3, "marker": "o", "markersize": 2.5}


def running_sum_paper(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    width: float = TWO_COLUMNS,
) -> Figure:
    """Base value plus contributions so far, of any number of sources, against the measured V and R.

    Args:
        trajectory: T steps.
        credits: at least one, all of this trajectory.
        truth: a measurement of this trajectory.
        width: inches.

    Raises:
        ValueError: as `paper.contributions_paper`, but for the number of credits.
    """
    geometry.check_drawable(trajectory, credits, truth)
    handles: list[Artist] = [
        mark(f"base + Σĉ, {shortened(credit.source, 26)}", _sum_look(number))
        for number, credit in enumerate(credits)
    ]
    if truth:
        handles.append(mark(f"V, {truth_label(truth)} ± 1 s.e.", TRUTH_LOOK))
    handles.append(mark("outcome R", OUTCOME_LOOK))
    if not trajectory.grounded.all():
        handles.append(mark(UNGROUNDED, REFUSED_LOOK))
    rows = flowed(handles, width - 2 * MARGIN)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, MARGIN + TALL + AXIS + LEGEND_ROW * len(rows) + 0.04))
        inside = width - LEFT - MARGIN
        axes = place(figure, LEFT, MARGIN, inside, TALL)
        _draw_sums(axes, trajectory, credits, truth)
        axes.set_xticks(whole_ticks(len(trajectory), inside))
        draw_legend(figure, rows, MARGIN, MARGIN + TALL + AXIS)
    return figure


def advantages_paper(table: pd.DataFrame, *, width: float = TWO_COLUMNS) -> Figure:
    """What every step is paid, how hard it is pushed, and how far a reward at the end travels back.

    Args:
        table: of `explore.advantage_table`.
        width: inches.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("advantages: the table has no rows")
    handles: list[Artist] = [
        Patch(**POSITIVE_LOOK, label=f"{credit_term(table)} and advantage > 0"),
        Patch(**NEGATIVE_LOOK, label="< 0"),
        Patch(**GROUNDING_LOOK, label=f"{grounding_term(table)}, from grounding"),
        mark("advantage if R were the only reward", TERMINAL_LOOK),
        mark("share of a reward at the end that arrives", REACH_LOOK),
    ]
    rows = flowed(handles, width - 2 * MARGIN)
    foot = MARGIN + 3 * PANEL + 2 * GAP + AXIS
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, foot + LEGEND_ROW * len(rows) + 0.04))
        inside = width - LEFT - MARGIN
        for number, draw in enumerate((_draw_rewards, _draw_advantages, _draw_reach)):
            axes = place(figure, LEFT, MARGIN + number * (PANEL + GAP), inside, PANEL)
            draw(axes, table)
            axes.set_xlim(-0.6, len(table) - 0.4)
            axes.set_xticks(whole_ticks(len(table) - 1, inside))
            axes.locator_params(axis="y", nbins=4)
            axes.yaxis.set_label_coords(-0.4 / inside, 0.5)
            tidy(axes, "y")
            if number < 2:
                axes.set_xticklabels([])
        axes.set_xlabel("step")
        draw_legend(figure, rows, MARGIN, foot)
    return figure


def _sum_look(number: int) -> Look:
    """As in the rows, with a marker besides."""
    return path_look(number) | {"marker": style.cycled(style.MARKERS, number), "markersize": 3}


def _draw_sums(
    axes: Axes, trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None
) -> None:
    edges = np.arange(len(trajectory) + 1)
    low, high = geometry.path_span(credits, [truth] if truth else [])
    low -= 0.07 * (high - low)  # room for the marks of refused steps
    axes.axhline(trajectory.outcome, zorder=3, **OUTCOME_LOOK)
    for number, credit in enumerate(credits):
        axes.plot(edges, running_sum(credit), **_sum_look(number))
    if truth:
        draw_diamonds(axes, edges, truth.values, yerr=truth.standard_error)
    refused = np.flatnonzero(~trajectory.grounded)
    axes.plot(refused + 0.5, np.full(len(refused), low + 0.04 * (high - low)), **REFUSED_LOOK)
    axes.set(xlim=(-0.3, len(trajectory) + 0.3), ylim=(low, high), ylabel="outcome units")
    axes.set_xlabel("steps taken")
    axes.locator_params(axis="y", nbins=5)
    tidy(axes, "y")


def _draw_rewards(axes: Axes, table: pd.DataFrame) -> None:
    _signed_bars(axes, table["step"] - 0.2, table["from_credit"], 0.38)
    axes.bar(table["step"] + 0.2, table["from_grounding"], width=0.38, **GROUNDING_LOOK)
    axes.axhline(0, color=style.INK, linewidth=0.6)
    axes.set_ylabel("reward")


def _draw_advantages(axes: Axes, table: pd.DataFrame) -> None:
    _signed_bars(axes, table["step"], table["advantage"], 0.66)
    axes.plot(table["step"], table["terminal"], **TERMINAL_LOOK)
    axes.axhline(0, color=style.INK, linewidth=0.6)
    axes.set_ylabel("advantage")


def _signed_bars(axes: Axes, x: pd.Series, values: pd.Series, width: float) -> None:
    negative = values < 0
    for chosen, look in ((~negative, POSITIVE_LOOK), (negative, NEGATIVE_LOOK)):
        axes.bar(x[chosen], values[chosen], width=width, **look)


def _draw_reach(axes: Axes, table: pd.DataFrame) -> None:
    axes.plot(table["step"], table["reach"], **REACH_LOOK)
    axes.set(ylim=(-0.03, 1.05), ylabel="reach")

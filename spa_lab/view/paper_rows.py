"""The rows of a trajectory on paper, in inches: step, action, bars of every credit, how they add up.

Everything is placed by hand, so that rows line up, nothing overlaps and the same input gives the same file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.frames import progress_error
from spa_lab.view.geometry import Span
from spa_lab.view.text import (
    UNGROUNDED,
    decimal_places,
    facts,
    one_line,
    shortened,
    signed,
    step_label,
    sum_caption,
)

Look = dict[str, Any]
"""Keywords of an artist."""

ROW = 0.165
HEAD = 1.12
"""Title, facts, titles of the columns and their axes, above the first row."""
BAR_WIDTH, PATH_WIDTH, NUMBER_WIDTH, GAP = 1.35, 1.1, 0.46, 0.16
STEP_WIDTH, MARK_WIDTH = 0.26, 0.75
"""Inches, all of the above."""
LABEL_WIDTH = 38
"""Characters."""
TITLE_SIZE = 9
"""Points."""
POSITIVE_LOOK: Look = {"color": style.POSITIVE, "linewidth": 0}
NEGATIVE_LOOK: Look = {
    "facecolor": style.NEGATIVE,
    "edgecolor": style.WHITE,  # of the hatching
    "linewidth": 0,
    "hatch": "/////",
}
OUTCOME_LOOK: Look = {"color": style.INK, "linewidth": 1.0, "linestyle": (0, (4, 2))}
TRUTH_LOOK: Look = {
    "color": style.WHITE,
    "markeredgecolor": style.INK,
    "marker": "D",
    "markersize": 3.2,
    "markeredgewidth": 0.8,
    "linestyle": "none",
}
ERROR_LOOK: Look = {"fmt": "none", "elinewidth": 0.8, "capsize": 1.5, "clip_on": False}


@dataclass(frozen=True, eq=False)
class Block:
    """One trajectory with its credits, ready to be drawn."""

    trajectory: Trajectory
    credits: Sequence[Credit]
    truth: ValueTruth | None
    bars: Span
    """Common axis of the contributions."""
    paths: Span
    """Common axis of what adds up."""

    @cached_property
    def labels(self) -> list[str]:
        """(T,) the actions, shortened."""
        return [step_label(self.trajectory, step, LABEL_WIDTH) for step in range(len(self.trajectory))]

    @cached_property
    def label_width(self) -> float:
        """Inches, from the step's number to the first bars."""
        mark = 0.0 if self.trajectory.grounded.all() else MARK_WIDTH
        return STEP_WIDTH + max(map(text_width, self.labels)) + mark + GAP

    @property
    def width(self) -> float:
        """Inches."""
        return self.label_width + len(self.credits) * (BAR_WIDTH + NUMBER_WIDTH + GAP) + PATH_WIDTH

    @property
    def height(self) -> float:
        """Inches."""
        return HEAD + ROW * len(self.trajectory)


def text_width(text: str, *, bold: bool = False) -> float:
    """Inches of a line of text at the common size."""
    font = FontProperties(family=style.PAPER_FONT[0], weight="bold" if bold else "normal")
    plain = text.replace("$", "S")  # as wide, and no mathematics
    # curves lie within their control points; their exact extents take ten times as long
    outline = TextPath((0, 0), plain, size=style.PAPER_SIZE, prop=font).vertices
    return float(outline[:, 0].max(initial=0.0)) / 72


def fitted(text: str, width: float, *, bold: bool = False) -> str:
    """The text on one line, shortened to a width in inches."""
    line = one_line(text)
    n = len(line)
    while n > 1 and text_width(shortened(line, n), bold=bold) > width:
        n = min(n - 1, int(n * width / text_width(shortened(line, n), bold=bold)) + 1)
    return shortened(line, n)


def draw(figure: Figure, block: Block, left: float) -> None:
    """Draw a block with its left edge at `left` and its head at the figure's top, in inches."""
    title = fitted(block.trajectory.instruction, block.width * style.PAPER_SIZE / TITLE_SIZE, bold=True)
    _write(figure, left, 0.18, title, weight="bold", size=TITLE_SIZE)
    _write(figure, left, 0.36, fitted(facts(block.trajectory), block.width), color=style.MUTED)
    sheet = _axes(figure, block, left, block.width)
    _draw_sheet(sheet, block)
    right = block.label_width
    for credit in block.credits:
        start, right = right, right + BAR_WIDTH + NUMBER_WIDTH
        title_width = BAR_WIDTH + NUMBER_WIDTH
        _write_column_title(figure, left + start, title_width, credit.source, sum_caption(credit))
        _draw_bars(_axes(figure, block, left + start, BAR_WIDTH), block, credit)
        places = decimal_places(credit.contributions)
        for step, value in enumerate(credit.contributions):
            sheet.text(right, step, signed(value, places), ha="right", va="center")
        right += GAP
    _write_column_title(figure, left + right, PATH_WIDTH, "adding up", "base + Σĉ so far")
    _draw_paths(_axes(figure, block, left + right, PATH_WIDTH), block)


def _write(figure: Figure, x: float, y: float, text: str, **look: Any) -> None:
    """A line of text; x from the left, y from the top to its base line, in inches."""
    width, height = figure.get_size_inches()
    figure.text(x / width, 1 - y / height, text, va="baseline", **look)


def _write_column_title(figure: Figure, x: float, width: float, title: str, caption: str) -> None:
    _write(figure, x, 0.66, fitted(title, width, bold=True), weight="bold")
    _write(figure, x, 0.82, fitted(caption, width))


def _axes(figure: Figure, block: Block, left: float, width: float) -> Axes:
    """Axes over the rows of the block, in inches; nothing drawn but the axis on top."""
    total_width, total_height = figure.get_size_inches()
    height = ROW * len(block.trajectory)
    bottom = total_height - HEAD - height
    axes = figure.add_axes(
        (left / total_width, bottom / total_height, width / total_width, height / total_height)
    )
    axes.set_ylim(len(block.trajectory) - 0.5, -0.5)
    axes.set_yticks([])
    axes.xaxis.tick_top()
    axes.tick_params(length=2, pad=2)
    axes.patch.set_visible(False)
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["top"].set_position(("outward", 3))
    axes.set_axisbelow(True)
    return axes


def _draw_sheet(sheet: Axes, block: Block) -> None:
    """Stripes, steps and actions over the whole width; its x is in inches from the block's left edge."""
    sheet.set_xlim(0, block.width)
    sheet.set_axis_off()
    for step, label in enumerate(block.labels):
        if step % 2 == 0:
            sheet.axhspan(step - 0.5, step + 0.5, color=style.STRIPE, linewidth=0, zorder=0)
        sheet.text(STEP_WIDTH - 0.08, step, str(step), ha="right", va="center", color=style.MUTED)
        sheet.text(STEP_WIDTH, step, label, va="center")
        if not block.trajectory.steps[step].grounded:
            sheet.text(block.label_width - GAP, step, UNGROUNDED, ha="right", va="center", style="italic")


def _draw_bars(axes: Axes, block: Block, credit: Credit) -> None:
    """One bar per step; negative ones in another colour and hatched."""
    rows = np.arange(len(credit))
    negative = credit.contributions < 0
    for chosen, look in ((~negative, POSITIVE_LOOK), (negative, NEGATIVE_LOOK)):
        axes.barh(rows[chosen], credit.contributions[chosen], height=0.66, **look)
    if credit.standard_error is not None:
        low, high = credit.contributions - credit.standard_error, credit.contributions + credit.standard_error
        axes.hlines(rows, low, high, color=style.BAND, linewidth=2)
    if block.truth:
        _draw_diamonds(axes, block.truth.progress, progress_error(block.truth), rows)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    _finish(axes, block.bars)


def _draw_paths(axes: Axes, block: Block) -> None:
    """What has added up at every edge between rows, the measured values there, and R."""
    rows = geometry.edges(len(block.trajectory))
    axes.axvline(block.trajectory.outcome, zorder=3, **OUTCOME_LOOK)
    for number, credit in enumerate(block.credits):
        axes.plot(geometry.path(credit), rows, **path_look(number))
    if block.truth:
        _draw_diamonds(axes, block.truth.values, block.truth.standard_error, rows)
    _finish(axes, block.paths)


def path_look(number: int) -> Look:
    """The line of credit source `number`."""
    colour, dash = style.cycled(style.SOURCES, number), style.cycled(style.DASHES, number)
    return {"color": colour, "linestyle": dash, "linewidth": 1.4, "clip_on": False}


def _draw_diamonds(axes: Axes, values: np.ndarray, errors: np.ndarray, rows: np.ndarray) -> None:
    axes.errorbar(values, rows, xerr=errors, ecolor=style.INK, zorder=3, **ERROR_LOOK)
    axes.plot(values, rows, zorder=4, clip_on=False, **TRUTH_LOOK)


def _finish(axes: Axes, span: Span) -> None:
    axes.set_xlim(span)
    axes.set_xticks(geometry.ticks(span))
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)

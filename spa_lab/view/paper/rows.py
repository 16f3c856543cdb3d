"""The rows of a trajectory on paper: step, action, bars of every credit, how they add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.geometry import Span
from spa_lab.view.paper.page import MARGIN, Look, fitted, place, round_ticks, text_width, write
from spa_lab.view.tables.frames import progress_error
from spa_lab.view.tables.trajectory import running_sum
from spa_lab.view.text import decimal_places, facts, signed, step_label, sum_caption

ROW = 0.165
HEAD = 0.92
"""Title, facts, titles of the columns and their axes, above the first row; a line of a caption is more."""
NUMBER_WIDTH, GAP, STEP_WIDTH, MARK_WIDTH = 0.44, 0.12, 0.22, 0.13
LEAST_BAR, LEAST_LABEL = 0.5, 0.9
"""Narrower columns could not be read. Inches, all of the above."""
LABEL_SHARE = 0.58
"""Of what is left beside numbers and gaps, the most that the actions take; less by 0.04 for each source."""
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
REFUSED_LOOK: Look = {"color": style.INK, "marker": "x", "markersize": 4, "linestyle": "none"}
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
    width: float
    """Inches."""

    def __post_init__(self) -> None:
        least = self._beside + LEAST_LABEL + LEAST_BAR * (len(self.credits) + 1)
        if self.width < least - 1e-9:
            raise ValueError(
                f"trajectory {self.trajectory.id!r}: {len(self.credits)} sources side by side need "
                f"{least:.2f} inches, there are {self.width:.2f}; draw fewer"
            )

    @property
    def _beside(self) -> float:
        """Inches of numbers and gaps."""
        return len(self.credits) * (NUMBER_WIDTH + GAP) + GAP

    @cached_property
    def label_width(self) -> float:
        """Inches, from the step's number to the first bars."""
        labels = (step_label(self.trajectory, step, LABEL_WIDTH) for step in range(len(self.trajectory)))
        natural = STEP_WIDTH + max(map(text_width, labels)) + self.mark_width
        free = self.width - self._beside
        bars = LEAST_BAR * (len(self.credits) + 1)
        share = LABEL_SHARE - 0.04 * len(self.credits)
        return min(max(min(natural, share * free), LEAST_LABEL), free - bars)

    @cached_property
    def labels(self) -> list[str]:
        """(T,) the actions, shortened to fit."""
        room = self.label_width - STEP_WIDTH - self.mark_width
        every = (step_label(self.trajectory, step, LABEL_WIDTH) for step in range(len(self.trajectory)))
        return [fitted(label, room) for label in every]

    @property
    def mark_width(self) -> float:
        """Inches for the marks of ungrounded steps."""
        return 0.0 if self.trajectory.grounded.all() else MARK_WIDTH

    @property
    def bar_width(self) -> float:
        """Inches of one column of bars, and of the sums."""
        return (self.width - self._beside - self.label_width) / (len(self.credits) + 1)

    def captions(self, credit: Credit) -> list[str]:
        """What stands under the title of a column, in as many lines as it needs."""
        whole = sum_caption(credit)
        return [whole] if text_width(whole) <= self.bar_width + NUMBER_WIDTH else whole.split(", ")

    @cached_property
    def head(self) -> float:
        """Inches above the first row."""
        return HEAD + ROW * max(len(self.captions(credit)) for credit in self.credits)

    @property
    def rows(self) -> float:
        """Inches of all rows."""
        return ROW * len(self.trajectory)


def most_sources(width: float) -> int:
    """How many sources have room side by side on a page of so many inches."""
    free = width - 2 * MARGIN - GAP - LEAST_LABEL - LEAST_BAR
    return int(free / (NUMBER_WIDTH + GAP + LEAST_BAR))


def draw(figure: Figure, block: Block, left: float, head: float) -> None:
    """Draw a block with its left edge at `left` and its rows from `head` on, in inches."""
    title = fitted(block.trajectory.instruction, block.width, bold=True, size=TITLE_SIZE)
    write(figure, left, 0.18, title, weight="bold", size=TITLE_SIZE)
    write(figure, left, 0.36, fitted(facts(block.trajectory), block.width), color=style.MUTED)
    sheet = _axes(figure, block, left, head, block.width)
    _draw_sheet(sheet, block)
    right = block.label_width + GAP
    for credit in block.credits:
        start, right = right, right + block.bar_width + NUMBER_WIDTH
        _write_column_title(figure, left + start, right - start, credit.source, block.captions(credit))
        _draw_bars(_axes(figure, block, left + start, head, block.bar_width), block, credit)
        places = decimal_places(credit.contributions)
        for step, value in enumerate(credit.contributions):
            sheet.text(right, step, signed(value, places), ha="right", va="center")
        right += GAP
    _write_column_title(figure, left + right, block.bar_width, "sum", ["base + Σĉ"])
    _draw_paths(_axes(figure, block, left + right, head, block.bar_width), block)


def path_look(number: int) -> Look:
    """The line of credit source `number`."""
    colour, dash = style.cycled(style.SOURCES, number), style.cycled(style.DASHES, number)
    return {"color": colour, "linestyle": dash, "linewidth": 1.4, "clip_on": False}


def draw_diamonds(axes: Axes, x: np.ndarray, y: np.ndarray, **errors: Any) -> None:
    """Measured values with standard errors `xerr` or `yerr`."""
    axes.errorbar(x, y, ecolor=style.INK, zorder=3, **ERROR_LOOK, **errors)
    axes.plot(x, y, zorder=4, clip_on=False, **TRUTH_LOOK)


def _write_column_title(figure: Figure, x: float, width: float, title: str, captions: list[str]) -> None:
    write(figure, x, 0.64, fitted(title, width, bold=True), weight="bold")
    for number, caption in enumerate(captions):
        write(figure, x, 0.80 + ROW * number, fitted(caption, width))


def _axes(figure: Figure, block: Block, left: float, head: float, width: float) -> Axes:
    """Axes over the rows of the block, in inches; nothing drawn but the axis on top."""
    axes = place(figure, left, head, width, block.rows)
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
        sheet.text(STEP_WIDTH - 0.07, step, str(step), ha="right", va="center", color=style.MUTED)
        sheet.text(STEP_WIDTH, step, label, va="center")
    refused = np.flatnonzero(~block.trajectory.grounded)
    sheet.plot(np.full(len(refused), block.label_width - 0.04), refused, **REFUSED_LOOK)


def _draw_bars(axes: Axes, block: Block, credit: Credit) -> None:
    """A credit's bars with the source's standard errors, and the measured progress over them."""
    rows = np.arange(len(credit))
    negative = credit.contributions < 0
    for chosen, look in ((~negative, POSITIVE_LOOK), (negative, NEGATIVE_LOOK)):
        axes.barh(rows[chosen], credit.contributions[chosen], height=0.66, **look)
    if credit.standard_error is not None:
        low, high = credit.contributions - credit.standard_error, credit.contributions + credit.standard_error
        axes.hlines(rows, low, high, color=style.BAND, linewidth=2)
    if block.truth:
        draw_diamonds(axes, block.truth.progress, rows, xerr=progress_error(block.truth))
    axes.axvline(0, color=style.INK, linewidth=0.8)
    _finish(axes, block.bars, block.bar_width)


def _draw_paths(axes: Axes, block: Block) -> None:
    """What has added up at every edge between rows, the measured values there, and R."""
    rows = geometry.edges(len(block.trajectory))
    axes.axvline(block.trajectory.outcome, zorder=3, **OUTCOME_LOOK)
    for number, credit in enumerate(block.credits):
        axes.plot(running_sum(credit), rows, **path_look(number))
    if block.truth:
        draw_diamonds(axes, block.truth.values, rows, xerr=block.truth.standard_error)
    _finish(axes, block.paths, block.bar_width)


def _finish(axes: Axes, span: Span, width: float) -> None:
    axes.set_xlim(span)
    axes.set_xticks(*round_ticks(span, width))
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)

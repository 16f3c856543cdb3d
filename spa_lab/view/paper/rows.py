"""One trajectory as a block of rows: step, action, bars of every source, running sum.

A run of equal steps is one row, see `tables.folding`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.geometry import Span
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.page import MARGIN, add_axes, add_text, fit_text, round_ticks, text_width
from spa_lab.view.tables.folding import folded
from spa_lab.view.tables.trajectory import running_sum
from spa_lab.view.text import decimal_places, facts, signed, step_label, sum_caption

ROW = 0.165
HEAD = 0.92
"""Title, facts, column titles and their axes, above the first row; each caption line adds a `ROW`."""
NUMBER_WIDTH, GAP, STEP_WIDTH, MARK_WIDTH = 0.44, 0.12, 0.22, 0.13
LEAST_BAR, LEAST_LABEL = 0.5, 0.9
"""Narrower columns would be illegible. All of the above in inches."""
LABEL_SHARE = 0.58
"""Largest share of the width without numbers and gaps that actions take; 0.04 less for each source."""
LABEL_WIDTH = 38
"""Characters."""
LARGER = 1
"""Points by which the title is larger than other text."""


@dataclass(frozen=True, eq=False)
class Block:
    """One trajectory with its credits and the measurements that its layout needs."""

    trajectory: Trajectory
    credits: Sequence[Credit]
    truth: ValueTruth | None
    bars: Span
    """Common axis of the contributions."""
    sums: Span
    """Common axis of the running sums."""
    width: float
    """Inches."""
    titles: Mapping[str, str]
    """Source -> what it is called."""

    def __post_init__(self) -> None:
        least = self._beside + LEAST_LABEL + LEAST_BAR * (len(self.credits) + 1)
        if self.width < least - 1e-9:
            raise ValueError(
                f"trajectory {self.trajectory.id!r}: {len(self.credits)} sources side by side need "
                f"{least:.2f} inches, there are {self.width:.2f}; draw fewer"
            )

    @property
    def _beside(self) -> float:
        """Inches that numbers and gaps take."""
        return len(self.credits) * (NUMBER_WIDTH + GAP) + GAP

    @cached_property
    def rows(self) -> list[range]:
        """The steps of every row."""
        return folded(self.credits, self.truth)

    @property
    def bounds(self) -> list[int]:
        """(rows + 1,) steps taken before every row, and after the last."""
        return [0, *(run[-1] + 1 for run in self.rows)]

    @cached_property
    def _whole_labels(self) -> list[str]:
        """(rows,) what the rows are called."""
        return [
            step_label(self.trajectory, run[0], LABEL_WIDTH) if len(run) == 1 else f"… {len(run)} more:"
            for run in self.rows
        ]

    @cached_property
    def label_width(self) -> float:
        """Inches, from the step's number to the first bars."""
        natural = STEP_WIDTH + max(map(text_width, self._whole_labels)) + self.mark_width
        free = self.width - self._beside
        bars = LEAST_BAR * (len(self.credits) + 1)
        share = LABEL_SHARE - 0.04 * len(self.credits)
        return min(max(min(natural, share * free), LEAST_LABEL), free - bars)

    @cached_property
    def labels(self) -> list[str]:
        """(rows,) the actions, shortened to fit."""
        available = self.label_width - STEP_WIDTH
        return [
            fit_text(label, available - (self.mark_width if len(run) == 1 else 0.0))
            for run, label in zip(self.rows, self._whole_labels, strict=True)
        ]

    @property
    def mark_width(self) -> float:
        """Inches for the marks of ungrounded steps."""
        return MARK_WIDTH if len(self.trajectory.ungrounded) else 0.0

    @property
    def bar_width(self) -> float:
        """Inches of one column of bars, and of the column of running sums."""
        return (self.width - self._beside - self.label_width) / (len(self.credits) + 1)

    def captions(self, credit: Credit) -> list[str]:
        """Lines below a column title."""
        whole = sum_caption(credit)
        return [whole] if text_width(whole) <= self.bar_width + NUMBER_WIDTH else whole.split(", ")

    @cached_property
    def head(self) -> float:
        """Inches above the first row."""
        return HEAD + ROW * max(len(self.captions(credit)) for credit in self.credits)

    @property
    def height(self) -> float:
        """Inches of all rows."""
        return ROW * len(self.rows)


def most_sources(width: float) -> int:
    """Number of sources that fit side by side on a page of `width` inches."""
    free = width - 2 * MARGIN - GAP - LEAST_LABEL - LEAST_BAR
    return int(free / (NUMBER_WIDTH + GAP + LEAST_BAR))


def draw(
    figure: Figure, block: Block, left: float, head: float, lines: Mapping[str, looks.Properties]
) -> None:
    """Draw a block; `left` is its left edge and `head` the upper edge of its first row, in inches.

    `lines` are those of the running sums by source.
    """
    size = rcParams["font.size"] + LARGER
    title = fit_text(block.trajectory.instruction, block.width, bold=True, size=size)
    add_text(figure, left, 0.18, title, weight="bold", size=size)
    add_text(figure, left, 0.36, fit_text(facts(block.trajectory), block.width), color=style.MUTED)
    sheet = _axes(figure, block, left, head, block.width)
    _draw_sheet(sheet, block)
    right = block.label_width + GAP
    for credit in block.credits:
        start, right = right, right + block.bar_width + NUMBER_WIDTH
        _write_column_title(
            figure,
            left + start,
            right - start,
            captions.titled(credit.source, block.titles),
            block.captions(credit),
        )
        _draw_bars(_axes(figure, block, left + start, head, block.bar_width), block, credit)
        places = decimal_places(credit.contributions)
        for row, run in enumerate(block.rows):
            value = signed(credit.contributions[run[0]], places)
            sheet.text(right, row, value, ha="right", va="center")
        right += GAP
    # the formula is wider than the narrowest bars, and may use the margin
    _write_column_title(figure, left + right, block.bar_width + MARGIN, "sum", ["base + Σĉ"])
    _draw_sums(_axes(figure, block, left + right, head, block.bar_width), block, lines)


def _write_column_title(figure: Figure, x: float, width: float, title: str, lines: list[str]) -> None:
    add_text(figure, x, 0.64, fit_text(title, width, bold=True), weight="bold")
    for index, line in enumerate(lines):
        add_text(figure, x, 0.80 + ROW * index, fit_text(line, width))


def _axes(figure: Figure, block: Block, left: float, head: float, width: float) -> Axes:
    """Axes over the rows of the block, with an x axis on top; `left`, `head` and `width` in inches."""
    axes = add_axes(figure, left, head, width, block.height)
    axes.set_ylim(len(block.rows) - 0.5, -0.5)
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
    """Stripes, step numbers and actions; x is in inches from the left edge of the block."""
    sheet.set_xlim(0, block.width)
    sheet.set_axis_off()
    for row, (run, label) in enumerate(zip(block.rows, block.labels, strict=True)):
        if row % 2 == 0:
            sheet.axhspan(row - 0.5, row + 0.5, color=style.STRIPE, linewidth=0, zorder=0)
        sheet.text(STEP_WIDTH - 0.07, row, str(run[0]), ha="right", va="center", color=style.MUTED)
        sheet.text(STEP_WIDTH, row, label, va="center")
    refused = set(block.trajectory.ungrounded)
    ungrounded = [row for row, run in enumerate(block.rows) if len(run) == 1 and run[0] in refused]
    sheet.plot(np.full(len(ungrounded), block.label_width - 0.04), ungrounded, **looks.UNGROUNDED_STEP)


def _draw_bars(axes: Axes, block: Block, credit: Credit) -> None:
    """Bars of one source with its standard errors, and the measured progress over them."""
    rows, first = np.arange(len(block.rows)), [run[0] for run in block.rows]
    values = credit.contributions[first]
    negative = values < 0
    for subset, look in ((~negative, looks.POSITIVE), (negative, looks.NEGATIVE)):
        axes.barh(rows[subset], values[subset], height=0.66, **look)
    if credit.standard_error is not None:
        error = credit.standard_error[first]
        axes.hlines(rows, values - error, values + error, color=style.BAND, linewidth=2)
    if block.truth:
        taken = np.diff(block.bounds)
        progress = np.diff(block.truth.values[block.bounds]) / taken
        errors = np.hypot(
            *(block.truth.standard_error[ends] for ends in (block.bounds[:-1], block.bounds[1:]))
        )
        looks.draw_measured(axes, progress, rows, xerr=errors / taken)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    _set_x_axis(axes, block.bars, block.bar_width)


def _draw_sums(axes: Axes, block: Block, lines: Mapping[str, looks.Properties]) -> None:
    """Running sums at the edges between rows, the measured values there, and R."""
    rows, bounds = geometry.edges(len(block.rows)), block.bounds
    if block.trajectory.outcome is not None:
        axes.axvline(block.trajectory.outcome, zorder=3, **looks.OUTCOME)
    for credit in block.credits:
        axes.plot(running_sum(credit)[bounds], rows, clip_on=False, **lines[credit.source])
    if block.truth:
        error = block.truth.standard_error[bounds]
        looks.draw_measured(axes, block.truth.values[bounds], rows, xerr=error)
    _set_x_axis(axes, block.sums, block.bar_width)


def _set_x_axis(axes: Axes, span: Span, width: float) -> None:
    axes.set_xlim(span)
    axes.set_xticks(*round_ticks(span, width))
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)

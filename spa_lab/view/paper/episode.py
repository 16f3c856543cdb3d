"""One episode as text: every step with what the agent did and the world's reply, tinted by its credit.

On a page in two columns the text has two columns. The sign of a credit is printed and negative credit is
hatched at the edge, so that the figure can be read in grey.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.page import MARGIN, Columns, Page, add_axes, add_text, fit_text, page_of, wrapped_text
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.folding import folded
from spa_lab.view.tables.trajectory import contribution_table
from spa_lab.view.text import NO_ACTION, UNGROUNDED, decimal_places, facts, signed

LINE, PAD, GAP, HEAD = 0.14, 0.035, 0.22, 0.42
"""Inches: a line of text, above and below a step, between two columns of text, the task and its facts."""
NUMBER, INDEX, EDGE = 0.58, 0.24, 0.05
"""Inches: of a text column: credit on the right, number of the step, the bar at the left edge."""
TWO_FROM = 4.6
"""Inches: page width from which the text has two columns."""
LINES_EACH = 2
"""Lines of an action, and of a reply."""
STRONGEST = 0.35
"""Opacity of the tint of the largest credit; text keeps its contrast."""


@dataclass(frozen=True)
class _Block:
    """One step, or a run of equal ones."""

    index: str
    action: list[str]
    reply: list[str]
    credit: float
    numbers: list[str]
    """Credit, then measured progress."""

    @property
    def height(self) -> float:
        """Inches."""
        return LINE * max(len(self.action) + len(self.reply), len(self.numbers)) + 2 * PAD


def episode_figure(
    trajectory: Trajectory,
    credit: Credit,
    truth: ValueTruth | None = None,
    *,
    columns: Columns | Page = 2,
    name: str = "episode",
    title: str = "",
) -> PaperFigure:
    """The text of an episode with the credit of one source, and the measured progress in brackets.

    Args:
        trajectory: T steps; runs of equal credit are folded, long texts cut.
        credit: of this trajectory.
        truth: a measurement of this trajectory.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        title: what the source is called; the source itself if "".

    Raises:
        ValueError: the credit or the truth does not fit the trajectory.
    """
    geometry.check_drawable(trajectory, [credit], truth)
    page = page_of(columns)
    with page.printing():
        figure = _draw(trajectory, credit, truth, page.width)
    brackets = "; in brackets: measured progress" if truth else ""
    caption = (
        f"One {captions.episode(trajectory)}, with the credit of {title or credit.source} for every "
        f"step{brackets}. "
        "Blue: positive, orange with a hatched edge: negative."
    )
    numbers = contribution_table(trajectory, [credit], truth)
    return PaperFigure(name, figure, numbers, caption, page, captions.episode_facts(trajectory, truth))


def _draw(trajectory: Trajectory, credit: Credit, truth: ValueTruth | None, width: float) -> Figure:
    n_columns = 2 if width >= TWO_FROM else 1
    column = (width - 2 * MARGIN - GAP * (n_columns - 1)) / n_columns
    blocks = _blocks(trajectory, credit, truth, column - NUMBER - INDEX - EDGE)
    parts = _halves(blocks) if n_columns == 2 else [blocks]
    body = max(sum(block.height for block in part) for part in parts)
    figure = Figure(figsize=(width, HEAD + body + MARGIN))
    title = fit_text(trajectory.instruction, width - 2 * MARGIN, bold=True)
    add_text(figure, MARGIN, 0.16, title, weight="bold")
    add_text(figure, MARGIN, 0.32, fit_text(facts(trajectory), width - 2 * MARGIN), color=style.MUTED)
    largest = float(np.abs(credit.contributions).max()) or 1.0
    for index, part in enumerate(parts):
        axes = add_axes(figure, MARGIN + index * (column + GAP), HEAD, column, body)
        axes.set(xlim=(0, column), ylim=(body, 0))
        axes.set_axis_off()
        top = 0.0
        for block in part:
            _draw_block(axes, block, top, column, block.credit / largest)
            top += block.height
    return figure


def _blocks(trajectory: Trajectory, credit: Credit, truth: ValueTruth | None, width: float) -> list[_Block]:
    """Steps and runs of steps, wrapped to a width in inches."""
    places = decimal_places(credit.contributions)
    blocks = []
    for run in folded([credit], truth):
        first, step = run[0], trajectory.steps[run[0]]
        numbers = [signed(credit.contributions[first], places)]
        if truth is not None:
            numbers.append(f"({signed(float(truth.progress[run].mean()), 2)})")
        if len(run) > 1:
            action, reply = [f"… {len(run)} more steps, each:"], []
        else:
            action = wrapped_text(step.action or NO_ACTION, width, LINES_EACH, bold=True)
            mark = f"({UNGROUNDED}) " if step.grounded is False else ""
            reply = wrapped_text(mark + step.observation, width, LINES_EACH)
        value = float(credit.contributions[first])
        blocks.append(_Block(str(first), action, reply, value, numbers))
    return blocks


def _halves(blocks: Sequence[_Block]) -> list[Sequence[_Block]]:
    """Two parts of about the same height, the first the higher one."""
    heights = np.cumsum([block.height for block in blocks])
    first = int(np.argmin([max(left, heights[-1] - left) for left in heights])) + 1
    return [blocks[:first], blocks[first:]]


def _draw_block(axes: Axes, block: _Block, top: float, width: float, strength: float) -> None:
    """`strength` is the credit over the largest one, in [-1, 1]."""
    look = looks.POSITIVE if strength >= 0 else looks.NEGATIVE
    colour = style.POSITIVE if strength >= 0 else style.NEGATIVE
    height = block.height - 0.02
    axes.add_patch(
        Rectangle(
            (EDGE, top), width - EDGE, height, color=colour, alpha=STRONGEST * abs(strength), linewidth=0
        )
    )
    if strength:
        axes.add_patch(Rectangle((0, top), EDGE, height, **look))
    first = top + PAD + 0.78 * LINE
    axes.text(EDGE + INDEX - 0.06, first, block.index, ha="right", color=style.MUTED)
    for line, text in enumerate([*block.action, *block.reply]):
        weight = "bold" if line < len(block.action) else "normal"
        axes.text(EDGE + INDEX, first + LINE * line, text, weight=weight)
    for line, text in enumerate(block.numbers):
        axes.text(width - 0.04, first + LINE * line, text, ha="right")

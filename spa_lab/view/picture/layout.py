"""An episode with one source's credit as a scene: boxes, the outcome, its split, bars beside the truth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spa_lab.rewards import predicts_outcome
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.paper.page import fit_text, text_width
from spa_lab.view.picture.columns import (
    LABELS,
    MARGIN,
    OUTCOME,
    PADDING,
    Columns,
    block_words,
    paragraphs,
    plain_action,
)
from spa_lab.view.picture.scene import SIZE, SMALL, Box, Line, Scene, Shape, Words, arrow, diamond, hatching
from spa_lab.view.tables.blocks import CLEAR, LEAST
from spa_lab.view.text import one_line, outcome_text, signed, truth_label, verdict

HEAD, STEP, ROW, SPLIT, BARS = 17.0, 11.0, 10.0, 30.0, 84.0
"""Points: the task, the number of a step, a line of words, the space of the arrow, the bars."""
BAR, CAP = 15.0, 2.5
"""Points: width of a bar, half the width of an error bar's cap."""
WIDE_HEAD = 165.0
"""Points that the words to the right of the task need."""


@dataclass(frozen=True)
class Episode:
    """What is drawn."""

    trajectory: Trajectory
    credit: Credit
    truth: ValueTruth | None
    blocks: pd.DataFrame
    """Of `tables.blocks.block_table`."""
    source: str
    """What the source is called."""


def scene_of(episode: Episode, page: float) -> Scene:
    """The picture of an episode, `page` points wide; its height follows from the words."""
    columns = Columns(page, len(episode.blocks))
    boxes, bottom = _boxes(episode, columns)
    bars_top = bottom + SPLIT
    rows_top = bars_top + BARS
    rows, notes_top = _rows(episode, columns, rows_top)
    marks = [
        Box(columns.left(i) - 2, bars_top - 2, columns.width + 4, notes_top - bars_top, style.SELECTED)
        for i in range(columns.n)
        if episode.blocks["differs"].iat[i]
    ]
    notes, height = _notes(episode, page, notes_top + 8)
    shapes = [
        *marks, *_head(episode, page), *boxes, *_split(episode, columns, bottom),
        *_bars(episode, columns, bars_top), *rows, *notes,
    ]  # fmt: skip
    return Scene(page, height, tuple(shapes), _title(episode), describe(episode))


def _title(episode: Episode) -> str:
    source = one_line(episode.source)
    if predicts_outcome(episode.credit.source):
        return f"How {source} splits one outcome over the steps of an episode"
    return f"What {source} gives every step of an episode"


def _head(episode: Episode, page: float) -> list[Shape]:
    trajectory = episode.trajectory
    n_steps = len(trajectory)
    right = f"{n_steps} step{'s' * (n_steps != 1)}, one outcome at the end"
    space = page - 2 * MARGIN - (WIDE_HEAD if page >= 2 * WIDE_HEAD else 0)
    task = fit_text(f"Task: {trajectory.instruction}", space / 72, bold=True, size=9)
    shapes: list[Shape] = [Words(MARGIN, MARGIN + 9, task, 9, bold=True)]
    if page >= 2 * WIDE_HEAD:
        shapes.append(Words(page - MARGIN, MARGIN + 9, right, anchor="end", colour=style.MUTED))
    return shapes


def _boxes(episode: Episode, columns: Columns) -> tuple[list[Shape], float]:
    """The boxes of the steps and of the outcome, and where they end."""
    trajectory, top = episode.trajectory, MARGIN + HEAD
    words = [
        block_words(trajectory, row.first, row.last, columns.width - 2 * PADDING)
        for row in episode.blocks.itertuples()
    ]
    refused = episode.blocks["refused"].to_numpy()
    lines = max(len(each) + bool(n) for each, n in zip(words, refused, strict=True))
    height = STEP + ROW * max(lines, 2) + 7
    shapes: list[Shape] = []
    for i, row in enumerate(episode.blocks.itertuples()):
        left, x = columns.left(i), columns.middle(i)
        shapes.append(Box(left, top, columns.width, height, style.STRIPE, style.BAND, 0.8, 3))
        shapes.append(
            Words(x, top + STEP - 1, _numbers(row.first, row.last), SIZE, "middle", colour=style.MUTED)
        )
        for k, line in enumerate(words[i]):
            shapes.append(Words(x, top + STEP + ROW * (k + 1) - 1, line, SMALL, "middle"))
        if row.refused:
            what = "refused" if row.first == row.last else f"{row.refused} refused"
            shapes.append(Words(x, top + height - 5, what, SMALL, "middle", bold=True))
        end = columns.left(i + 1) if i + 1 < columns.n else columns.outcome
        shapes += arrow([(left + columns.width, top + height / 2), (end, top + height / 2)])
    shapes += _outcome(episode, columns, top, height)
    return shapes, top + height


def _outcome(episode: Episode, columns: Columns, top: float, height: float) -> list[Shape]:
    outcome, middle = episode.trajectory.outcome, columns.outcome + OUTCOME / 2
    number = "R = ?" if outcome is None else f"R = {outcome:.2g}"
    return [
        Box(columns.outcome, top, OUTCOME, height, style.WHITE, style.INK, 1.6, 3),
        Words(middle, top + height / 2, number, 10, "middle", bold=True),
        Words(middle, top + height / 2 + 12, verdict(episode.trajectory.success), SIZE, "middle"),
    ]


def _split(episode: Episode, columns: Columns, top: float) -> list[Shape]:
    """From the outcome back over the steps; an advantage or a difference is no part of the outcome."""
    start, level, end = columns.outcome + OUTCOME / 2, top + 16, top + SPLIT - 5
    left = columns.middle(0)
    space, source = (start - left - 8) / 72, one_line(episode.source)
    if predicts_outcome(episode.credit.source):
        first = [f"R is split into one contribution per step, by {source}", f"R is split, by {source}"]
    else:
        first = [f"one number per step, by {source}", f"by {source}"]
    labels = [*first, source]
    label = next((each for each in labels if text_width(each, bold=True) <= space), labels[1])
    shapes: list[Shape] = [
        Line(((start, top), (start, level), (left, level)), style.INK, 1.2),
        Words(left + 4, level - 4, fit_text(label, space, bold=True), bold=True),
    ]
    for i in range(columns.n):
        shapes += arrow([(columns.middle(i), level), (columns.middle(i), end)], width=1.2)
    return shapes


def _bars(episode: Episode, columns: Columns, top: float) -> list[Shape]:
    """Bars of the contributions, and diamonds of the measured progress with one standard error."""
    blocks = episode.blocks
    low, high = _span(blocks)
    scale = (BARS - 8) / (high - low)
    zero = top + 4 + high * scale
    shapes: list[Shape] = [
        Line(((MARGIN + LABELS - 4, zero), (columns.outcome - 2, zero)), style.MUTED, 0.7),
        Words(MARGIN + LABELS - 7, zero + 3, "0", SIZE, "end", colour=style.MUTED),
    ]
    for i, row in enumerate(blocks.itertuples()):
        at = columns.middle(i) - (12 if episode.truth else 0)
        shapes += _bar(at - BAR / 2, zero, row.contribution * scale)
        if not math.isnan(row.contribution_error):
            ends = (row.contribution - row.contribution_error, row.contribution + row.contribution_error)
            shapes.append(Line(tuple((at, zero - end * scale) for end in ends), style.BAND, 2.5))
        if episode.truth:
            x, y = columns.middle(i) + 12, zero - row.progress * scale
            shapes += [*_whisker(x, y, row.progress_error * scale), diamond(x, y, 3.6)]
    return shapes


def _bar(left: float, zero: float, height: float) -> list[Shape]:
    if height >= 0:
        return [Box(left, zero - height, BAR, height, style.POSITIVE)]
    box = Box(left, zero, BAR, -height, style.NEGATIVE)
    return [box, *hatching(box)]


def _whisker(x: float, y: float, error: float) -> list[Shape]:
    if error == 0:
        return []
    caps: list[Shape] = [
        Line(((x - CAP, end), (x + CAP, end)), style.INK, 0.9) for end in (y - error, y + error)
    ]
    return [Line(((x, y - error), (x, y + error)), style.INK, 0.9), *caps]


def _span(blocks: pd.DataFrame) -> tuple[float, float]:
    """Lowest and highest number that is drawn, with 0 between them."""
    ends = [0.0]
    for value, error in (("contribution", "contribution_error"), ("progress", "progress_error")):
        spread = blocks[error].fillna(0.0)
        ends += [*(blocks[value] - spread).dropna(), *(blocks[value] + spread).dropna()]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (0.0, 1.0)


def _rows(episode: Episode, columns: Columns, top: float) -> tuple[list[Shape], float]:
    """The numbers below the bars, with their sums on the right, and where they end."""
    blocks, middle = episode.blocks, columns.outcome + OUTCOME / 2
    shapes: list[Shape] = [
        *_bar(MARGIN, top + ROW - 1, 7.5),
        Words(MARGIN + BAR + 2, top + ROW - 1, "credit", SIZE, bold=True),
        Words(middle, top + ROW - 1, f"sum {_plain(float(blocks['contribution'].sum()))}", SIZE, "middle"),
    ]
    for i, row in enumerate(blocks.itertuples()):
        shapes.append(_number(columns.middle(i), top + ROW - 1, row.contribution))
    if episode.truth is None:
        return shapes, top + ROW + 4
    line = top + 2.3 * ROW
    shapes += [
        diamond(MARGIN + 4, line - 3, 3.6),
        Words(MARGIN + 11, line, "truth", SIZE, bold=True),
        Words(middle, line, f"sum {_plain(float(blocks['progress'].sum()))}", SIZE, "middle"),
    ]
    for i, row in enumerate(blocks.itertuples()):
        x = columns.middle(i)
        shapes.append(_number(x, line, row.progress))
        if row.progress_error:
            error = f"± {row.progress_error:.2f}"
            shapes.append(Words(x, line + ROW, error, anchor="middle", colour=style.MUTED))
    if not blocks["differs"].any():
        return shapes, line + ROW + 4
    return [*shapes, *_verdicts(blocks, columns, line + 2.3 * ROW)], line + 3.3 * ROW + 5


def _verdicts(blocks: pd.DataFrame, columns: Columns, line: float) -> list[Shape]:
    """By how much the credit is too high or too low, where it differs from the truth."""
    shapes: list[Shape] = [Words(MARGIN, line, "credit is", bold=True)]
    for i, row in enumerate(blocks.itertuples()):
        if row.differs:
            x = columns.middle(i)
            shapes.append(Words(x, line, f"{abs(row.excess):.2f}", anchor="middle", bold=True))
            shapes.append(Words(x, line + ROW, _direction(row.excess), anchor="middle", bold=True))
    return shapes


def _number(x: float, y: float, value: float) -> Words:
    return Words(x, y, _plain(value), SIZE, "middle")


def _plain(value: float) -> str:
    """A signed number with two decimals; what is rounded to 0 has no sign."""
    return signed(value, 2) if round(value, 2) else "0.00"


def _direction(excess: float) -> str:
    return "too high" if excess > 0 else "too low"


def _numbers(first: int, last: int) -> str:
    return f"step {first}" if first == last else f"{first} to {last}"


def _notes(episode: Episode, page: float, top: float) -> tuple[list[Shape], float]:
    """What the marks mean and what the sums are, and where the picture ends."""
    lines = paragraphs(notes_of(episode), page - 2 * MARGIN, SMALL)
    shapes: list[Shape] = [
        Words(MARGIN, top + ROW * (k + 0.7), line, SMALL, colour=style.MUTED) for k, line in enumerate(lines)
    ]
    return shapes, top + ROW * len(lines) + MARGIN


def notes_of(episode: Episode) -> Sequence[str]:
    """The sentences below the picture."""
    credit, truth = episode.credit, episode.truth
    outcome = outcome_text(episode.trajectory.outcome)
    base = f" and the base value {_plain(credit.base_value)}" if credit.base_value else ""
    sentences = [
        f"The contributions{base} add up to {_plain(credit.predicted_outcome)}; the outcome is {outcome}."
    ]
    if credit.standard_error is not None:
        sentences.append("Grey bars: ± 1 standard error of the credit.")
    if truth is None:
        return [*sentences, "What the steps were worth was not measured."]
    errors = ", ± 1 standard error" if truth.standard_error.any() else ""
    sentences.append(
        f"Truth: change of the expected outcome, {truth_label(truth)}{errors}; before the first "
        f"step it was {truth.offset:.2f}, and the changes add up to the rest."
    )
    limit = f"more than {CLEAR:g} standard errors (and {LEAST:g})"
    if episode.blocks["differs"].any():
        return [*sentences, f"Highlighted: credit and truth differ by {limit}."]
    return [*sentences, f"Credit and truth nowhere differ by {limit}."]


def describe(episode: Episode) -> str:
    """The picture in words, for readers who do not see it."""
    trajectory, blocks = episode.trajectory, episode.blocks
    lines = [
        f"Task: {one_line(trajectory.instruction)}. {len(trajectory)} steps, outcome R = "
        f"{outcome_text(trajectory.outcome)} ({verdict(trajectory.success)})."
    ]
    for row in blocks.itertuples():
        words = plain_action(trajectory.steps[row.first])[:80] + (" …" if row.last > row.first else "")
        line = f"{_numbers(row.first, row.last)}, {words}: credit {_plain(row.contribution)}"
        if episode.truth:
            line += f", measured {_plain(row.progress)} ± {row.progress_error:.2f}"
            line += f" ({_direction(row.excess)} by {abs(row.excess):.2f})" if row.differs else ""
        lines.append(line + ".")
    return " ".join([*lines, *notes_of(episode)])

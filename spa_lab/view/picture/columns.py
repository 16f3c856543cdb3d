"""Places of the columns of a picture, and the words of a step broken to the width of its box."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from spa_lab.types import Step, Trajectory
from spa_lab.view.paper.page import fit_text, text_width
from spa_lab.view.picture.scene import SMALL
from spa_lab.view.tables.blocks import MOST
from spa_lab.view.text import NO_ACTION, one_line

MARGIN, LABELS, OUTCOME, GAP = 6.0, 49.0, 50.0, 5.0
"""Points: around the picture, of the column of labels, of the column of the outcome, between columns."""
NARROWEST = 51.0
"""Points of a block's column."""
PADDING = 2.5
"""Points between a box and its words."""
MOST_LINES = 5
"""Lines of the words of a block."""
_CALL = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)
"""Actions such as `click[buy now]`."""
_SPACE = 0.42
"""Width of a space in units of the size: 0.32, and at most what outlines of words leave out beside them."""
_BREAK = re.compile(r" (?!\d+\b)")
"""Where a line may end."""


@dataclass(frozen=True)
class Columns:
    """Where the columns of so many blocks stand on a page of so many points."""

    page: float
    n: int

    @property
    def width(self) -> float:
        """Points of one block's column."""
        return (_free(self.page) - self.n * GAP) / self.n

    def left(self, block: int) -> float:
        """Points from the left edge of the page to a block's column."""
        return MARGIN + LABELS + block * (self.width + GAP)

    def middle(self, block: int) -> float:
        """Points from the left edge of the page to the middle of a block's column."""
        return self.left(block) + self.width / 2

    @property
    def outcome(self) -> float:
        """Points from the left edge of the page to the column of the outcome."""
        return self.page - MARGIN - OUTCOME


def _free(page: float) -> float:
    """Points for the blocks' columns, each with the gap behind it."""
    return page - 2 * MARGIN - LABELS - OUTCOME


def most_blocks(page: float, most: int) -> int:
    """How many blocks of at most `most` are wide enough for words on a page of so many points, >= 1."""
    return max(1, min(most, MOST, int(_free(page) / (NARROWEST + GAP))))


def plain_action(step: Step) -> str:
    """What the agent did, without the punctuation of a call: "click[buy now]" is "click: buy now"."""
    call = _CALL.fullmatch(step.action)
    return one_line(": ".join(call.groups()) if call else step.action) or NO_ACTION


def block_words(trajectory: Trajectory, first: int, last: int, width: float) -> list[str]:
    """The actions of steps `first` to `last` in at most `MOST_LINES` lines of `width` points."""
    actions = [plain_action(step) for step in trajectory.steps[first : last + 1]]
    if len(set(actions)) == 1:
        repeated = [f"({len(actions)} times)"] if len(actions) > 1 else []
        return [*wrapped(actions[0], width, MOST_LINES - len(repeated)), *repeated]
    if len(actions) == 2:
        return [*wrapped(f"{actions[0]},", width, 2), *wrapped(actions[1], width, MOST_LINES - 2)]
    return [*wrapped(actions[0], width, 2), "…", *wrapped(actions[-1], width, MOST_LINES - 3)]


def wrapped(text: str, width: float, most: int, *, size: float = SMALL) -> list[str]:
    """The text in at most `most` lines of `width` points; the rest is an ellipsis.

    A number stays with the word before it ("cabinet 1"). What is too long for a line is broken.
    """
    lines: list[str] = []
    words = _BREAK.split(one_line(text))
    while words and len(lines) < most:
        line = words.pop(0)
        if _width(line, size) > width:
            fits = line.find(" ") if " " in line else _fitting(line, width, size)
            words.insert(0, line[fits:].strip())
            line = line[:fits]
        else:
            while words and _width(f"{line} {words[0]}", size) <= width:
                line += f" {words.pop(0)}"
        lines.append(line)
    if words:
        lines[-1] = fit_text(f"{lines[-1]} {' '.join(words)[:200]}", width / 72, size=size)
    return lines


def _fitting(word: str, width: float, size: float) -> int:
    """How many first characters of a word fit, >= 1."""
    low, high = 1, min(len(word), max(1, int(width / (0.2 * size))))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(word[:middle], size) <= width else (low, middle - 1)
    return low


def _width(text: str, size: float) -> float:
    """Points of a line of text, the sum of its words; one that is far too long is not measured to its end."""
    words = text[:400].split(" ")
    return sum(_word_width(word, size) for word in words) + _SPACE * size * (len(words) - 1)


@lru_cache(maxsize=4096)
def _word_width(word: str, size: float) -> float:
    return 72 * text_width(word, size=size)


def paragraphs(sentences: Sequence[str], width: float, size: float) -> list[str]:
    """Sentences one after another in lines of `width` points."""
    return wrapped(" ".join(sentences), width, 12, size=size)

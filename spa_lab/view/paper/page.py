"""A page for print: as wide as one or two columns of a paper, with everything placed in inches.

Text keeps its size when the figure is included at its natural width, nothing overlaps, and the same input
gives the same file. Coordinates in inches run from the left and from the top. Texts are measured in the font
of matplotlib's current settings, so a figure is laid out and drawn within `Page.printing`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from spa_lab.view import geometry, style
from spa_lab.view.paper.fonts import SANS, Font
from spa_lab.view.text import one_line, shortened

Columns = Literal[1, 2]
"""Columns of the paper that a figure spans."""
MARGIN = 0.1
LEGEND_ROW = 0.18
"""Inches."""
_KEY = 0.42
"""Inches of a legend entry beside its text: the sample, if it is short, and the space around it."""
_SHORT, _LONG = 2.0, 3.6
"""Lengths of samples in units of the font. Around a marker a short one shows no dashes."""
BORDER = 0.1
"""Share of an axis at either end within which labels of ticks lean inward."""
TICK_PAD = 2
"""Points between an axis and the labels of its ticks."""
_TICK = 0.42
"""Least inches of a tick label."""


@dataclass(frozen=True)
class Page:
    """What a figure is drawn for; see `venues.find_page` for those of conferences."""

    width: float
    """Inches: of the figure."""
    spans_columns: bool = True
    """The figure spans both columns of a paper in two columns."""
    font: Font = SANS

    @property
    def settings(self) -> dict[Any, Any]:
        """Matplotlib's settings for drawing and saving a figure of this page."""
        return style.PAPER_RC | self.font.settings

    def printing(self) -> AbstractContextManager[None]:
        """The context in which a figure is laid out, drawn and saved."""
        return rc_context(self.settings)


ONE_COLUMN, TWO_COLUMNS = Page(3.35, spans_columns=False), Page(6.95)
"""Fit one column, and both columns, of the usual two-column templates."""


def page_of(columns: Columns | Page) -> Page:
    """The page for figures that span so many columns; a page itself is returned."""
    if isinstance(columns, Page):
        return columns
    return ONE_COLUMN if columns == 1 else TWO_COLUMNS


def text_width(text: str, *, bold: bool = False, size: float | None = None) -> float:
    """Width in inches of a line of text; `size` in points, that of the current settings if None."""
    font = FontProperties(weight="bold" if bold else "normal")
    plain = text.replace("$", "S")  # as wide, and never parsed as mathematics
    # curves lie within their control points; exact extents take ten times as long
    outline = TextPath((0, 0), plain, size=size or rcParams["font.size"], prop=font).vertices
    return float(outline[:, 0].max(initial=0.0)) / 72


def fit_text(text: str, width: float, *, bold: bool = False, size: float | None = None) -> str:
    """The text on one line, shortened to a width in inches."""
    line = one_line(text)
    # more characters never fit: most are wider than a fifth of the font's size; measuring long texts is slow
    most = int(72 * width / (0.2 * (size or rcParams["font.size"]))) + 1
    n = max(min(len(line), most), 1)
    while n > 1 and (measured := text_width(shortened(line, n), bold=bold, size=size)) > width:
        n = min(n - 1, int(n * width / measured) + 1)
    return shortened(line, n)


def wrapped_text(text: str, width: float, most: int, *, bold: bool = False) -> list[str]:
    """The text in at most so many lines of a width in inches, broken between words; the last may be cut."""
    words, lines = one_line(text).split(), [""]
    for number, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or text_width(longer, bold=bold) <= width:
            lines[-1] = longer
        elif len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {' '.join(words[number:])}"
            break
    return [fit_text(line, width, bold=bold) for line in lines if line]


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes over a rectangle of the page, in inches."""
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - top - height
    return figure.add_axes(
        (left / total_width, bottom / total_height, width / total_width, height / total_height)
    )


def add_text(figure: Figure, x: float, y: float, text: str, **properties: Any) -> None:
    """A line of text; x from the left, y from the top to its baseline, in inches."""
    width, height = figure.get_size_inches()
    figure.text(x / width, 1 - y / height, text, va="baseline", **properties)


def legend_rows(handles: Sequence[Artist], width: float) -> list[list[Artist]]:
    """Legend entries in rows of at most `width` inches; a wider entry has a row of its own."""
    rows: list[list[Artist]] = []
    used = 0.0
    key = _KEY + (_sample_length(handles) - _SHORT) * rcParams["font.size"] / 72
    for handle in handles:
        needed = key + text_width(str(handle.get_label()))
        if not rows or used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(handle)
        used += needed
    return rows


def draw_legend(figure: Figure, rows: Sequence[Sequence[Artist]], left: float, top: float) -> None:
    """Draw rows of `legend_rows`, the first one `top` inches below the upper edge of the page."""
    width, height = figure.get_size_inches()
    length = _sample_length([handle for row in rows for handle in row])
    for index, row in enumerate(rows):
        corner = (left / width, 1 - (top + index * LEGEND_ROW) / height)
        figure.legend(
            handles=list(row), loc="upper left", bbox_to_anchor=corner, ncols=len(row), frameon=False,
            borderpad=0, borderaxespad=0, handlelength=length, handletextpad=0.5, columnspacing=1.0,
        )  # fmt: skip


def _sample_length(handles: Sequence[Artist]) -> float:
    """Length of the samples of a legend in units of the font."""
    dashed = any(
        isinstance(handle, Line2D)
        and handle.get_linestyle() not in ("-", "None")
        and handle.get_marker() not in ("None", None)
        for handle in handles
    )
    return _LONG if dashed else _SHORT


def legend_entry(label: str, properties: dict[str, Any]) -> Line2D:
    """A legend entry for a line or a marker with these matplotlib properties."""
    return Line2D([], [], **properties, label=label)


def tidy(axes: Axes, grid: Literal["x", "y"]) -> None:
    """No spines on top and right, short ticks, a faint grid along one axis."""
    axes.tick_params(length=2, pad=TICK_PAD)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def lean_inward(axes: Axes) -> None:
    """Labels of ticks near the ends of the x axis lean inward, away from a neighbouring panel."""
    low, high = axes.get_xlim()
    near = BORDER * (high - low)
    for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        if not low + near < tick < high - near:
            label.set_horizontalalignment("left" if tick < (low + high) / 2 else "right")


def round_ticks(span: geometry.Span, length: float) -> tuple[np.ndarray, list[str]]:
    """Round tick positions, see `geometry.ticks`, with labels that fit an axis of `length` inches."""
    positions = geometry.ticks(span, most=int(min(max(length / _TICK, 2), 4)))
    labels = [f"{position:g}".replace("-", "\N{MINUS SIGN}") for position in positions]
    apart = (positions[1] - positions[0]) / (span[1] - span[0]) * length
    if len(positions) > 2 and max(map(text_width, labels)) + 0.06 > apart:
        return positions[[0, -1]], [labels[0], labels[-1]]
    return positions, labels


def whole_ticks(last: int, length: float) -> list[int]:
    """Every 1st, 2nd, 5th, ... integer from 0 to `last`, as many as fit an axis of `length` inches."""
    most = max(length / (0.08 + text_width(str(last))), 2)
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(step for step in steps if last / step + 1 <= most)
    return list(range(0, last + 1, step))

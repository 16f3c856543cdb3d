"""A page for print: its width is a column of the paper, everything on it is placed in inches.

So text keeps its size when the figure is set at its own width, nothing overlaps, and the same input gives the
same file. Inches run from the left and from the top.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from spa_lab.view import geometry, style
from spa_lab.view.text import one_line, shortened

Look = dict[str, Any]
"""Keywords of an artist."""

ONE_COLUMN, TWO_COLUMNS = 3.35, 6.95
"""Inches: widths that fit a column, and the whole page, of the usual two-column templates."""
MARGIN = 0.1
LEGEND_ROW = 0.18
"""Inches."""
_KEY = 0.42
"""Inches of a legend's entry beside its text: the sample of the look and the space around it."""
_TICK = 0.42
"""Inches that a tick's label takes at least."""


def text_width(text: str, *, bold: bool = False, size: float = style.PAPER_SIZE) -> float:
    """Inches of a line of text; size in points."""
    font = FontProperties(family=style.PAPER_FONT[0], weight="bold" if bold else "normal")
    plain = text.replace("$", "S")  # as wide, and no mathematics
    # curves lie within their control points; their exact extents take ten times as long
    outline = TextPath((0, 0), plain, size=size, prop=font).vertices
    return float(outline[:, 0].max(initial=0.0)) / 72


def fitted(text: str, width: float, *, bold: bool = False, size: float = style.PAPER_SIZE) -> str:
    """The text on one line, shortened to a width in inches."""
    line = one_line(text)
    n = len(line)
    while n > 1 and text_width(shortened(line, n), bold=bold, size=size) > width:
        measured = text_width(shortened(line, n), bold=bold, size=size)
        n = min(n - 1, int(n * width / measured) + 1)
    return shortened(line, n)


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes over a rectangle of the page, in inches."""
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - top - height
    return figure.add_axes(
        (left / total_width, bottom / total_height, width / total_width, height / total_height)
    )


def write(figure: Figure, x: float, y: float, text: str, **look: Any) -> None:
    """A line of text; x from the left, y from the top to its base line, in inches."""
    width, height = figure.get_size_inches()
    figure.text(x / width, 1 - y / height, text, va="baseline", **look)


def flowed(handles: Sequence[Artist], width: float) -> list[list[Artist]]:
    """The entries of a legend in rows of at most so many inches; a wider entry has its own row."""
    rows: list[list[Artist]] = []
    used = 0.0
    for handle in handles:
        needed = _KEY + text_width(str(handle.get_label()))
        if not rows or used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(handle)
        used += needed
    return rows


def draw_legend(figure: Figure, rows: Sequence[Sequence[Artist]], left: float, top: float) -> None:
    """Rows of `flowed`, the first one `top` inches below the page's upper edge."""
    width, height = figure.get_size_inches()
    for number, row in enumerate(rows):
        corner = (left / width, 1 - (top + number * LEGEND_ROW) / height)
        figure.legend(
            handles=list(row), loc="upper left", bbox_to_anchor=corner, ncols=len(row), frameon=False,
            borderpad=0, borderaxespad=0, handlelength=2.0, handletextpad=0.5, columnspacing=1.0,
        )  # fmt: skip


def mark(label: str, look: Look) -> Line2D:
    """A legend's entry for a line or a marker."""
    return Line2D([], [], **look, label=label)


def looks(names: Sequence[str], order: Sequence[str]) -> list[int]:
    """Number of the look of every name: its place in `order`, so that it looks the same in all figures.

    Names that are not in `order` come after it, in their own order.
    """
    others = [name for name in names if name not in order]
    return [list(order).index(name) if name in order else len(order) + others.index(name) for name in names]


def tidy(axes: Axes, grid: str) -> None:
    """No frame on top and right, short ticks, a faint grid along "x" or "y"."""
    axes.tick_params(length=2, pad=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if grid == "x" else "y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def round_ticks(span: geometry.Span, length: float) -> tuple[np.ndarray, list[str]]:
    """Round places, see `geometry.ticks`, and labels that have room along so many inches."""
    places = geometry.ticks(span, most=int(min(max(length / _TICK, 2), 4)))
    labels = [f"{place:g}".replace("-", "\N{MINUS SIGN}") for place in places]
    apart = (places[1] - places[0]) / (span[1] - span[0]) * length
    if len(places) > 2 and max(map(text_width, labels)) + 0.06 > apart:
        return places[[0, -1]], [labels[0], labels[-1]]
    return places, labels


def whole_ticks(last: int, length: float) -> list[int]:
    """Whole numbers from 0 to `last` whose labels have room along so many inches: every 1st, 2nd, 5th, ..."""
    room = max(length / (0.08 + text_width(str(last))), 2)
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(step for step in steps if last / step + 1 <= room)
    return list(range(0, last + 1, step))

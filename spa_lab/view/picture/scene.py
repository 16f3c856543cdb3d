"""A drawing as data: shapes in points from the upper left corner, in the order in which they are drawn.

Three writers read it (`svg`, `tikz`, `plot`). They know nothing of episodes, and nothing beyond the four
shapes below: arrow heads are polygons, hatching is lines. So one drawing looks the same in all formats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spa_lab.view import style

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

SIZE = 8.0
"""Points of ordinary words."""
SMALL = 7.5
"""Points of the words of an action, the smallest that is used."""
HATCH = 3.2
"""Points between the lines of a hatching."""


@dataclass(frozen=True)
class Polygon:
    """A closed shape; colours are "#rrggbb" of `view.style`, "" for none."""

    points: tuple[Point, ...]
    fill: str = ""
    stroke: str = ""
    width: float = 0.8
    """Points of its outline."""


@dataclass(frozen=True)
class Box:
    """A rectangle, with round corners if `radius` > 0."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    line: float = 0.8
    """Points of its outline."""
    radius: float = 0.0


@dataclass(frozen=True)
class Line:
    """An open path of straight lines."""

    points: tuple[Point, ...]
    stroke: str = style.INK
    width: float = 0.8


@dataclass(frozen=True)
class Words:
    """One line of plain text; `y` is its baseline."""

    x: float
    y: float
    text: str
    """Foreign text as it is: every writer escapes it."""
    size: float = SIZE
    anchor: Anchor = "start"
    bold: bool = False
    colour: str = style.INK


Shape = Polygon | Box | Line | Words


@dataclass(frozen=True)
class Scene:
    """A drawing of `width` x `height` points on a ground of its own."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str
    """A few words, for screen readers."""
    description: str
    """What it shows, in sentences."""


def diamond(x: float, y: float, half: float) -> Polygon:
    """The mark of a measured value."""
    points = ((x, y - half), (x + half, y), (x, y + half), (x - half, y))
    return Polygon(points, style.WHITE, style.INK, 0.9)


def arrow(points: Sequence[Point], *, colour: str = style.INK, width: float = 0.9) -> list[Shape]:
    """A line with a head at its end, whose last piece runs along an axis."""
    (x0, y0), (x, y) = points[-2:]
    length, half = 4.0, 2.4
    along = ((x > x0) - (x < x0), (y > y0) - (y < y0))
    back = (x - length * along[0], y - length * along[1])
    side = (half * along[1], half * along[0])
    head = ((x, y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1]))
    return [Line((*points[:-1], back), colour, width), Polygon(head, colour)]


def hatching(box: Box, colour: str = style.WHITE) -> list[Shape]:
    """Rising diagonals within a rectangle."""
    right, bottom = box.x + box.width, box.y + box.height
    lines: list[Shape] = []
    offset = HATCH
    while offset < box.width + box.height:
        # the diagonal meets the left or lower edge at one end, the upper or right one at the other
        low = (max(box.x, box.x + offset - box.height), min(bottom, box.y + offset))
        high = (min(right, box.x + offset), max(box.y, box.y + offset - box.width))
        lines.append(Line((low, high), colour, 0.7))
        offset += HATCH
    return lines

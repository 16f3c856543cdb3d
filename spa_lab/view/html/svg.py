"""Charts as SVG: drawn in Python, the same on a live page and on a dead one.

A chart says nothing by colour alone: lines differ by dash and mark as well, negative bars are hatched.
Colours come from `look.css`, so that one picture serves a light and a dark page. Coordinates are pixels of a
canvas that a page scales to its width.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from spa_lab.view.geometry import Span, ticks
from spa_lab.view.html.markup import safe

Kind = Literal["s", "c"]
"""Whose colours a line has: "s" a series (policies, metrics), "c" a source of credit."""
COLOURS: Mapping[Kind, int] = MappingProxyType({"s": 6, "c": 4})
"""How many colours of a kind there are in `look.css`."""
DASHES = ("", "8 4", "9 3 2 3", "2 3", "14 4")


@dataclass(frozen=True)
class Plot:
    """A rectangle of the canvas and the data that it spans."""

    left: float
    top: float
    width: float
    height: float
    x_span: Span
    y_span: Span

    def x(self, value: float) -> float:
        """Pixels from the left of the canvas."""
        low, high = self.x_span
        return round(self.left + (value - low) / (high - low) * self.width, 2)

    def y(self, value: float) -> float:
        """Pixels from the top of the canvas."""
        low, high = self.y_span
        return round(self.top + (high - value) / (high - low) * self.height, 2)

    def y_axis(self, title: str) -> str:
        """Grid lines with their numbers, and the title above the axis."""
        parts = [label(self.left - 46, self.top - 8, title, anchor="start")]
        for value in ticks(self.y_span):
            y = self.y(value)
            look = "axis" if abs(value) < 1e-12 else "grid"
            parts.append(rule(self.left, y, self.left + self.width, y, look))
            parts.append(label(self.left - 6, y + 4, f"{value:.4g}".replace("-", "−"), anchor="end"))
        return "".join(parts)

    def x_axis(self, labels: Iterable[tuple[float, str]], title: str) -> str:
        """Labels under the plot, each at its place, and the title under them."""
        bottom = self.top + self.height
        parts = [rule(self.left, bottom, self.left + self.width, bottom, "axis")]
        parts += [label(self.x(place), bottom + 15, text, anchor="middle") for place, text in labels]
        parts.append(label(self.left + self.width / 2, bottom + 31, title, anchor="middle", muted=True))
        return "".join(parts)

    def line(
        self, xs: ArrayLike, ys: ArrayLike, number: int, *, kind: Kind = "s", marks: int = 60, tip: str = ""
    ) -> str:
        """Series `number`: a line that breaks where y is not finite; marks on at most `marks` points."""
        points = [(self.x(x), self.y(y)) for x, y in zip(np.asarray(xs), np.asarray(ys), strict=True)]
        runs: list[list[str]] = [[]]
        for x, y in points:
            if np.isfinite(y):
                runs[-1].append(f"{x},{y}")
            elif runs[-1]:
                runs.append([])
        drawn = "".join(
            f'<polyline {_stroke(number, kind)} points="{" ".join(run)}"/>' for run in runs if run
        )
        if len(points) <= marks:
            drawn += "".join(mark(x, y, number, kind=kind) for x, y in points if np.isfinite(y))
        return f"<g><title>{safe(tip)}</title>{drawn}</g>" if tip else drawn

    def error(self, x: float, low: float, high: float, look: str = "error") -> str:
        """An error bar with caps, upright."""
        at, bottom, top = self.x(x), self.y(low), self.y(high)
        caps = "".join(rule(at - 3, y, at + 3, y, look) for y in (bottom, top))
        return rule(at, bottom, at, top, look) + caps

    def diamond(self, x: float, y: float) -> str:
        """A measured value."""
        return f'<path class="truth" d="M{self.x(x)} {self.y(y) - 5}l5 5l-5 5l-5 -5z"/>'

    def bar(self, x: float, value: float, width: float, *, base: float = 0.0) -> str:
        """An upright bar from `base` to `base + value`; `width` in data. Hatched where negative."""
        ends = sorted((self.y(base), self.y(base + value)))
        left, wide = self.x(x - width / 2), self.x(x + width / 2) - self.x(x - width / 2)
        look = "below" if value < 0 else "above"
        tall = max(ends[1] - ends[0], 0.6 if value else 0.0)
        box = f'x="{left:.2f}" y="{ends[0]:.2f}" width="{wide:.2f}" height="{tall:.2f}"'
        drawn = f'<rect class="{look} point" {box}/>'
        return drawn + _hatched(left, ends[0], wide, tall) if value < 0 else drawn


def mark(x: float, y: float, number: int, *, kind: Kind = "s") -> str:
    """The mark of series `number` at a pixel: circle, square, triangle, cross, in turn."""
    look = f'class="mark {kind}{number % COLOURS[kind]}"'
    shape = number % 4
    if shape == 0:
        return f'<circle {look} cx="{x}" cy="{y}" r="3.4"/>'
    if shape == 1:
        return f'<rect {look} x="{x - 3.2:.2f}" y="{y - 3.2:.2f}" width="6.4" height="6.4"/>'
    if shape == 2:
        return f'<path {look} d="M{x} {y - 4.2}l4 7h-8z"/>'
    return f'<path {look} d="M{x - 4} {y - 1.2}h2.8v-2.8h2.4v2.8h2.8v2.4h-2.8v2.8h-2.4v-2.8h-2.8z"/>'


def rule(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """A straight line between two pixels."""
    return f'<line class="{look}" x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"/>'


def label(x: float, y: float, text: str, *, anchor: str = "start", muted: bool = False) -> str:
    """Text at a pixel, whatever it holds."""
    look = ' class="muted"' if muted else ""
    return f'<text{look} x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{safe(text)}</text>'


def legend(left: float, top: float, names: Sequence[str], *, width: float, kind: Kind = "s") -> str:
    """Line, mark and name of every series, in rows within `width` pixels."""
    parts, x, y = [], left, top
    for number, name in enumerate(names):
        need = 44 + 7.2 * len(name)
        if x > left and x + need > left + width:
            x, y = left, y + 18
        line = f'<polyline {_stroke(number, kind)} points="{x},{y} {x + 26},{y}"/>'
        parts.append(line + mark(x + 13, y, number, kind=kind))
        parts.append(label(x + 32, y + 4, name))
        x += need
    return "".join(parts)


def canvas(width: float, height: float, body: str, title: str) -> str:
    """The picture, scaled to its page but not much beyond its size; `title` is for screen readers."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{1.18 * width:.0f}px" role="img" '
        f'aria-label="{safe(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{body}</svg>'
    )


def thinned(labels: Sequence[str], most: int) -> list[tuple[float, str]]:
    """Places and labels of an axis, every second, fifth, ... so that at most `most` are left."""
    for stride in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if len(labels) <= most * stride:
            break
    return [(float(place), labels[place]) for place in range(0, len(labels), stride)]


def _stroke(number: int, kind: Kind) -> str:
    dash = DASHES[number % len(DASHES)]
    return f'class="line {kind}{number % COLOURS[kind]}" stroke-dasharray="{dash}"'


def _hatched(left: float, top: float, width: float, height: float) -> str:
    """Strokes across a box; plain lines, because patterns have ids and ids clash on a page."""
    lines = []
    for start in np.arange(3.0, width + height, 6.0):
        a = (left + min(start, width), top + max(start - width, 0.0))
        b = (left + max(start - height, 0.0), top + min(start, height))
        lines.append(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}")
    return f'<path class="hatch" d="{"".join(lines)}"/>'

"""How everything looks: colours, markers, fonts, sizes; the same on screen and on paper.

The colours keep apart for readers with protanopia, deuteranopia and tritanopia and differ in lightness, so
that a grey print still tells them apart; no picture says anything by colour alone. Text has a contrast of at
least 4.5 to its ground, marks of at least 3 to white (WCAG 2.2).
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")

INK = "#222222"
"""Text, axes, the outcome."""
MUTED = "#595959"
"""Text of second rank."""
GRID = "#e2e2e2"
BAND = "#8c8c8c"
"""Standard errors of a source: broad and without caps, those of a truth are thin and have them."""
STRIPE = "#f6f6f6"
"""Ground of every second row."""
WHITE = "#ffffff"

POSITIVE = "#0b4f8f"
NEGATIVE = "#db6a12"
"""Always hatched or signed as well."""

SERIES = ("#0b4f8f", "#db6a12", "#332120", "#826ce3", "#8a4729", "#8b6385")
"""Policies, in order; pairs differ by at least 24 (CIELAB) for every kind of colour vision."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""matplotlib's names; one more than colours, so that a pair of both is not soon repeated."""
SCREEN_MARKERS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
"""The same shapes by plotly's names."""
SOURCES = ("#826ce3", "#8a4729", "#8b6385", "#332120")
"""Lines of credit sources: none of them a colour of a sign."""
DASHES = ("-", "--", "-.", ":", (0, (8, 2)))
SCREEN_DASHES = ("solid", "dash", "dashdot", "dot", "longdash")

SCREEN_FONT = "DejaVu Sans, Verdana, Arial, sans-serif"
SCREEN_SIZE = 12
"""Pixels."""
PAPER_FONT = ("DejaVu Sans", "Verdana", "Arial", "Helvetica")
"""The first comes with matplotlib and is embedded; an SVG names the others for viewers that lack it."""
PAPER_SIZE = 8
"""Points, the smallest that is printed."""

PAPER_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": list(PAPER_FONT),
    "font.size": PAPER_SIZE,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": PAPER_SIZE,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": PAPER_SIZE,
    "ytick.labelsize": PAPER_SIZE,
    "hatch.linewidth": 0.7,
    "text.parse_math": False,
    "text.usetex": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "spa_lab",
}
"""matplotlib settings of every paper figure. Text from agents is never taken for mathematics; fonts are
embedded whole; the same figure gives the same bytes."""


def cycled(looks: Sequence[_T], number: int) -> _T:
    """The look of series `number`; begins anew after the last."""
    return looks[number % len(looks)]


def signed_limit(values: Iterable[float]) -> float:
    """Half width of a signed scale: the largest absolute value, or 1 where all are 0."""
    return max((abs(float(value)) for value in values), default=0.0) or 1.0


def signed_colour(value: float, limit: float) -> str:
    """Colour of a signed value on a scale that is symmetric about 0: white there, full at +-limit.

    Args:
        value: any number; beyond the limit it gets the colour of the limit.
        limit: > 0, in the value's unit; see `signed_limit`.

    Returns:
        "#rrggbb".

    Raises:
        ValueError: limit is not positive.
    """
    if not limit > 0:
        raise ValueError(f"the limit of a signed scale must be > 0, got {limit}")
    share = min(abs(value) / limit, 1.0)
    full = _rgb(POSITIVE if value > 0 else NEGATIVE)
    mixed = np.rint(255 * (1 - share * (1 - full))).astype(int)
    return "#" + "".join(f"{part:02x}" for part in mixed)


def text_colour(ground: str) -> str:
    """Black or white, whichever reads better on `ground` ("#rrggbb"); `INK` would not reach 4.5 on all."""
    return max("#000000", WHITE, key=lambda colour: contrast(colour, ground))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours "#rrggbb", 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance in [0, 1], sRGB."""
    part = _rgb(colour)
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255

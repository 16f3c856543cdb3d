"""Styles of the marks in printed figures as matplotlib properties.

Those of sources and policies come from the registry in `view.style`. No distinction relies on colour alone:
negative bars are hatched, measured values are diamonds, ungrounded steps are crosses, and lines differ by
their dashes.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from spa_lab.view import style

Properties = dict[str, Any]
"""Keyword arguments of a matplotlib artist."""

POSITIVE: Properties = {"color": style.POSITIVE, "linewidth": 0}
NEGATIVE: Properties = {
    "facecolor": style.NEGATIVE,
    "edgecolor": style.WHITE,  # of the hatching
    "linewidth": 0,
    "hatch": "/////",
}
OUTCOME: Properties = {"color": style.INK, "linewidth": 1.0, "linestyle": (0, (4, 2))}
TRUTH: Properties = {
    "color": style.WHITE,
    "markeredgecolor": style.INK,
    "marker": "D",
    "markersize": 3.2,
    "markeredgewidth": 0.8,
    "linestyle": "none",
}
UNGROUNDED_STEP: Properties = {"color": style.INK, "marker": "x", "markersize": 4, "linestyle": "none"}
ERROR_BAR: Properties = {"fmt": "none", "elinewidth": 0.8, "capsize": 1.5, "clip_on": False}


def line_of(name: str | style.Look) -> Properties:
    """Colour and dash of a source or policy, or of a look, for a line."""
    look = _look(name)
    return {"color": look.colour, "linestyle": look.dash, "linewidth": 1.4}


def marker_of(name: str | style.Look, size: float = 4.5) -> Properties:
    """Colour and marker of a source or policy, or of a look, for points; `size` in points."""
    look = _look(name)
    return {"color": look.colour, "marker": look.marker, "markersize": size}


def _look(name: str | style.Look) -> style.Look:
    return name if isinstance(name, style.Look) else style.look(name)


def draw_measured(axes: Axes, x: np.ndarray, y: np.ndarray, **errors: Any) -> None:
    """Measured values as diamonds with standard errors `xerr` or `yerr`."""
    axes.errorbar(x, y, ecolor=style.INK, zorder=3, **ERROR_BAR, **errors)
    axes.plot(x, y, zorder=4, clip_on=False, **TRUTH)

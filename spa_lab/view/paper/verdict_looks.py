"""How successes and failures are told apart where both stand in one plot: colour, marker and dash."""

from collections.abc import Mapping

from spa_lab.view import style
from spa_lab.view.paper import looks
from spa_lab.view.text import UNKNOWN

LINES: Mapping[str, looks.Properties] = {
    "success": {"color": style.POSITIVE, "marker": "o", "markersize": 3, "linestyle": "-", "linewidth": 1.3},
    "failure": {"color": style.NEGATIVE, "marker": "s", "markersize": 3, "linestyle": "--", "linewidth": 1.3},
    UNKNOWN: {"color": style.MUTED, "marker": "^", "markersize": 3, "linestyle": ":", "linewidth": 1.3},
}
"""Verdict -> line with markers."""


def points(verdict: str) -> looks.Properties:
    """Marks of single steps: small, successes filled, failures hollow."""
    look = {key: value for key, value in LINES[verdict].items() if key in ("color", "marker")}
    filled = look["color"] if verdict == "success" else "none"
    return look | {"markersize": 2.6, "markeredgewidth": 0.5, "markerfacecolor": filled, "linestyle": "none"}


def measured(verdict: str) -> looks.Properties:
    """Measured means: white diamonds, outlined in the colour of the verdict."""
    edge = {"markeredgecolor": LINES[verdict]["color"], "linestyle": "none"}
    return looks.TRUTH | edge

"""Fonts of printed figures: the two that come with matplotlib, or any family that is installed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from matplotlib import font_manager

from spa_lab.view import style


@dataclass(frozen=True)
class Font:
    """A family of fonts and the size of all text but titles, which are larger."""

    families: tuple[str, ...]
    """The first is drawn with and embedded; an SVG names the others for viewers that lack it."""
    size: float
    """Points; no text is smaller."""
    generic: str = "sans-serif"
    """matplotlib's kind of the family: "sans-serif" or "serif"."""

    @property
    def settings(self) -> dict[Any, Any]:
        """What matplotlib needs to know, on top of `style.PAPER_RC`."""
        sizes = dict.fromkeys(
            ("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), self.size
        )
        sizes |= dict.fromkeys(("axes.titlesize", "legend.fontsize"), self.size)
        return {"font.family": self.generic, f"font.{self.generic}": list(self.families), **sizes}


SANS = Font(style.PAPER_FONT, style.PAPER_SIZE)
SERIF = Font(("STIXGeneral", "Times New Roman", "Times", "Nimbus Roman"), 9, "serif")
"""Of the design of Times; 9 points of it are as wide as 8 of the sans serif."""
FONTS: Mapping[str, Font] = MappingProxyType({"sans": SANS, "serif": SERIF})
SMALLEST = 7
"""Points: text below is not legible in print."""


def find_font(name: str) -> Font:
    """The font of a name: "sans", "serif", or a family that is installed on this machine.

    Raises:
        ValueError: no such family.
    """
    if name in FONTS:
        return FONTS[name]
    if name not in font_manager.get_font_names():
        known = ", ".join(FONTS)
        raise ValueError(f"font {name!r} is not installed; there are: {known}, and every installed family")
    return Font((name, *style.PAPER_FONT), style.PAPER_SIZE)

"""Panels of equal size, as many side by side as fit a page, and the rest below."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view.paper.page import MARGIN, add_axes, add_text, fit_text

RIGHT = 0.12
"""Inches: of a panel, for the last label of its axis."""
TITLE_LEFT, TITLE_LINE = 0.14, 0.15
"""Inches: a title begins so far from the left edge of its panel; a line of it."""


@dataclass(frozen=True)
class Panels:
    """Where n panels stand; inches."""

    page: float
    """Width of the page."""
    n: int
    height: float
    """Of a plot."""
    least: float = 1.5
    """Least width of a panel with its axis."""
    most: int = 4
    """Panels side by side."""
    left: float = 0.5
    """The axis on the left of a plot."""
    head: float = 0.22
    """The title above a plot."""
    axis: float = 0.4
    """The axis below a plot."""

    @property
    def across(self) -> int:
        """Panels side by side: as many as fit, or fewer where that takes no more rows."""
        fit = max(min(self.n, int((self.page - 2 * MARGIN) / self.least), self.most), 1)
        return -(-self.n // -(-self.n // fit))

    @property
    def plot_width(self) -> float:
        """Width of a plot."""
        return (self.page - 2 * MARGIN) / self.across - self.left - RIGHT

    @property
    def foot(self) -> float:
        """Height of all panels together."""
        return -(-self.n // self.across) * (self.head + self.height + self.axis)

    def add(self, figure: Figure, index: int) -> Axes:
        """Axes of a panel."""
        row, column = divmod(index, self.across)
        left = MARGIN + column * (self.page - 2 * MARGIN) / self.across + self.left
        top = row * (self.head + self.height + self.axis) + self.head
        return add_axes(figure, left, top, self.plot_width, self.height)

    def add_title(self, figure: Figure, index: int, lines: Sequence[str]) -> None:
        """Lines of text above a panel, from the left edge of its axis; each is cut to the panel's width."""
        row, column = divmod(index, self.across)
        cell = (self.page - 2 * MARGIN) / self.across
        foot = row * (self.head + self.height + self.axis) + self.head - 0.07
        for above, line in enumerate(reversed(lines)):
            left = MARGIN + column * cell + TITLE_LEFT
            add_text(figure, left, foot - TITLE_LINE * above, fit_text(line, cell - TITLE_LEFT))

    def is_left(self, index: int) -> bool:
        """Whether no panel stands on the left of it."""
        return index % self.across == 0

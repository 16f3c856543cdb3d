"""What a user asks of the figures, and what comes of a request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spa_lab.view.paper import FORMATS, Page, PaperFigure
from spa_lab.view.paper.page import TWO_COLUMNS


class LeftOut(NamedTuple):
    """A figure that could not be made, or not as a whole."""

    name: str
    why: str


@dataclass(frozen=True)
class Asked:
    """Options of the figures."""

    page: Page = TWO_COLUMNS
    trajectory: str | None = None
    """Id of the trajectory to draw; a telling success and failure if None."""
    sources: tuple[str, ...] = ()
    """Sources to draw, in this order; as many as fit if empty."""
    only: tuple[str, ...] = ()
    """Names of figures to draw, "contributions-success", or their bases, "contributions"; all if empty."""
    formats: tuple[str, ...] = FORMATS
    """Files to write."""

    def wants(self, base: str) -> bool:
        """Whether a figure is asked for whose name is this base, or begins with it and a hyphen."""
        return not self.only or any(_begins(asked, base) for asked in self.only)


def _begins(name: str, beginning: str) -> bool:
    return name == beginning or name.startswith(f"{beginning}-")


Made = Iterator[PaperFigure | LeftOut]


def is_wanted(name: str, asked: Asked, bases: Sequence[str]) -> bool:
    """Whether a figure is asked for by its name or by its base, the longest that it begins with."""
    base = max((base for base in bases if _begins(name, base)), key=len, default=name)
    return not asked.only or bool({name, base} & set(asked.only))


def check_names(asked: Sequence[str], bases: Sequence[str]) -> None:
    """Raise ValueError unless each name is a base, or begins with one and a hyphen."""
    for name in asked:
        if not any(_begins(name, base) for base in bases):
            raise ValueError(f"no figure {name!r}; there are: {', '.join(bases)}")

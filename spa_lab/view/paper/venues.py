"""Widths and fonts of papers, from the style files of venues.

Read in `neurips_2024.sty` and `iclr2024_conference.sty` (text 5.5 in wide, one column, Times),
`icml2024.sty` (text 6.75 in, columns 0.25 in apart, Times), `acl.sty` of the *ACL style files (A4, margins
of 2.5 cm, columns 0.6 cm apart, Times) and `jmlr2e.sty` (text 6 in, one column, LaTeX's own Computer Modern).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spa_lab.view.paper.fonts import SANS, SERIF, Font, find_font
from spa_lab.view.paper.page import Columns, Page

LEAST_WIDTH, MOST_WIDTH = 3.0, 12.0
"""Inches that figures are made for."""
_CM = 1 / 2.54


@dataclass(frozen=True)
class Venue:
    """The page of a conference or journal."""

    text: float
    """Inches: width of the text."""
    column: float | None = None
    """Inches: width of one of two columns; None for papers in one column."""
    font: Font = SERIF
    """Closest to the venue's that comes with matplotlib."""


VENUES: Mapping[str, Venue] = MappingProxyType(
    {
        "neurips": Venue(5.5),
        "iclr": Venue(5.5),
        "icml": Venue(6.75, (6.75 - 0.25) / 2),
        "acl": Venue((21.0 - 2 * 2.5) * _CM, (21.0 - 2 * 2.5 - 0.6) / 2 * _CM),
        "jmlr": Venue(6.0),
    }
)
"""Name -> page."""
_ANY = Venue(6.95, 3.35, SANS)
"""Fits the usual two-column templates."""


def find_page(
    venue: str | None = None, columns: Columns = 2, width: float | None = None, font: str | None = None
) -> Page:
    """The page that figures are drawn for.

    Args:
        venue: a name in `VENUES`; None for any paper.
        columns: that a figure spans, of a paper in two columns; 2 is the width of the text.
        width: inches, instead of that of the venue.
        font: see `fonts.find_font`, instead of that of the venue.

    Raises:
        ValueError: an unknown venue or font, one column of a paper that has only one, or a width that no
            figure is made for.
    """
    if venue is not None and venue not in VENUES:
        raise ValueError(f"venue {venue!r} is not known; there are: {', '.join(VENUES)}")
    paper = VENUES[venue] if venue else _ANY
    if columns == 1 and paper.column is None and width is None:
        raise ValueError(f"a paper for {venue} has one column, {paper.text:g} in wide: leave out --columns 1")
    natural = paper.column if columns == 1 and paper.column else paper.text
    chosen = natural if width is None else width
    if not LEAST_WIDTH <= chosen <= MOST_WIDTH:
        raise ValueError(f"width {chosen:g} in: figures are made for {LEAST_WIDTH:g} to {MOST_WIDTH:g} in")
    spans = paper.column is not None and chosen > paper.column + 1e-9
    return Page(chosen, spans_columns=spans, font=find_font(font) if font else paper.font)

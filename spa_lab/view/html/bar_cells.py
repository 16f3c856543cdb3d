"""A number as a bar in a table cell, with its text below: where numbers belong beside the text of a row."""

from spa_lab.view import style
from spa_lab.view.geometry import Span


def lane(parts: list[str], number: str, span: Span, *, look: str = "", colour: str = "") -> str:
    """A cell: marks on an axis, with zero where the axis has it, and the number as HTML.

    Args:
        parts: from `bar`, `mark` and `reach`.
        number: shown below, HTML.
        span: of the axis.
        look: "measured" for a track with room for a diamond below the bar.
        colour: of the bars, "#rrggbb" on a light background; that of their sign if empty.
    """
    drawn = track(parts, span, look=look, colour=colour)
    return f'<td class="lane" role="gridcell">{drawn}<span class="number">{number}</span></td>'


def track(parts: list[str], span: Span, *, look: str = "", colour: str = "") -> str:
    """Marks on an axis without their number; arguments as of `lane`."""
    tint = f' style="{tint_css(colour)}"' if colour else ""
    zero = f'<i class="zero" style="{at_css(0.0, span)}"></i>' if span[0] <= 0 <= span[1] else ""
    return f'<div class="track {look}"{tint} aria-hidden="true">{zero}{"".join(parts)}</div>'


def bar(value: float, span: Span) -> str:
    """From 0 to the value; hatched where negative."""
    low, high = sorted((0.0, value))
    return f'<i class="bar {"below" if value < 0 else "above"}" style="{between_css(low, high, span)}"></i>'


def mark(look: str, value: float, span: Span) -> str:
    """A mark at a value: "diamond", "ceiling", "chance"."""
    return f'<i class="{look}" style="{at_css(value, span)}"></i>'


def reach(look: str, low: float, high: float, span: Span) -> str:
    """A line from one value to another: "whisker", "sure"."""
    return f'<i class="{look}" style="{between_css(low, high, span)}"></i>'


def swatch(colour: str) -> str:
    """A square in a source's colour, for the head of its column or row."""
    return f'<i class="swatch" style="{tint_css(colour)}"></i>'


def tint_css(colour: str) -> str:
    """Style that sets a colour and its counterpart on a dark background."""
    return f"--light:{colour};--dark:{style.DARK[colour]}"


def at_css(value: float, span: Span) -> str:
    """Style of a value on the axis, clipped to its ends."""
    return f"left:{_share(value, span):g}%"


def between_css(low: float, high: float, span: Span) -> str:
    """Style of an interval on the axis."""
    return f"{at_css(low, span)};width:{round(_share(high, span) - _share(low, span), 3):g}%"


def _share(value: float, span: Span) -> float:
    low, high = span
    return round(min(max((value - low) / (high - low), 0.0), 1.0) * 100, 3)

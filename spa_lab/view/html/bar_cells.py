"""A number as a bar in a table cell, with its text under it; used wherever numbers stand beside words."""

from spa_lab.view.geometry import Span


def lane(parts: list[str], number: str, span: Span, *, look: str = "") -> str:
    """A cell: what is drawn on the axis, with zero where it is on it, and the number as HTML."""
    zero = f'<i class="zero" style="{at_css(0.0, span)}"></i>' if span[0] <= 0 <= span[1] else ""
    drawn = f'<div class="track {look}" aria-hidden="true">{zero}{"".join(parts)}</div>'
    return f'<td class="lane" role="gridcell">{drawn}<span class="number">{number}</span></td>'


def bar(value: float, span: Span) -> str:
    """From 0 to the value; hatched where negative."""
    low, high = sorted((0.0, value))
    return f'<i class="bar {"below" if value < 0 else "above"}" style="{between_css(low, high, span)}"></i>'


def mark(look: str, value: float, span: Span) -> str:
    """Something at one place: "diamond", "ceiling", "chance"."""
    return f'<i class="{look}" style="{at_css(value, span)}"></i>'


def reach(look: str, low: float, high: float, span: Span) -> str:
    """Something from one place to another: "whisker", "sure"."""
    return f'<i class="{look}" style="{between_css(low, high, span)}"></i>'


def at_css(value: float, span: Span) -> str:
    """Style of a place on the axis; what is beyond its end stands on its end."""
    return f"left:{_share(value, span):g}%"


def between_css(low: float, high: float, span: Span) -> str:
    """Style of a stretch of the axis."""
    return f"{at_css(low, span)};width:{round(_share(high, span) - _share(low, span), 3):g}%"


def _share(value: float, span: Span) -> float:
    low, high = span
    return round(min(max((value - low) / (high - low), 0.0), 1.0) * 100, 3)

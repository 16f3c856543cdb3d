"""A plotly figure as plain data: widgets send it to the page, and `to_figure` makes a `go.Figure` of it.

Charts are built as dicts because importing `plotly.graph_objects` and validating a figure take longer than
drawing it; a page needs neither. Text of agents and worlds must go through `text.inert` before it gets here:
plotly reads some HTML in labels as markup.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spa_lab.view import style
from spa_lab.view.style import Look

if TYPE_CHECKING:
    import plotly.graph_objects as go

Trace = dict[str, Any]
Axis = dict[str, Any]
SELECTED = "selected step"
"""Name of the shapes that mark the selected step; the page moves them."""
DIGITS = 6
"""Significant digits of the numbers sent to a page."""


@dataclass(frozen=True, eq=False)
class Chart:
    """Traces and layout in plotly's terms."""

    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    description: str
    """One sentence for screen readers and for the alternative text of a still image."""

    def spec(self) -> dict[str, Any]:
        """As JSON types: {"data", "layout", "description"}; numbers that are not finite become None."""
        return {
            "data": _plain(self.traces, DIGITS),
            "layout": _plain(self.layout, DIGITS),
            "description": self.description,
        }

    def to_json(self) -> str:
        """`spec` as one line of JSON."""
        return json.dumps(self.spec(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def to_figure(self) -> "go.Figure":
        """A plotly figure with the same traces and layout, to change, show or save; not rounded."""
        import plotly.graph_objects as go

        return go.Figure(data=_plain(self.traces), layout=_plain(self.layout) | {"template": "none"})

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.to_figure()._repr_mimebundle_(**options)


def _plain(value: Any, digits: int = 17) -> Any:
    """JSON types, numbers with so many significant digits; 17 are exact."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, digits) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), digits)
    if isinstance(value, list | tuple):
        return [_plain(item, digits) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), digits)
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    raise TypeError(f"a chart holds JSON types only, got {type(value).__name__}")


def layout(height: int, *, subject: str = "", **more: Any) -> dict[str, Any]:
    """Layout shared by all charts: white background, dark text, legend above the plot.

    Args:
        height: pixels.
        subject: a zoom is kept while the chart is redrawn with the same subject; what the legend hides
            stays hidden in any case.
        more: of plotly's layout.
    """
    return {
        "height": height,
        "autosize": True,
        "margin": {"l": 58, "r": 14, "t": 34, "b": 44},
        "uirevision": subject,
        "paper_bgcolor": style.WHITE,
        "plot_bgcolor": style.WHITE,
        "font": {"family": style.SCREEN_FONT, "size": style.SCREEN_SIZE, "color": style.INK},
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": 11},
            "itemwidth": 30,
            "uirevision": "always",
        },
        "hovermode": "x unified",
        "hoverlabel": {
            "align": "left",
            "bgcolor": style.WHITE,
            "bordercolor": style.BAND,
            "font": {"color": style.INK},
            "namelength": -1,
        },
        **more,
    }


def axis(title: str, *, grid: bool = True, **more: Any) -> Axis:
    """An axis with light grid lines and a dark zero line."""
    return {
        "title": {"text": title, "standoff": 6, "font": {"size": style.SCREEN_SIZE}},
        "gridcolor": style.GRID,
        "showgrid": grid,
        "zeroline": grid,
        "zerolinecolor": style.MUTED,
        "zerolinewidth": 1,
        **more,
    }


def step_ticks(n_steps: int, *, most: int = 26) -> Axis:
    """Ticks at whole steps, at most so many; part of an axis."""
    stride = next(
        stride for stride in (1, 2, 5, 10, 20, 50, 100, 200, 500, n_steps) if n_steps <= most * stride
    )
    return {"tick0": 0, "dtick": stride, "tickformat": "d", "ticks": "outside", "ticklen": 3}


def domains(heights: Sequence[float], gap: float) -> list[tuple[float, float]]:
    """Vertical domains in [0, 1] of panels from top to bottom; heights and gap in the same unit."""
    total = sum(heights) + gap * (len(heights) - 1)
    result, top = [], 1.0
    for height in heights:
        result.append((max(top - height / total, 0.0), top))
        top -= (height + gap) / total
    return result


def line(look: Look, *, width: float = 2) -> dict[str, Any]:
    """Colour and dash of a line."""
    return {"color": look.colour, "dash": look.screen_dash, "width": width}


def marker(look: Look, *, size: float = 6) -> dict[str, Any]:
    """Colour and symbol of a marker."""
    return {"color": look.colour, "symbol": look.symbol, "size": size}


def error_bars(
    up: Any, down: Any = None, *, colour: str = style.INK, thick: bool = False, visible: bool = True
) -> dict[str, Any]:
    """Error bars; thin with caps, or broad without (`thick`), as standard errors of a source."""
    bars: dict[str, Any] = {"type": "data", "array": up, "visible": visible}
    if down is not None:
        bars |= {"arrayminus": down, "symmetric": False}
    look = {"thickness": 3, "width": 0} if thick else {"thickness": 1.2, "width": 3}
    return bars | look | {"color": colour}


def selected_step(xref: str, yref: str, left: float) -> dict[str, Any]:
    """The mark of the selected step in one panel: step 0 until the page moves it.

    Args:
        xref: the panel's x axis, "x", "x2", ...
        yref: the panel's y axis.
        left: x at the left edge of step 0; a step is 1 wide.
    """
    return {
        "type": "rect", "name": SELECTED, "xref": xref, "yref": f"{yref} domain", "x0": left, "x1": left + 1,
        "y0": 0, "y1": 1, "fillcolor": style.SELECTED, "layer": "below",
        "line": {"color": style.BAND, "width": 1},
    }  # fmt: skip


def steps_meta(n_steps: int, edges: Mapping[str, float]) -> dict[str, Any]:
    """`layout.meta` of a chart over steps: T, and x at the left edge of step 0 for every x axis."""
    return {"n_steps": n_steps, "edges": dict(edges)}

"""A still image of a chart, drawn by matplotlib from the same traces, for pages that run no script.

It covers what the charts of this package use: scatter, bar and heat map traces, error bars, filled and plain
lines, rectangles, panel titles. It needs neither a browser nor a network, so the copy that stays in a
notebook shows the chart on GitHub, in an untrusted notebook and in a PDF. Interactive pages replace it by the
chart itself.
"""

import html
import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart
from spa_lab.view.paper.page import LEGEND_ROW, MARGIN, draw_legend, legend_rows

DPI = 110
"""Pixels per inch of the image; a page scales it to its width."""
SCREEN_INCH = 100
"""Pixels of a chart on screen that make one inch of the image: text keeps its size relative to the plot."""
LEGEND_TOP = 0.04
"""Inches from the upper edge to the legend."""
EDGE = 0.02
"""Inches left free beside a label for which the image grew."""
TITLE = 26
"""Pixels of the titles above the first panels."""
PERCENT = ".0%"
"""plotly's format of an axis of percentages."""
_MARKERS = {symbol: name for name, symbol in style.SYMBOLS.items()}
_DASHES = {name: dash for dash, name in style.SCREEN_DASHES.items()} | {"longdashdot": style.DASHES[5]}
_HATCHES = {"": "", "/": "///", "\\": "\\\\\\", "x": "xx", ".": "..", "-": "--", "|": "||"}


def still_image(chart: Chart, *, width: int = 1000) -> bytes:
    """The chart as a PNG on a white background, `width` screen pixels wide."""
    spec = chart.spec()
    layout, height = spec["layout"], spec["layout"]["height"]
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width / SCREEN_INCH, height / SCREEN_INCH))
        panels = _panels(figure, layout, width, height)
        _draw_bars([trace for trace in spec["data"] if trace["type"] == "bar"], panels)
        for trace in spec["data"]:
            if trace["type"] == "scatter" and _opacity(trace) > 0:
                _draw_scatter(panels[trace.get("xaxis", "x")], trace)
        for panel in panels.values():
            panel.margins(x=0.02)
        for trace in spec["data"]:
            if trace["type"] == "heatmap":
                _draw_heat(panels[trace.get("xaxis", "x")], trace)
        _draw_legend(figure, panels, layout)
        _make_room(figure)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=DPI, metadata={"Software": None})
    return image.getvalue()


def _panels(figure: Figure, layout: Mapping[str, Any], width: int, height: int) -> dict[str, Axes]:
    """Axes of matplotlib by the name of their x axis in plotly."""
    margin = layout["margin"]
    panels: dict[str, Axes] = {}
    left, bottom = margin["l"] / width, margin["b"] / height
    inner = (1 - left - margin["r"] / width, 1 - bottom - margin["t"] / height)
    for name in [key for key in layout if key.startswith("xaxis")]:
        across, up = layout[name], layout[name.replace("xaxis", "yaxis")]
        (x0, x1), (y0, y1) = across.get("domain", (0, 1)), up.get("domain", (0, 1))
        box = (left + x0 * inner[0], bottom + y0 * inner[1], (x1 - x0) * inner[0], (y1 - y0) * inner[1])
        axes = figure.add_axes(box)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, axis="y", color=style.GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.ticklabel_format(
            axis="y", style="plain"
        )  # a factor above the axis would cover the panel's title
        axes.set_xlabel(_text(across["title"]["text"]))
        axes.set_ylabel(_text(up["title"]["text"]))
        if across.get("range"):
            axes.set_xlim(across["range"])
        if up.get("range"):
            axes.set_ylim(up["range"])
        if up.get("tickformat") == PERCENT:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if across.get("tickvals"):
            axes.set_xticks(across["tickvals"], [_text(label) for label in across["ticktext"]])
        elif across.get("dtick"):
            axes.xaxis.set_major_locator(MultipleLocator(across["dtick"]))
        if up.get("tickvals"):
            axes.set_yticks(up["tickvals"], [_text(label) for label in up["ticktext"]])
        axes.tick_params(
            labelbottom=across.get("showticklabels", True), labelleft=up.get("showticklabels", True)
        )
        panels[name.replace("axis", "")] = axes
    for note in layout.get("annotations", ()):
        place = (left + note["x"] * inner[0], bottom + note["y"] * inner[1] + 2 / height)
        figure.text(*place, _text(note["text"]), va="bottom", weight="bold")
    return panels


def _draw_bars(traces: list[Mapping[str, Any]], panels: Mapping[str, Axes]) -> None:
    """Bars of one panel within 0.75 of a step: side by side, or at their x where they have a `base`."""
    for name, axes in panels.items():
        bars = [trace for trace in traces if trace.get("xaxis", "x") == name]
        grouped = not any("base" in trace for trace in bars)
        width = 0.75 / max(len(bars), 1) if grouped else 0.75
        for index, trace in enumerate(bars):
            marker = trace["marker"]
            line = marker.get("line", {})
            shape = marker.get("pattern", {}).get("shape", "")
            shift = (index - (len(bars) - 1) / 2) * width if grouped else 0.0
            places = np.array(trace["x"], dtype=float) + shift
            values = np.array(trace["y"], dtype=float)
            axes.bar(
                places, values, width, trace.get("base", 0), color=marker["color"], label=_label(trace),
                hatch=_HATCHES[shape],
                edgecolor=style.WHITE if shape else line.get("color", marker["color"]),
                linewidth=0.0 if shape else 0.75 * line.get("width", 0),
            )  # fmt: skip
            _draw_errors(axes, places, values, trace)
        if bars:
            axes.axhline(0, color=style.MUTED, linewidth=0.8)


def _draw_scatter(axes: Axes, trace: Mapping[str, Any]) -> None:
    marker, line = trace.get("marker", {}), trace.get("line", {})
    mode, edge = trace["mode"], trace.get("marker", {}).get("line", {})
    colour = line.get("color") or marker.get("color")
    x, y = np.array(trace["x"], dtype=float), np.array(trace["y"], dtype=float)
    _draw_errors(axes, x, y, trace)
    axes.plot(
        x, y, label=_label(trace), clip_on=trace.get("cliponaxis", True),
        color=colour, linewidth=0.7 * line.get("width", 2),
        linestyle=_DASHES[line.get("dash", "solid")] if "lines" in mode else "none",
        marker=_MARKERS[marker["symbol"]] if "markers" in mode and "symbol" in marker else "none",
        markersize=0.75 * marker.get("size", 6), markerfacecolor=marker.get("color"),
        markeredgecolor=edge.get("color", marker.get("color")), markeredgewidth=edge.get("width", 0.5),
    )  # fmt: skip


def _draw_heat(axes: Axes, trace: Mapping[str, Any]) -> None:
    """Cells with their labels, the first row on top; cells without a value stay white."""
    values = np.array([[np.nan if cell is None else cell for cell in row] for row in trace["z"]], dtype=float)
    colours = LinearSegmentedColormap.from_list("heat", [tuple(stop) for stop in trace["colorscale"]])
    axes.grid(visible=False)
    axes.imshow(values, cmap=colours, vmin=trace["zmin"], vmax=trace["zmax"], aspect="auto")
    for i, row in enumerate(trace["text"]):
        for j, label in enumerate(row):
            weight = "bold" if "<b>" in label else "normal"
            axes.text(j, i, _text(label), ha="center", va="center", weight=weight)


def _draw_errors(axes: Axes, x: np.ndarray, y: np.ndarray, trace: Mapping[str, Any]) -> None:
    bars = trace.get("error_y")
    if not bars:
        return
    up = np.array(bars["array"], dtype=float)
    down = np.array(bars.get("arrayminus", bars["array"]), dtype=float)
    thick = bars["width"] == 0
    axes.errorbar(
        x, y, yerr=np.maximum([down, up], 0), linestyle="none", color=bars["color"], zorder=2,
        elinewidth=2.0 if thick else 0.9, capsize=0 if thick else 2,
    )  # fmt: skip


def _draw_legend(figure: Figure, panels: Mapping[str, Axes], layout: Mapping[str, Any]) -> None:
    """In as many rows as its names need; the image grows where they need more than the layout has."""
    if not layout.get("showlegend"):
        return
    handles: list[Any] = []
    for axes in panels.values():
        marks, names = axes.get_legend_handles_labels()
        handles += [mark for mark, name in zip(marks, names, strict=True) if not name.startswith("_")]
    rows = legend_rows(handles, figure.get_figwidth() - 2 * MARGIN)
    space = layout["margin"]["t"] - (TITLE if layout.get("annotations") else 0)
    missing = LEGEND_TOP + LEGEND_ROW * len(rows) - space / SCREEN_INCH
    if missing > 0:
        _grow(figure, top=missing)
    draw_legend(figure, rows, MARGIN, LEGEND_TOP)


def _make_room(figure: Figure) -> None:
    """Let the image grow where a title or the labels of an axis reach beyond its left or lower edge."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    left, bottom = (
        max(-min(getattr(box, end) for box in boxes if box) / figure.dpi, 0) for end in ("x0", "y0")
    )
    if left or bottom:
        _grow(figure, left=left and left + EDGE, bottom=bottom and bottom + EDGE)


def _grow(figure: Figure, *, left: float = 0.0, bottom: float = 0.0, top: float = 0.0) -> None:
    """Add inches of space at the edges; panels, titles and legend keep their size and distances."""
    width, height = figure.get_size_inches()
    grown = (width + left, height + bottom + top)
    figure.set_size_inches(grown)
    for axes in figure.axes:
        x, y, across, upward = axes.get_position().bounds
        axes.set_position(
            (
                (x * width + left) / grown[0], (y * height + bottom) / grown[1],
                across * width / grown[0], upward * height / grown[1],
            )
        )  # fmt: skip
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position(((x * width + left) / grown[0], (y * height + bottom) / grown[1]))


def _label(trace: Mapping[str, Any]) -> str:
    """The legend's text, or one that matplotlib leaves out."""
    return _text(trace["name"]).lstrip("_") or "–" if trace.get("showlegend", True) else "_"


def _opacity(trace: Mapping[str, Any]) -> float:
    return float(trace.get("marker", {}).get("opacity", 1))


def _text(label: str) -> str:
    """The plain text of a label: plotly's few tags and entities are resolved."""
    return html.unescape(re.sub(r"</?b>", "", label.replace("<br>", "\n")))

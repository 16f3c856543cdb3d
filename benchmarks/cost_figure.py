"""The figure of the curves: tokens per second over width, length and size, drawn from the saved records."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.generation import ENGINE, KEPT, WHOLE
from benchmarks.records import Record, load
from spa_lab.view import style
from spa_lab.view.paper.looks import ERROR_BAR, Properties
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    draw_legend,
    legend_entry,
    legend_rows,
    tidy,
)
from spa_lab.view.paper.panels import Panels
from spa_lab.view.paper.paper_figure import PaperFigure

NAME = "cost"
"""Of the files."""
HEIGHT = 1.5
"""Inches: a plot."""
CURVES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "width": ("parallel", "episodes side by side"),
        "length": ("steps", "steps of an episode"),
        "size": ("parameters", "parameters of the model"),
    }
)
"""Curve -> what varies in the records' setting, and the label of the axis."""
WAYS: Mapping[str, tuple[str, str, style.Dash]] = MappingProxyType(
    {
        ENGINE: (style.BLUE, "o", style.DASHES[0]),
        WHOLE: (style.ORANGE, "s", style.DASHES[1]),
        KEPT: (style.GREEN, "^", style.DASHES[2]),
    }
)
"""Way -> colour, marker, dash."""


def draw(folder: Path) -> list[Path]:
    """Draw `curves.csv` of a folder as `cost.png` and `cost.svg` beside it; returns these files.

    Raises:
        StoreError: the records cannot be read, or a picture cannot be written.
        ValueError: there are no records of curves.
    """
    return cost_figure(load(folder / "curves.csv")).save(folder, formats=("svg", "png"))


def cost_figure(records: Sequence[Record]) -> PaperFigure:
    """A panel for each curve, a line for each way; bars are the range of the rounds.

    Args:
        records: of `curves.measure`; others are left out.

    Raises:
        ValueError: there are none of a curve.
    """
    table = points(records)
    rounds = int(table["rounds"].min())
    with TWO_COLUMNS.printing():
        figure = _draw(table)
    caption = (
        f"Tokens written per second of CPU time, the same tokens in all ways; median and range of {rounds} "
        "paired rounds. Filled: many episodes side by side; hollow: a single one. Over the size: "
        "the smallest model is the shipped one, the larger ones have random weights."
    )
    return PaperFigure(NAME, figure, table, caption, TWO_COLUMNS, {"rounds": rounds})


def points(records: Sequence[Record]) -> pd.DataFrame:
    """A row for each point; `beside`: episodes side by side, `low`, `high`: range of the rounds.

    Raises:
        ValueError: there is no record of a curve.
    """
    rows = [
        {
            "curve": record.setting["over"],
            "way": record.way,
            "x": int(record.setting[CURVES[record.setting["over"]][0]]),
            "beside": int(record.setting["parallel"]),
            "per_second": record.per_second,
            "low": min(record.rates),
            "high": max(record.rates),
            "rounds": len(record.seconds),
        }
        for record in records
        if record.setting.get("over") in CURVES
    ]
    if not rows:
        raise ValueError("there are no records of curves to draw")
    return pd.DataFrame(rows)


def _draw(table: pd.DataFrame) -> Figure:
    panels = Panels(TWO_COLUMNS.width, len(CURVES), HEIGHT, most=3, head=0.1)
    handles = [legend_entry(way, _line(way)) for way in WAYS if way in set(table["way"])]
    for beside in sorted(table.loc[table["curve"] != "width", "beside"].unique()):
        point = {"color": style.INK, "marker": "o", "markersize": 4, "linestyle": "none"}
        hollow = {"markerfacecolor": style.WHITE} if beside == 1 else {}
        handles.append(legend_entry("one episode" if beside == 1 else f"{beside} episodes", point | hollow))
    legend = legend_rows(handles, TWO_COLUMNS.width - 2 * MARGIN)
    figure = Figure(figsize=(TWO_COLUMNS.width, panels.foot + LEGEND_ROW * len(legend) + 0.08))
    for index, (curve, (_, label)) in enumerate(CURVES.items()):
        axes = panels.add(figure, index)
        _draw_curve(axes, table[table["curve"] == curve])
        axes.set_xlabel(label)
        if not index:
            axes.set_ylabel("tokens per second")
    draw_legend(figure, legend, MARGIN, panels.foot + 0.04)
    return figure


def _draw_curve(axes: Axes, table: pd.DataFrame) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for (way, alone), rows in table.assign(alone=_alone(table)).groupby(["way", "alone"], sort=False):
        rows = rows.sort_values("x")
        bars = [rows["per_second"] - rows["low"], rows["high"] - rows["per_second"]]
        line = _line(str(way)) | ({"markerfacecolor": style.WHITE} if alone else {})
        axes.errorbar(rows["x"], rows["per_second"], bars, ecolor=line["color"], **ERROR_BAR)
        axes.plot(rows["x"], rows["per_second"], clip_on=False, zorder=3, **line)
    places = sorted(table["x"].unique())
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.4g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    tidy(axes, "y")


def _alone(table: pd.DataFrame) -> pd.Series:
    """Whether a point belongs to a line of single episodes; the curve over the width is one line."""
    return (table["beside"] == 1) & (table["curve"] != "width")


def _line(way: str) -> Properties:
    colour, marker, dash = WAYS[way]
    return {"color": colour, "marker": marker, "linestyle": dash, "markersize": 4, "linewidth": 1.2}


def _short(number: float) -> str:
    """Parameters in millions; small numbers as they are."""
    if number < 1e5:
        return f"{number:g}"
    return f"{number / 1e6:.{0 if number >= 1e7 else 1}f} M"

"""Charts of plain tables: lines, bars and points in the style of all charts, for notebooks.

Each takes a frame, or frames by title, which are drawn side by side with one legend. A name that `view.style`
knows has its look there; a chart of names that it does not know gives them looks in order.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, error_bars, layout, line, marker
from spa_lab.view.style import Look
from spa_lab.view.text import inert, shortened

Panels: TypeAlias = pd.DataFrame | Mapping[str, pd.DataFrame]
"""One frame, or several by the title of their panel."""
HEIGHT, HEAD, GAP = 300, 60, 0.08
"""Pixels of a chart, and of what stands above its panels; share of the width between two of them."""
FEW = 40
"""Points of a line up to which each has a marker."""
MOST_TICKS = 26
"""Labels of an axis of names."""
NAME = 40
"""Characters of a name."""


def lines_chart(
    panels: Panels, *, x: str, y: str = "", limits: tuple[float, float] | None = None, percent: bool = False
) -> Chart:
    """A line for every column over the index; where a value is NaN the line has a gap.

    Args:
        panels: the index holds numbers, or names, which are then placed at equal distances.
        x: title of the horizontal axes, with the unit.
        y: title of the vertical axes, with the unit.
        limits: of the vertical axes; as the values need if None.
        percent: show fractions as percentages.

    Raises:
        ValueError: a frame without rows or columns.
    """

    def draw(frame: pd.DataFrame, looks: Mapping[Hashable, Look]) -> list[Trace]:
        places = _places(frame)
        mode = "lines+markers" if len(frame) <= FEW else "lines"
        return [
            {"type": "scatter", "mode": mode, "x": places, "y": _numbers(frame[name])}
            | {"line": line(look), "marker": marker(look)}
            for name, look in looks.items()
        ]

    return _chart(panels, draw, "Lines", x, y, limits=limits, percent=percent)


def bars_chart(
    panels: Panels,
    *,
    x: str,
    y: str = "",
    errors: pd.DataFrame | None = None,
    limits: tuple[float, float] | None = None,
    percent: bool = False,
) -> Chart:
    """Bars beside one another for the columns, a group for every row; the index names the groups.

    Args:
        panels: see `lines_chart`, as are the other arguments.
        x: title of the horizontal axes, with the unit.
        y: title of the vertical axes, with the unit.
        errors: half lengths of error bars, by index and column of the bars; rows and columns that it lacks,
            and NaN, have none.
        limits: of the vertical axes; as the values need if None.
        percent: show fractions as percentages.

    Raises:
        ValueError: a frame without rows or columns.
    """

    def draw(frame: pd.DataFrame, looks: Mapping[Hashable, Look]) -> list[Trace]:
        traces: list[Trace] = []
        for name, look in looks.items():
            look_of_bar = {"color": look.colour, "line": {"width": 0}}
            trace = {"type": "bar", "x": np.arange(len(frame)), "y": _numbers(frame[name])}
            if errors is not None and name in errors:
                same = errors.index.equals(frame.index)  # names of rows may then occur twice
                halves = errors[name] if same else errors[name].reindex(frame.index)
                trace["error_y"] = error_bars(_numbers(halves))
            traces.append(trace | {"marker": look_of_bar})
        return traces

    return _chart(panels, draw, "Bars", x, y, limits=limits, percent=percent, names=True)


def points_chart(
    panels: Mapping[str, pd.DataFrame], *, x: str, y: str = "", limits: tuple[float, float] | None = None
) -> Chart:
    """A point for every row, and the line on which both coordinates are equal.

    Args:
        panels: frames with the columns "x" and "y", and "group", whose values have a look each; without it
            all points look alike.
        x: title of the horizontal axes, with the unit.
        y: title of the vertical axes, with the unit.
        limits: of all axes; as the values need if None.

    Raises:
        ValueError: a frame without rows.
    """
    values = np.concatenate(
        [frame[["x", "y"]].to_numpy(dtype=np.float64).ravel() for frame in panels.values()]
    )
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    groups = {title: frame.assign(group=frame.get("group", "")) for title, frame in panels.items()}

    def draw(frame: pd.DataFrame, looks: Mapping[Hashable, Look]) -> list[Trace]:
        return [
            {"type": "scatter", "mode": "markers", "marker": marker(look, size=5)}
            | {axis: _numbers(frame.loc[frame["group"] == name, axis]) for axis in ("x", "y")}
            for name, look in looks.items()
        ]

    wide = {title: list(frame["group"].unique()) for title, frame in groups.items()}
    chart = _chart(groups, draw, "Points", x, y, limits=limits, series=wide, hovermode="closest")
    if limits is not None:
        for index in range(len(groups)):
            chart.layout[_key("xaxis", index)]["range"] = list(limits)
    return Chart([*_equality(len(groups), low, high), *chart.traces], chart.layout, chart.description)


def _equality(n: int, low: float, high: float) -> list[Trace]:
    """The dashed line y = x of every panel."""
    return [
        {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "name": "y = x"}
        | {
            "showlegend": False,
            "hoverinfo": "skip",
            "line": {"color": style.BAND, "dash": "dash", "width": 1},
        }
        | _axes(index)
        for index in range(n)
    ]


def _chart(
    panels: Panels,
    draw: Callable[[pd.DataFrame, Mapping[Hashable, Look]], list[Trace]],
    kind: str,
    x: str,
    y: str,
    *,
    limits: tuple[float, float] | None,
    percent: bool = False,
    names: bool = False,
    series: Mapping[str, Sequence[Hashable]] | None = None,
    hovermode: str = "x unified",
) -> Chart:
    """Panels side by side; `series` are the names in each panel, its columns if None."""
    frames = {"": panels} if isinstance(panels, pd.DataFrame) else dict(panels)
    if not frames or any(frame.empty for frame in frames.values()):
        raise ValueError(f"{kind.lower()} chart: a table has no rows or no columns")
    columns = series or {title: list(frame.columns) for title, frame in frames.items()}
    looks = _looks([name for shown in columns.values() for name in shown])
    figure = layout(HEIGHT + 20 * ((len(looks) - 1) // 6), hovermode=hovermode, barmode="group", bargap=0.25)
    figure["annotations"], traces, legend = [], [], set()
    for index, (title, frame) in enumerate(frames.items()):
        shown = {name: looks[name] for name in columns[title]}
        for trace, name in zip(draw(frame, shown), shown, strict=True):
            label = inert(shortened(str(name), NAME))
            first = len(looks) > 1 and name not in legend
            legend.add(name)
            traces.append(trace | {"name": label, "legendgroup": label, "showlegend": first} | _axes(index))
        _add_axes(figure, index, len(frames), (x, y), _ticks(frame, names), limits, percent=percent)
        if title:
            figure["annotations"].append(_title(title, figure[_key("xaxis", index)]["domain"][0]))
    if figure["annotations"]:
        figure["margin"] |= {"t": HEAD}
        figure["legend"] |= {"y": 1.1}
    described = ", ".join(title for title in frames if title) or y or x
    return Chart(traces, figure, f"{kind} of {described}")


def _looks(names: Sequence[Hashable]) -> dict[Hashable, Look]:
    distinct = list(dict.fromkeys(names))
    if any(style.is_known(str(name)) for name in distinct):
        looks = style.looks_beside(map(str, distinct))
        return {name: looks[str(name)] for name in distinct}
    return {
        name: Look(
            style.cycled(style.SERIES, i), style.cycled(style.MARKERS, i), style.cycled(style.DASHES, i)
        )
        for i, name in enumerate(distinct)
    }  # fmt: skip


def _add_axes(
    figure: dict[str, Any],
    index: int,
    n: int,
    titles: tuple[str, str],
    ticks: dict[str, Any],
    limits: tuple[float, float] | None,
    *,
    percent: bool,
) -> None:
    width = (1 - GAP * (n - 1)) / n
    left = index * (width + GAP)
    across, up = _axes(index)["xaxis"], _axes(index)["yaxis"]
    more: dict[str, Any] = {"tickformat": ".0%"} if percent else {}
    if limits is not None:
        more["range"] = list(limits)
    figure[_key("xaxis", index)] = axis(
        titles[0], grid=False, domain=[left, min(left + width, 1.0)], anchor=up, **ticks
    )
    figure[_key("yaxis", index)] = axis(titles[1] if index == 0 else "", anchor=across, nticks=6, **more)


def _ticks(frame: pd.DataFrame, names: bool) -> dict[str, Any]:
    """Names of the index as ticks; none for an axis of numbers."""
    if _is_numeric(frame.index) and not names:
        return {"nticks": 8}
    every = -(-len(frame) // MOST_TICKS)
    places = list(range(0, len(frame), every))
    return {"tickvals": places, "ticktext": [inert(shortened(str(frame.index[i]), NAME)) for i in places]}


def _places(frame: pd.DataFrame) -> Any:
    return frame.index.to_numpy(dtype=float) if _is_numeric(frame.index) else np.arange(len(frame))


def _is_numeric(index: pd.Index) -> bool:
    return pd.api.types.is_numeric_dtype(index)


def _numbers(values: "pd.Series[Any]") -> Any:
    return values.to_numpy(dtype=np.float64)


def _axes(index: int) -> dict[str, str]:
    number = str(index + 1) if index else ""
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _key(name: str, index: int) -> str:
    return f"{name}{index + 1 if index else ''}"


def _title(text: str, left: float) -> dict[str, Any]:
    place = {"x": left, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return place | {"text": f"<b>{inert(text)}</b>", "showarrow": False, "yshift": 2}

"""Credit by kind of step: kinds down, sources across; means with intervals over the spread of the steps."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spa_lab.stats.task_weights import LEAST_TASKS
from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    Page,
    add_axes,
    add_text,
    draw_legend,
    fit_text,
    legend_entry,
    legend_rows,
    page_of,
    round_ticks,
    text_width,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.positions import TRUTH

ROW, HEAD, AXIS, GAP, LEAST = 0.2, 0.26, 0.4, 0.14, 0.8
"""Inches: a kind, the titles, the axis below, between sources, the least width of a source."""
MOST_SOURCES = 4
SPREAD: looks.Properties = {"color": style.GRID, "linewidth": 0}


def kind_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "credit-by-kind",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Mean contribution of every kind of step, as many sources as fit.

    Args:
        table: of `tables.step_kinds.kind_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called; the source itself where it is missing.

    Raises:
        ValueError: the table has no rows of a source.
    """
    every = [source for source in table["source"].unique() if source != TRUTH]
    if not every:
        raise ValueError("credit by kind of step: the table has no rows")
    page = page_of(columns)
    with page.printing():
        names = _names(table[table["source"].isin(every)])
        free = page.width - _left(names) - MARGIN
        sources = every[: min(max(int((free + GAP) / (LEAST + GAP)), 1), MOST_SOURCES)]
        numbers = table[table["source"].isin([*sources, TRUTH])]
        figure = _draw(numbers, sources, names, page.width, titles)
    measured = "; diamonds: mean progress of the measured steps" if TRUTH in set(table["source"]) else ""
    caption = (
        "Mean contribution by kind of step, the verb of its action, or “refused” if the world could not "
        "execute it, with 95 % bootstrap intervals over tasks, none of a kind that occurs in fewer than "
        f"{LEAST_TASKS} tasks; "
        f"grey: 80 % of the steps; n counts steps{measured}."
    )
    return PaperFigure(name, figure, numbers, caption, page, {}, keys=("kind", "source"))


def _names(table: pd.DataFrame) -> dict[str, str]:
    """Kind, of any source -> its name and number of steps, "12" or "8 to 12" where the sources differ."""
    names = {}
    for kind, counts in table.groupby("kind", sort=False)["n"]:
        least, most = int(counts.min()), int(counts.max())
        names[str(kind)] = f"{kind} ({most})" if least == most else f"{kind} ({least} to {most})"
    return names


def _left(names: Mapping[str, str]) -> float:
    return MARGIN + 0.08 + max(map(text_width, names.values()))


def _draw(
    table: pd.DataFrame,
    sources: Sequence[str],
    names: Mapping[str, str],
    width: float,
    titles: Mapping[str, str],
) -> Figure:
    left, body = _left(names), ROW * len(names)
    panel = (width - left - MARGIN + GAP) / len(sources) - GAP
    legend = legend_rows(_legend(table), width - 2 * MARGIN)
    figure = Figure(figsize=(width, HEAD + body + AXIS + LEGEND_ROW * len(legend) + 0.04))
    span = geometry.span_of(
        *(table[column] for column in ("first_decile", "last_decile", "value", "low", "high"))
    )
    for index, source in enumerate(sources):
        axes = add_axes(figure, left + index * (panel + GAP), HEAD, panel, body)
        _draw_panel(axes, table, source, list(names))
        axes.set_xlim(span)
        axes.set_xticks(*round_ticks(span, panel))
        axes.set_yticks(range(len(names)), list(names.values()) if index == 0 else [])
        axes.set_title(fit_text(captions.titled(source, titles), panel + GAP), pad=3)
    centre = left + (width - left - MARGIN) / 2
    add_text(figure, centre, HEAD + body + AXIS - 0.08, "mean credit of a step", ha="center")
    draw_legend(figure, legend, MARGIN, HEAD + body + AXIS)
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, source: str, kinds: Sequence[str]) -> None:
    rows = table[table["source"] == source].set_index("kind").reindex(kinds)
    place = np.arange(len(kinds))
    spread = rows["last_decile"] - rows["first_decile"]
    axes.barh(place, spread, left=rows["first_decile"], height=0.6, **SPREAD)
    axes.axvline(0, color=style.INK, linewidth=0.6)
    value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    reach = np.nan_to_num(np.maximum([value - low, high - value], 0.0))
    axes.errorbar(
        value,
        place,
        xerr=reach,
        linestyle="none",
        elinewidth=1.0,
        capsize=1.5,
        **looks.marker_of(source, 3.5),
    )
    truth = table[table["source"] == TRUTH].set_index("kind").reindex(kinds)
    axes.plot(truth["value"], place, zorder=4, **looks.TRUTH)
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.tick_params(length=2, pad=2)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _legend(table: pd.DataFrame) -> list[Artist]:
    mean = {"color": style.INK, "marker": "o", "markersize": 3.5, "linewidth": 1.0}
    handles: list[Artist] = [legend_entry("mean ± 95 %", mean), Patch(**SPREAD, label="80 % of the steps")]
    if TRUTH in set(table["source"]):
        handles.append(legend_entry("measured progress", looks.TRUTH))
    return handles

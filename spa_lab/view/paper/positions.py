"""Mean credit by the position of the step: a row of two panels for every source."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks, verdict_looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    Page,
    draw_legend,
    fit_text,
    lean_inward,
    legend_entry,
    legend_rows,
    page_of,
    tidy,
    whole_ticks,
)
from spa_lab.view.paper.panels import Panels
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.credited_steps import verdicts_of
from spa_lab.view.tables.positions import TRUTH

HEIGHT = 1.15
"""Inches: a plot."""
MOST_SOURCES = 3
"""Rows of panels."""
AXES: Mapping[str, str] = {"absolute": "step", "relative": "position in the episode"}


def position_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "credit-by-position",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Mean contribution by step and by relative position, successes and failures apart, with bands.

    Args:
        table: of `tables.positions.position_table`; the first sources are drawn, `MOST_SOURCES` at most.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called; the source itself where it is missing.

    Raises:
        ValueError: the table has no rows of a source.
    """
    sources = [source for source in table["source"].unique() if source != TRUTH][:MOST_SOURCES]
    if not sources:
        raise ValueError("credit by position: the table has no rows")
    numbers = table[table["source"].isin([*sources, TRUTH])]
    page = page_of(columns)
    with page.printing():
        figure = _draw(numbers, sources, page.width, titles)
    measured = "; diamonds: mean progress of the measured steps" if TRUTH in set(numbers["source"]) else ""
    shown = captions.enumeration([captions.titled(source, titles) for source in sources])
    caption = (
        f"Mean contribution of a step according to {shown}, by its number and by its place in the episode, "
        f"with 95 % bootstrap intervals over tasks; {_counted(numbers)}{measured}."
    )
    return PaperFigure(name, figure, numbers, caption, page, {}, keys=("by", "source", "verdict", "position"))


def _counted(table: pd.DataFrame) -> str:
    """Episodes of each verdict: all of them have a first step, fewer have a later one."""
    first = table[(table["by"] == "absolute") & (table["source"] != TRUTH)]
    largest = first.groupby(["verdict", "source"])["n"].max()
    counts = [f"{captions.sample_size(list(largest[verdict]))} ({verdict})" for verdict in verdicts_of(first)]
    return f"episodes: {', '.join(counts)}"


def _draw(table: pd.DataFrame, sources: Sequence[str], width: float, titles: Mapping[str, str]) -> Figure:
    panels = Panels(width, 2 * len(sources), HEIGHT, least=1.4, most=2)
    legend = legend_rows(_legend(table), width - 2 * MARGIN)
    figure = Figure(figsize=(width, panels.foot + LEGEND_ROW * len(legend) + 0.04))
    for row, source in enumerate(sources):
        rows = table[table["source"].isin([source, TRUTH])]
        span = geometry.span_of(
            rows["value"], *(rows.loc[rows["source"] == source, end] for end in ("low", "high"))
        )
        for column, (by, title) in enumerate(AXES.items()):
            axes = panels.add(figure, 2 * row + column)
            _draw_panel(axes, rows[rows["by"] == by], source)
            if by == "absolute":
                axes.set_xticks(whole_ticks(int(axes.get_xlim()[1]), panels.plot_width))
                heading = fit_text(captions.titled(source, titles), 2 * panels.plot_width)
                axes.set_title(heading, pad=4, loc="left")
            else:
                axes.set(xlim=(0, 1), xticks=[0, 0.5, 1])
                axes.set_xticklabels(["first", "middle", "last"])
                lean_inward(axes)
            axes.set_xlabel(title)
            axes.set_ylim(span)
            axes.locator_params(axis="y", nbins=4)
        figure.axes[-2].set_ylabel("mean credit")
    draw_legend(figure, legend, MARGIN, panels.foot)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, source: str) -> None:
    axes.axhline(0, color=style.INK, linewidth=0.6)
    for verdict in verdicts_of(rows):
        look = verdict_looks.LINES[verdict]
        drawn = rows[(rows["verdict"] == verdict) & (rows["source"] == source)]
        axes.fill_between(
            drawn["position"], drawn["low"], drawn["high"], color=look["color"], alpha=0.2, linewidth=0
        )
        axes.plot(drawn["position"], drawn["value"], **look)
        truth = rows[(rows["verdict"] == verdict) & (rows["source"] == TRUTH)]
        axes.plot(truth["position"], truth["value"], zorder=4, **verdict_looks.measured(verdict))
    tidy(axes, "y")


def _legend(table: pd.DataFrame) -> list[Artist]:
    handles: list[Artist] = [
        legend_entry(verdict, verdict_looks.LINES[verdict]) for verdict in verdicts_of(table)
    ]
    if TRUTH in set(table["source"]):
        handles.append(legend_entry("measured progress", looks.TRUTH))
    return handles

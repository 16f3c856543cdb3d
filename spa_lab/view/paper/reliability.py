"""Reliability diagram of predicted outcomes: mean outcome by prediction, and how many episodes that is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.stats.task_weights import LEAST_TASKS
from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import MARGIN, Columns, Page, fit_text, page_of, tidy
from spa_lab.view.paper.panels import Panels
from spa_lab.view.paper.paper_figure import PaperFigure

HEIGHT, COUNTS, GAP = 1.55, 0.28, 0.06
"""Inches: a panel; of it the counts at the bottom and the gap above them."""
MOST_PANELS, MOST_WIDTH = 4, 2.8
"""Panels, and inches of one with its axis; a figure of few panels is narrower than the page."""
IDENTITY: looks.Properties = {"color": style.MUTED, "linewidth": 0.8, "linestyle": ":"}


def reliability_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "reliability",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Mean outcome of episodes over their predicted outcome, and their number, a panel a source.

    Args:
        table: of `tables.reliability.reliability_table`; the first `MOST_PANELS` sources are drawn.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called; the source itself where it is missing.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("reliability: the table has no rows")
    sources = list(table["source"].unique())[:MOST_PANELS]
    numbers = table[table["source"].isin(sources)]
    page = page_of(columns)
    with page.printing():
        figure = _draw(numbers, page.width, titles)
    per_source = list(map(int, numbers.groupby("source")["n"].sum()))
    n = max(per_source)
    total = f"{captions.sample_size(per_source)} {'for each source' if len(sources) > 1 else 'in all'}"
    none = (
        f"; no interval where a bin has fewer than {LEAST_TASKS} tasks" if numbers["low"].isna().any() else ""
    )
    caption = (
        "Mean outcome of episodes by their predicted outcome, base value plus all contributions, with 95 "
        f"% bootstrap intervals over tasks, Wilson's where all outcomes of a bin are 0 or all are 1{none}; "
        f"dotted: predicted = actual. Below: number of episodes, {total}."
    )
    return PaperFigure(name, figure, numbers, caption, page, {"n": n}, keys=("source", "left"))


def _draw(table: pd.DataFrame, width: float, titles: Mapping[str, str]) -> Figure:
    sources = list(table["source"].unique())
    width = min(width, 2 * MARGIN + len(sources) * MOST_WIDTH)
    panels = Panels(width, len(sources), HEIGHT, least=1.45, left=0.52)
    figure = Figure(figsize=(width, panels.foot + 0.02))
    for index, source in enumerate(sources):
        rows = table[table["source"] == source]
        whole = panels.add(figure, index)
        upper = whole.inset_axes((0, (COUNTS + GAP) / HEIGHT, 1, 1 - (COUNTS + GAP) / HEIGHT))
        lower = whole.inset_axes((0, 0, 1, COUNTS / HEIGHT))
        whole.set_axis_off()
        span = geometry.span_of(rows["left"], rows["right"])
        _draw_means(upper, rows, source)
        _draw_counts(lower, rows)
        for axes in (upper, lower):
            axes.set_xlim(span)
            axes.locator_params(axis="x", nbins=4)
        upper.set_xticklabels([])
        upper.set_title(fit_text(captions.titled(source, titles), panels.plot_width), pad=3)
        lower.set_xlabel("predicted outcome")
        if panels.is_left(index):
            upper.set_ylabel("mean outcome")
    return figure


def _draw_means(axes: Axes, rows: pd.DataFrame, source: str) -> None:
    axes.axline((0, 0), slope=1, **IDENTITY)
    value, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    reach = np.nan_to_num(np.maximum([value - low, high - value], 0.0))
    axes.errorbar(
        rows["predicted"], value, yerr=reach, linestyle="none", elinewidth=0.9, capsize=1.5,
        **looks.marker_of(source, 3.5),
    )  # fmt: skip
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    tidy(axes, "y")


def _draw_counts(axes: Axes, rows: pd.DataFrame) -> None:
    axes.bar(
        rows["left"],
        rows["n"],
        width=rows["right"] - rows["left"],
        align="edge",
        color=style.BAND,
        linewidth=0,
    )
    largest = int(rows["n"].max())
    axes.set_ylim(0, 1.1 * largest)
    axes.set_yticks([largest], [str(largest)])
    tidy(axes, "y")
    axes.grid(visible=False)

"""Credit against the measured progress of steps, a panel a source; the last one a second measurement."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.stats.task_weights import LEAST_TASKS
from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks, verdict_looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    Page,
    draw_legend,
    legend_entry,
    legend_rows,
    page_of,
    tidy,
)
from spa_lab.view.paper.panels import Panels
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.comparison_rows import number
from spa_lab.view.tables.credited_steps import verdicts_of
from spa_lab.view.tables.scoreboard import SECOND

HEIGHT, HEAD, LEAST = 1.2, 0.4, 1.48
"""Inches: a plot, its two lines of title, its least width with the axis."""
MOST_PANELS = 8
IDENTITY: looks.Properties = {"color": style.MUTED, "linewidth": 0.8, "linestyle": ":"}
MANY = 1500
"""Points of a panel beyond which they are stored as an image."""


def truth_figure(
    pairs: pd.DataFrame,
    agreement: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "credit-against-truth",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Contributions over the measured progress of every step, with the rank correlation within episodes.

    Args:
        pairs: of `tables.credit_truth.truth_pairs`.
        agreement: of `tables.credit_truth.agreement_table`, of the same pairs.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called; the source itself where it is missing.

    Raises:
        ValueError: no step was measured.
    """
    if pairs.empty:
        raise ValueError("credit against truth: no step was measured")
    known = list(pairs["source"].unique())
    sources = [source for source in known if source != SECOND][: MOST_PANELS - 1]
    sources += [SECOND] if SECOND in known else []
    numbers = pairs[pairs["source"].isin(sources)]
    page = page_of(columns)
    with page.printing():
        figure = _draw(numbers, agreement.set_index("source"), sources, page.width, titles)
    ceiling = (
        " The second measurement has noise of its own; exact values would agree a little better."
        if SECOND in sources
        else ""
    )
    n, n_tasks = (int(numbers[name].nunique()) for name in ("trajectory_id", "task_id"))
    caption = (
        "Contributions of single steps against their measured progress, "
        f"n = {n} {'episode' if n == 1 else 'episodes'} of {n_tasks} {'task' if n_tasks == 1 else 'tasks'}; "
        f"ρ: Spearman's rank correlation within an episode, {_rho_in_words(agreement, sources)}; "
        f"dotted: equal.{ceiling}"
    )
    facts = {"n": n}
    return PaperFigure(name, figure, numbers, caption, page, facts)


def _rho_in_words(agreement: pd.DataFrame, sources: Sequence[str]) -> str:
    """What ρ is over the episodes, and which interval it has; of few tasks it has none."""
    shown = agreement[agreement["source"].isin(sources)]
    without = shown["value"].notna() & shown["low"].isna()
    if shown["low"].isna().all():
        return f"mean (fewer than {LEAST_TASKS} tasks: no interval)"
    none = f", no interval where it is defined in fewer than {LEAST_TASKS} tasks" if without.any() else ""
    return f"mean and 95 % bootstrap interval over tasks{none}"


def _draw(
    pairs: pd.DataFrame,
    agreement: pd.DataFrame,
    sources: Sequence[str],
    width: float,
    titles: Mapping[str, str],
) -> Figure:
    panels = Panels(width, len(sources), HEIGHT, least=LEAST, head=HEAD)
    legend = legend_rows(_legend(pairs), width - 2 * MARGIN)
    figure = Figure(figsize=(width, panels.foot + LEGEND_ROW * len(legend) + 0.04))
    x_span = geometry.span_of(pairs["progress"])
    for index, source in enumerate(sources):
        axes = panels.add(figure, index)
        rows = pairs[pairs["source"] == source]
        _draw_points(axes, rows)
        axes.set(xlim=x_span, ylim=geometry.span_of(rows["contribution"]))
        row = agreement.loc[source]
        interval = "" if np.isnan(row["low"]) else f" [{number(row['low'], 2)}, {number(row['high'], 2)}]"
        rho = f"ρ {number(row['value'], 2)}{interval}"
        panels.add_title(figure, index, [captions.titled(source, titles), rho])
        axes.set_xlabel("measured progress")
        if panels.is_left(index):
            axes.set_ylabel("credit")
        axes.locator_params(nbins=3)
        tidy(axes, "y")
    draw_legend(figure, legend, MARGIN, panels.foot)
    return figure


def _draw_points(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axline((0, 0), slope=1, **IDENTITY)
    axes.axhline(0, color=style.GRID, linewidth=0.6)
    axes.axvline(0, color=style.GRID, linewidth=0.6)
    for verdict in reversed(verdicts_of(rows)):
        drawn = rows[rows["verdict"] == verdict]
        look = verdict_looks.points(verdict)
        axes.plot(drawn["progress"], drawn["contribution"], rasterized=len(rows) > MANY, **look)


def _legend(pairs: pd.DataFrame) -> list[Artist]:
    handles: list[Artist] = [
        legend_entry(f"step of a {verdict}", verdict_looks.points(verdict)) for verdict in verdicts_of(pairs)
    ]
    return [*handles, legend_entry("equal", IDENTITY)]

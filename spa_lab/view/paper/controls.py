"""Positive controls: one panel a probe, arms down, mean value over training; exact credit as a line."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.view import style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import MARGIN, Columns, Page, add_axes, page_of, text_width, tidy
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.controls import OPTIMUM
from spa_lab.view.text import one_line

ROW, HEAD, AXIS, GAP, LEAST = 0.17, 0.25, 0.45, 0.25, 0.8
"""Inches: an arm, the title of a panel, its axis below, between panels, the least width beside another."""
ORACLE = "exact"
"""Arm that is drawn as a line through its panel."""


def controls_figure(
    table: pd.DataFrame,
    *,
    columns: Columns | Page = 2,
    name: str = "controls",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Areas under the curves with intervals, and final values as hollow marks.

    The probe with the most arms is on the left, the others on the right or, on a narrow page, below it.

    Args:
        table: of `tables.controls.controls_table`.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: arm -> what it is called in the figure; the arm itself where it is missing.

    Raises:
        ValueError: the table is empty.
    """
    if table.empty:
        raise ValueError("controls: the table has no rows")
    n_seeds = int(table["n_seeds"].max())
    fewest = int(table["n_seeds"].min())
    seeds = f"{n_seeds} seeds" if fewest == n_seeds else f"{fewest} to {n_seeds} seeds"
    exact = "; dashed: exact credit" if ORACLE in set(table["arm"]) else ""
    tasks = ", ".join(
        f"{probe} {n}" for probe, n in table.groupby("probe", sort=False)["n_tasks"].max().items()
    )
    caption = (
        f"Mean value of the policy over training (filled, with 95 % bootstrap intervals over {seeds} and all "
        "tasks) and its value at the end (hollow), by probe; exact values, optimum 1. Dotted: the cloned "
        f"policy{exact}. Tasks: {tasks}."
    )
    page = page_of(columns)
    with page.printing():
        figure = _draw(table, page.width, titles)
    return PaperFigure(name, figure, table, caption, page, {"n_seeds": n_seeds}, keys=("probe", "arm"))


def _draw(table: pd.DataFrame, width: float, titles: Mapping[str, str]) -> Figure:
    panels = sorted(table.groupby("probe", sort=False), key=lambda panel: -len(panel[1]))
    names = {arm: one_line(captions.titled(arm, titles)) for arm in table["arm"].unique()}
    label = max(map(text_width, names.values())) + 0.1
    heights = [HEAD + ROW * len(rows) + AXIS for _, rows in panels]
    half = (width - 2 * MARGIN - GAP) / 2 - label
    is_beside = len(panels) > 1 and half >= LEAST
    panel_width = half if is_beside else width - 2 * MARGIN - label
    first = 1 if is_beside else len(panels)  # panels of the left column
    tops = [*_tops(heights[:first]), *_tops(heights[first:])]
    figure = Figure(figsize=(width, max(sum(heights[:first]), sum(heights[first:]))))
    for index, (top, (probe, rows)) in enumerate(zip(tops, panels, strict=True)):
        left = MARGIN + label + (index >= first) * (panel_width + GAP + label)
        axes = add_axes(figure, left, top + HEAD, panel_width, ROW * len(rows))
        _draw_panel(axes, rows, names)
        axes.set_title(str(probe), pad=3)
    return figure


def _tops(heights: Sequence[float]) -> list[float]:
    """Inches from the top of the page to panels below each other."""
    return [float(sum(heights[:i])) for i in range(len(heights))]


def _draw_panel(axes: Axes, rows: pd.DataFrame, names: Mapping[str, str]) -> None:
    axes.axvline(rows["start"].iloc[0], color=style.MUTED, linewidth=0.9, linestyle=":")
    oracle = rows.loc[rows["arm"] == ORACLE, "area"]
    if len(oracle):
        axes.axvline(oracle.iloc[0], color=style.MUTED, linewidth=0.9, linestyle="--")
    for place, row in enumerate(rows.to_dict("records")):
        marker = looks.marker_of(row["arm"], 3.5)
        axes.plot([row["low"], row["high"]], [place, place], color=marker["color"], linewidth=1.0)
        axes.plot(row["area"], place, linestyle="none", **marker)
        axes.plot(row["final"], place, linestyle="none", **marker | {"markerfacecolor": style.WHITE})
    axes.set_yticks(range(len(rows)), [names[arm] for arm in rows["arm"]])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-0.03, OPTIMUM + 0.03)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.set_xlabel("value of the policy", labelpad=2)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)

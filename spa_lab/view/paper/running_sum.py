"""Running sum of base value and contributions over the steps, against the measured values and the outcome."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spa_lab.rewards import is_prediction
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    Columns,
    Page,
    add_axes,
    draw_legend,
    legend_entry,
    legend_rows,
    page_of,
    tidy,
    whole_ticks,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.trajectory import running_sum, running_sum_table
from spa_lab.view.text import UNGROUNDED, shortened, truth_and_error

LEFT, AXIS, HEIGHT = 0.55, 0.4, 1.7
"""Inches: the axis on the left, the axis below, the plot."""


def running_sum_figure(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    columns: Columns | Page = 2,
    name: str = "running-sum",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Base value plus contributions so far, of any number of sources, against the measured V and R.

    Args:
        trajectory: T steps.
        credits: at least one, all of this trajectory.
        truth: a measurement of this trajectory.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called in the figure; the source itself where it is missing.

    Raises:
        ValueError: no credit, or a credit or truth that does not fit the trajectory.
    """
    geometry.check_drawable(trajectory, credits, truth)
    page = page_of(columns)
    with page.printing():
        figure = _draw(trajectory, credits, truth, page.width, titles)
    sources = captions.enumeration([captions.titled(credit.source, titles) for credit in credits])
    known = trajectory.outcome is not None
    line = f"the {'dashed horizontal line is the outcome R' if known else 'outcome is unknown'}"
    caption = (
        f"Base value plus contributions so far in one {captions.episode(trajectory)} according to {sources}; "
        f"{line}.{captions.measured(truth)}"
    )
    numbers = running_sum_table(trajectory, credits, truth)
    return PaperFigure(name, figure, numbers, caption, page, captions.episode_facts(trajectory, truth))


def _roles(trajectory: Trajectory, credits: Sequence[Credit]) -> dict[str, str]:
    """Source -> what its line is: not every source predicts R, sums of advantages and splits of R do not."""
    predict = {credit.source: is_prediction(credit, trajectory.outcome) for credit in credits}
    return {source: "predicted by" if predicts else "sum of" for source, predicts in predict.items()}


def _draw(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None,
    width: float,
    titles: Mapping[str, str],
) -> Figure:
    drawn, roles = _looks(credits), _roles(trajectory, credits)
    handles: list[Artist] = [
        legend_entry(f"{roles[source]} {shortened(captions.titled(source, titles), 26)}", look)
        for source, look in drawn.items()
    ]
    if truth:
        handles.append(legend_entry(f"V, {truth_and_error(truth)}", looks.TRUTH))
    if trajectory.outcome is not None:
        handles.append(legend_entry("outcome R", looks.OUTCOME))
    if len(trajectory.ungrounded):
        handles.append(legend_entry(UNGROUNDED, looks.UNGROUNDED_STEP))
    legend = legend_rows(handles, width - 2 * MARGIN)
    figure = Figure(figsize=(width, MARGIN + HEIGHT + AXIS + LEGEND_ROW * len(legend) + 0.04))
    plot_width = width - LEFT - MARGIN
    axes = add_axes(figure, LEFT, MARGIN, plot_width, HEIGHT)
    _draw_sums(axes, trajectory, credits, truth, drawn)
    axes.set_xticks(whole_ticks(len(trajectory), plot_width))
    draw_legend(figure, legend, MARGIN, MARGIN + HEIGHT + AXIS)
    return figure


def _looks(credits: Sequence[Credit]) -> dict[str, looks.Properties]:
    """Source -> properties of its line."""
    beside = style.looks_beside(credit.source for credit in credits)
    return {source: looks.line_of(look) | looks.marker_of(look, 3.8) for source, look in beside.items()}


def _draw_sums(
    axes: Axes,
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None,
    drawn: Mapping[str, looks.Properties],
) -> None:
    edges = np.arange(len(trajectory) + 1)
    low, high = geometry.path_span(credits, [truth] if truth else [])
    low -= 0.07 * (high - low)  # space for the marks of ungrounded steps
    if trajectory.outcome is not None:
        axes.axhline(trajectory.outcome, zorder=3, **looks.OUTCOME)
    for credit in credits:
        axes.plot(edges, running_sum(credit), clip_on=False, **drawn[credit.source])
    if truth:
        looks.draw_measured(axes, edges, truth.values, yerr=truth.standard_error)
    ungrounded = trajectory.ungrounded
    y = np.full(len(ungrounded), low + 0.04 * (high - low))
    axes.plot(ungrounded + 0.5, y, **looks.UNGROUNDED_STEP)
    predict = set(_roles(trajectory, credits).values()) == {"predicted by"}
    title = "predicted outcome" if predict else "running sum"
    axes.set(xlim=(-0.3, len(trajectory) + 0.3), ylim=(low, high), ylabel=title)
    axes.set_xlabel("steps taken")
    axes.locator_params(axis="y", nbins=5)
    tidy(axes, "y")

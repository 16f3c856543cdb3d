"""Contributions of every step as rows of bars, for one trajectory or for two side by side."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.paper import captions, looks, rows
from spa_lab.view.paper.page import (
    LEGEND_ROW,
    MARGIN,
    TWO_COLUMNS,
    Columns,
    Page,
    draw_legend,
    legend_entry,
    legend_rows,
    page_of,
)
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.trajectory import contribution_table
from spa_lab.view.text import UNGROUNDED, shortened, truth_and_error

GAP = 0.3
"""Inches between two trajectories."""
NO_TITLES: Mapping[str, str] = MappingProxyType({})


class CreditedTrajectory(NamedTuple):
    """A trajectory with credits of it and, where it was measured, its truth."""

    trajectory: Trajectory
    credits: Sequence[Credit]
    truth: ValueTruth | None = None


def contributions_figure(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    columns: Columns | Page = 2,
    name: str = "contributions",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Contribution of every step according to every source, and the running sum; measured values as diamonds.

    Args:
        trajectory: T steps; the figure grows with them, its text does not shrink.
        credits: at least one, all of this trajectory.
        truth: a measurement of this trajectory.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called in the figure; the source itself where it is missing.

    Raises:
        ValueError: no credit, a credit or truth that does not fit the trajectory, or more credits than fit
            side by side (one in a column, four on a page; see `rows.most_sources`).
    """
    shown = CreditedTrajectory(trajectory, credits, truth)
    page = page_of(columns)
    figure = draw_contributions([shown], page, titles)
    sources = captions.enumeration([captions.titled(credit.source, titles) for credit in credits])
    caption = (
        f"Contribution of every step of one {captions.episode(trajectory)} according to {sources}, and the "
        f"running sum of base value and contributions.{captions.measured(truth)}"
    )
    numbers = contribution_table(trajectory, credits, truth)
    return PaperFigure(name, figure, numbers, caption, page, captions.episode_facts(trajectory, truth))


def contributions_pair_figure(
    success: CreditedTrajectory,
    failure: CreditedTrajectory,
    *,
    columns: Columns | Page = 2,
    name: str = "contributions",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Two trajectories side by side on common axes.

    Args:
        success: drawn on the left.
        failure: drawn on the right.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: as in `contributions_figure`.

    Raises:
        ValueError: as `contributions_figure`.
    """
    pair = (success, failure)
    page = page_of(columns)
    figure = draw_contributions(pair, page, titles)
    numbers = pd.concat(
        [contribution_table(*shown).assign(trajectory_id=shown.trajectory.id) for shown in pair],
        ignore_index=True,
    )
    caption = (
        f"Contribution of every step of one {captions.episode(success.trajectory)} and one "
        f"{captions.episode(failure.trajectory)}, and the running sum of base value and contributions."
        f"{captions.measured(success.truth or failure.truth)}"
    )
    facts = {"n": 2, "trajectories": [shown.trajectory.id for shown in pair]}
    return PaperFigure(name, figure, numbers, caption, page, facts)


def draw_contributions(
    shown: Sequence[CreditedTrajectory], page: Page = TWO_COLUMNS, titles: Mapping[str, str] = NO_TITLES
) -> Figure:
    """Trajectories side by side on common axes, one legend below."""
    for trajectory, credits, truth in shown:
        geometry.check_drawable(trajectory, credits, truth)
    with page.printing():
        return _draw(shown, page.width, titles)


def _draw(shown: Sequence[CreditedTrajectory], width: float, titles: Mapping[str, str]) -> Figure:
    credits = [credit for each in shown for credit in each.credits]
    truths = [each.truth for each in shown if each.truth]
    bars, sums = geometry.bar_span(credits, truths), geometry.path_span(credits, truths)
    block_width = (width - 2 * MARGIN - GAP * (len(shown) - 1)) / len(shown)
    blocks = [rows.Block(*each, bars, sums, block_width, titles) for each in shown]
    beside = style.looks_beside(credit.source for credit in credits)
    lines = {source: looks.line_of(look) for source, look in beside.items()}
    legend = legend_rows(_legend(blocks, titles, lines), width - 2 * MARGIN)
    head = max(block.head for block in blocks)
    foot = head + max(block.height for block in blocks) + 0.5 * MARGIN
    figure = Figure(figsize=(width, foot + LEGEND_ROW * len(legend) + 0.5 * MARGIN))
    for index, block in enumerate(blocks):
        rows.draw(figure, block, MARGIN + index * (block_width + GAP), head, lines)
    draw_legend(figure, legend, MARGIN, foot)
    return figure


def _legend(
    blocks: Sequence[rows.Block], titles: Mapping[str, str], lines: Mapping[str, looks.Properties]
) -> list[Artist]:
    """Signs, lines of the sources if there are several, truth, outcome."""
    handles: list[Artist] = [
        Patch(**looks.POSITIVE, label="contribution > 0"),
        Patch(**looks.NEGATIVE, label="contribution < 0"),
    ]
    if len(lines) > 1:
        handles += [
            legend_entry(f"running sum, {shortened(captions.titled(source, titles), 30)}", look)
            for source, look in lines.items()
        ]
    if any(credit.standard_error is not None for block in blocks for credit in block.credits):
        handles.append(Line2D([], [], color=style.BAND, linewidth=2, label="± 1 s.e. of the source"))
    for label in dict.fromkeys(truth_and_error(block.truth) for block in blocks if block.truth):
        handles.append(legend_entry(label, looks.TRUTH))
    if any(len(block.trajectory.ungrounded) for block in blocks):
        handles.append(legend_entry(UNGROUNDED, looks.UNGROUNDED_STEP))
    if any(block.trajectory.outcome is not None for block in blocks):
        handles.append(legend_entry("outcome R", looks.OUTCOME))
    return handles

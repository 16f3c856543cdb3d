"""From credit to advantage over the steps of one trajectory: reward, advantage, reach of the outcome."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spa_lab.types import Credit, Trajectory
from spa_lab.view import style
from spa_lab.view.paper import captions, looks
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
from spa_lab.view.tables.advantages import AdvantageSettings, advantage_table, credit_term, grounding_term

LEFT, AXIS, PANEL, GAP = 0.55, 0.4, 1.0, 0.14
"""Inches: the axis on the left, the axis below, one panel, between panels."""
GROUNDING: looks.Properties = {
    "facecolor": style.WHITE,
    "edgecolor": style.INK,
    "linewidth": 0.6,
    "hatch": ".....",
}
TERMINAL: looks.Properties = looks.line_of("terminal") | {"linestyle": "--", "linewidth": 1.3}
REACH: looks.Properties = {"color": style.INK, "linewidth": 1.3, "marker": "o", "markersize": 2.5}


def advantages_figure(
    trajectory: Trajectory,
    credit: Credit,
    settings: AdvantageSettings,
    *,
    columns: Columns | Page = 2,
    name: str = "advantages",
    title: str | None = None,
) -> PaperFigure:
    """Reward and advantage of every step without a critic, and the share of a final reward that reaches it.

    Args:
        trajectory: T steps.
        credit: of this trajectory.
        settings: how the credit becomes a reward and an advantage; "none" as critic.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        title: what the source of the credit is called; its name if None.

    Raises:
        ValueError: the credit does not fit the trajectory.
    """
    numbers = advantage_table(trajectory, credit, settings)
    page = page_of(columns)
    with page.printing():
        figure = _draw(numbers, page.width)
    where_to = "spread over the steps" if settings.residual == "spread" else "paid at the last step"
    error = f", whose residual e = R − b − Σĉ is {where_to}" if numbers["from_error"].any() else ""
    caption = (
        f"Reward r = {credit_term(numbers)} + {grounding_term(numbers)}, its advantage, and the share of a "
        f"reward at the end that reaches each step, in one {captions.episode(trajectory)}, with the credit "
        f"of {title or credit.source}{error}: α = {settings.alpha:g}, β = {settings.beta:g} "
        f"({settings.grounding_form}), γ = {settings.gamma:g}, λ = {settings.lam:g} per "
        f"{settings.granularity}, no critic; tokens are counted as words and punctuation marks."
    )
    return PaperFigure(name, figure, numbers, caption, page, captions.episode_facts(trajectory, None))


def _draw(table: pd.DataFrame, width: float) -> Figure:
    handles: list[Artist] = [
        Patch(**looks.POSITIVE, label=f"{credit_term(table)} and advantage > 0"),
        Patch(**looks.NEGATIVE, label="< 0"),
        Patch(**GROUNDING, label=f"{grounding_term(table)}, from grounding"),
        legend_entry("advantage if R were the only reward", TERMINAL),
        legend_entry("share of a final reward that arrives", REACH),
    ]
    legend = legend_rows(handles, width - 2 * MARGIN)
    foot = MARGIN + 3 * PANEL + 2 * GAP + AXIS
    figure = Figure(figsize=(width, foot + LEGEND_ROW * len(legend) + 0.04))
    plot_width = width - LEFT - MARGIN
    for index, draw_panel in enumerate((_draw_rewards, _draw_advantages, _draw_reach)):
        axes = add_axes(figure, LEFT, MARGIN + index * (PANEL + GAP), plot_width, PANEL)
        draw_panel(axes, table)
        axes.set_xlim(-0.6, len(table) - 0.4)
        axes.set_xticks(whole_ticks(len(table) - 1, plot_width))
        axes.locator_params(axis="y", nbins=4)
        axes.yaxis.set_label_coords(-0.4 / plot_width, 0.5)
        tidy(axes, "y")
        if index < 2:
            axes.set_xticklabels([])
    axes.set_xlabel("step")
    draw_legend(figure, legend, MARGIN, foot)
    return figure


def _draw_rewards(axes: Axes, table: pd.DataFrame) -> None:
    _signed_bars(axes, table["step"] - 0.2, table["from_credit"], 0.38)
    axes.bar(table["step"] + 0.2, table["from_grounding"], width=0.38, **GROUNDING)
    axes.axhline(0, color=style.INK, linewidth=0.6)
    axes.set_ylabel("reward")


def _draw_advantages(axes: Axes, table: pd.DataFrame) -> None:
    _signed_bars(axes, table["step"], table["advantage"], 0.66)
    axes.plot(table["step"], table["terminal"], **TERMINAL)
    axes.axhline(0, color=style.INK, linewidth=0.6)
    axes.set_ylabel("advantage")


def _signed_bars(axes: Axes, x: pd.Series, values: pd.Series, width: float) -> None:
    negative = values < 0
    for subset, look in ((~negative, looks.POSITIVE), (negative, looks.NEGATIVE)):
        axes.bar(x[subset], values[subset], width=width, **look)


def _draw_reach(axes: Axes, table: pd.DataFrame) -> None:
    axes.plot(table["step"], table["reach"], **REACH)
    axes.set(ylim=(-0.03, 1.05), ylabel="share")

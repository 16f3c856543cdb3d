"""Figures for print (matplotlib), the twins of `screen`, and how they are saved.

Vectors, embedded fonts, no text below 8 points. No pyplot and no global state: a figure is made and handed
over, nobody keeps it. The same input gives the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from spa_lab.store import replacing
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, paper_rows, style
from spa_lab.view.text import BY_LENGTH, shortened, truth_label

N_TITLE = "trajectories, n"
DPI = 200
"""Of PNG files."""
MARGIN = 0.12
GAP = 0.35
LEGEND_ROW = 0.18
COUNT_ROW = 0.17
"""Inches, all of the above."""
_DESCRIBED_BY = {".svg": "Description", ".pdf": "Subject", ".png": "Description"}
"""Where each format keeps its provenance."""
_UNDATED: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


def contributions_paper(
    trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None = None
) -> Figure:
    """What every source says each step contributed, and how it adds up; see `screen.contributions_figure`.

    Args:
        trajectory: T steps; the figure grows with them, its text does not shrink.
        credits: at least one, all of this trajectory.
        truth: a measurement of this trajectory.

    Raises:
        ValueError: no credit, or a credit or truth that does not fit the trajectory.
    """
    return _rows_figure([(trajectory, credits, truth)])


def contributions_pair(
    success: tuple[Trajectory, Sequence[Credit]], failure: tuple[Trajectory, Sequence[Credit]]
) -> Figure:
    """Two trajectories side by side, rows aligned at the top, on common axes.

    Args:
        success: the left one with its credits.
        failure: the right one with its credits.

    Raises:
        ValueError: as `contributions_paper`.
    """
    return _rows_figure([(*success, None), (*failure, None)])


def success_by_length_paper(table: pd.DataFrame) -> Figure:
    """Success rate of every policy by length of the task, with Wilson intervals; n of each bin below.

    Args:
        table: of `evaluation.success_by_length`; empty bins are left blank.

    Raises:
        ValueError: the table has no rows.
    """
    policies, bins = geometry.policies_and_bins(table)
    names = [shortened(policy, 26) for policy in policies]
    left = MARGIN + max(0.55, 0.36 + max(map(paper_rows.text_width, [*names, N_TITLE])))
    plot_width, plot_height = max(0.56 * len(bins), 2.4), 2.0
    foot = 0.55 + COUNT_ROW * len(policies)
    width, height = left + plot_width + MARGIN, MARGIN + plot_height + foot
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((left / width, foot / height, plot_width / width, plot_height / height))
        _draw_rates(axes, table, policies, bins)
        _write_counts(figure, axes, table, policies, names)
    return figure


def save_figure(figure: Figure, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a figure with where it comes from in the file's own metadata; never half written.

    The provenance is one line of JSON: in SVG and PNG under "Description", in PDF under "Subject". No dates
    are written: the same figure and provenance give the same bytes under the same matplotlib.

    Args:
        figure: of this module.
        path: ends in .svg, .pdf or .png; an existing file is replaced.
        provenance: plain JSON values, e.g. `Run.provenance`.

    Raises:
        ValueError: another ending, or provenance that has no JSON form.
        StoreError: the disk refused.
    """
    ending = path.suffix.lower()
    if ending not in _DESCRIBED_BY:
        raise ValueError(f"{path}: a figure is saved as one of {', '.join(_DESCRIBED_BY)}, not {ending!r}")
    try:
        described = json.dumps(provenance, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: provenance has no JSON form: {error}") from error
    metadata = {_DESCRIBED_BY[ending]: described} | _UNDATED[ending]
    with rc_context(style.PAPER_RC), replacing(path) as partial:
        figure.savefig(partial, format=ending[1:], dpi=DPI, metadata=metadata)


def _rows_figure(shown: Sequence[tuple[Trajectory, Sequence[Credit], ValueTruth | None]]) -> Figure:
    """Blocks side by side on common axes, one legend below."""
    for trajectory, credits, truth in shown:
        geometry.check_drawable(trajectory, credits, truth)
    all_credits = [credit for _, credits, _ in shown for credit in credits]
    truths = [truth for _, _, truth in shown if truth]
    bars, paths = geometry.bar_span(all_credits, truths), geometry.path_span(all_credits, truths)
    blocks = [paper_rows.Block(*one, bars, paths) for one in shown]
    handles = _row_handles(blocks)
    width = 2 * MARGIN + sum(block.width for block in blocks) + GAP * (len(blocks) - 1)
    n_columns = max(1, int(width / 1.9))
    foot = MARGIN + LEGEND_ROW * -(-len(handles) // n_columns)
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, max(block.height for block in blocks) + foot + MARGIN))
        left = MARGIN
        for block in blocks:
            paper_rows.draw(figure, block, left)
            left += block.width + GAP
        corner = (MARGIN / width, 0.5 * MARGIN / figure.get_size_inches()[1])
        figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=corner, ncols=n_columns, frameon=False,
            borderpad=0, borderaxespad=0, labelspacing=0.25, handlelength=2.2,
        )  # fmt: skip
    return figure


def _row_handles(blocks: Sequence[paper_rows.Block]) -> list[Artist]:
    """The legend: signs, lines of the sources where there are several, truth, outcome."""
    handles: list[Artist] = [
        Patch(**paper_rows.POSITIVE_LOOK, label="contribution > 0"),
        Patch(**paper_rows.NEGATIVE_LOOK, label="contribution < 0"),
    ]
    sources = dict.fromkeys(
        (number, credit.source) for block in blocks for number, credit in enumerate(block.credits)
    )
    if len(sources) > 1:
        handles += [
            Line2D([], [], **paper_rows.path_look(number), label=f"base + Σĉ, {shortened(source, 18)}")
            for number, source in sources
        ]
    if any(credit.standard_error is not None for block in blocks for credit in block.credits):
        handles.append(Line2D([], [], color=style.BAND, linewidth=2, label="± 1 s.e. of the source"))
    for label in dict.fromkeys(truth_label(block.truth) for block in blocks if block.truth):
        handles.append(Line2D([], [], **paper_rows.TRUTH_LOOK, label=f"{label} ± 1 s.e."))
    return [*handles, Line2D([], [], **paper_rows.OUTCOME_LOOK, label="outcome R")]


def _draw_rates(axes: Axes, table: pd.DataFrame, policies: Sequence[str], bins: Sequence[str]) -> None:
    """Points with intervals, policies side by side within each bin."""
    places = geometry.dodge(len(policies))
    for number, policy in enumerate(policies):
        own = table[table["policy"] == policy]
        success, low, high = (own[name].to_numpy() for name in ("success", "low", "high"))
        axes.errorbar(
            np.arange(len(bins)) + places[number], success, yerr=[success - low, high - success],
            linestyle="none", elinewidth=1.0, capsize=2, markersize=5, clip_on=False, **_policy_look(number),
        )  # fmt: skip
    for edge in np.arange(1, len(bins)) - 0.5:
        axes.axvline(edge, color=style.GRID, linewidth=0.6)
    axes.set(xlim=(-0.5, len(bins) - 0.5), ylim=(0, 1), ylabel="success rate", xticks=range(len(bins)))
    axes.set_xticklabels(bins)
    axes.tick_params(length=2)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _write_counts(
    figure: Figure, axes: Axes, table: pd.DataFrame, policies: Sequence[str], names: Sequence[str]
) -> None:
    """Below the axis its title and a row per policy: marker and name (the legend), n of every bin."""
    width, height = figure.get_size_inches()
    box = axes.get_position()
    inches = box.width * width
    counts = figure.add_axes((box.x0, 0.08 / height, box.width, COUNT_ROW * len(policies) / height))
    counts.set(xlim=axes.get_xlim(), ylim=(len(policies) - 0.5, -0.5))
    counts.set_axis_off()
    margin = counts.get_yaxis_transform()  # across: the axis is 0 to 1; down: rows
    at: paper_rows.Look = {"transform": margin, "ha": "right", "va": "center"}
    counts.text(-0.28 / inches, -1, N_TITLE, color=style.MUTED, **at)
    counts.text(0.5, -1, BY_LENGTH[table["by"].iloc[0]], ha="center", va="center", transform=margin)
    for number, policy in enumerate(policies):
        for place, n in enumerate(table["n"][table["policy"] == policy]):
            counts.text(place, number, str(n), ha="center", va="center")
        counts.text(-0.28 / inches, number, names[number], **at)
        counts.plot(
            [-0.16 / inches], [number], linestyle="none", markersize=5, clip_on=False,
            transform=margin, **_policy_look(number),
        )  # fmt: skip


def _policy_look(number: int) -> paper_rows.Look:
    return {"color": style.cycled(style.SERIES, number), "marker": style.cycled(style.MARKERS, number)}

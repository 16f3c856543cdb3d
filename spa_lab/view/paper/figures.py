"""Figures for print (matplotlib), the twins of `screen`, and how they are saved.

Vectors, embedded fonts, no text below 8 points, as wide as a column of the paper. No pyplot and no global
state: a figure is made and handed over, nobody keeps it. The same input gives the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from spa_lab.store import replacing
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.paper import rows as paper_rows
from spa_lab.view.paper.page import LEGEND_ROW, MARGIN, TWO_COLUMNS, draw_legend, flowed, mark
from spa_lab.view.text import UNGROUNDED, shortened, truth_label

DPI = 200
"""Of PNG files."""
GAP = 0.3
"""Inches between two trajectories."""
_DESCRIBED_BY = {".svg": "Description", ".pdf": "Subject", ".png": "Description"}
"""Where each format keeps its provenance."""
_UNDATED: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
_Shown = tuple[Trajectory, Sequence[Credit], ValueTruth | None]


def contributions_paper(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    width: float = TWO_COLUMNS,
) -> Figure:
    """What every source says each step contributed, and how it adds up; see `screen.contributions_figure`.

    Args:
        trajectory: T steps; the figure grows with them, its text does not shrink.
        credits: at least one, all of this trajectory.
        truth: a measurement of this trajectory.
        width: inches.

    Raises:
        ValueError: no credit, a credit or truth that does not fit the trajectory, or more credits than have
            room side by side (one in a column, four on a page).
    """
    return _rows_figure([(trajectory, credits, truth)], width)


def contributions_pair(
    success: tuple[Trajectory, Sequence[Credit]],
    failure: tuple[Trajectory, Sequence[Credit]],
    *,
    width: float = TWO_COLUMNS,
) -> Figure:
    """Two trajectories side by side, rows aligned at the top, on common axes.

    Args:
        success: the left one with its credits.
        failure: the right one with its credits.
        width: inches.

    Raises:
        ValueError: as `contributions_paper`.
    """
    return _rows_figure([(*success, None), (*failure, None)], width)


def save_figure(figure: Figure, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a figure with where it comes from in the file's own metadata; never half written.

    The provenance is one line of JSON: in SVG and PNG under "Description", in PDF under "Subject". No dates
    are written: the same figure and provenance give the same bytes under the same matplotlib.

    Args:
        figure: of this package.
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


def _rows_figure(shown: Sequence[_Shown], width: float) -> Figure:
    """Blocks side by side on common axes, one legend below."""
    for trajectory, credits, truth in shown:
        geometry.check_drawable(trajectory, credits, truth)
    all_credits = [credit for _, credits, _ in shown for credit in credits]
    truths = [truth for _, _, truth in shown if truth]
    bars, paths = geometry.bar_span(all_credits, truths), geometry.path_span(all_credits, truths)
    own = (width - 2 * MARGIN - GAP * (len(shown) - 1)) / len(shown)
    blocks = [paper_rows.Block(*one, bars, paths, own) for one in shown]
    rows = flowed(_row_handles(blocks), width - 2 * MARGIN)
    head = max(block.head for block in blocks)
    foot = head + max(block.rows for block in blocks) + 0.5 * MARGIN
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(width, foot + LEGEND_ROW * len(rows) + 0.5 * MARGIN))
        for number, block in enumerate(blocks):
            paper_rows.draw(figure, block, MARGIN + number * (own + GAP), head)
        draw_legend(figure, rows, MARGIN, foot)
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
            mark(f"base + Σĉ, {shortened(source, 30)}", paper_rows.path_look(number))
            for number, source in sources
        ]
    if any(credit.standard_error is not None for block in blocks for credit in block.credits):
        handles.append(Line2D([], [], color=style.BAND, linewidth=2, label="± 1 s.e. of the source"))
    for label in dict.fromkeys(truth_label(block.truth) for block in blocks if block.truth):
        handles.append(mark(f"{label} ± 1 s.e.", paper_rows.TRUTH_LOOK))
    if not all(block.trajectory.grounded.all() for block in blocks):
        handles.append(mark(UNGROUNDED, paper_rows.REFUSED_LOOK))
    return [*handles, mark("outcome R", paper_rows.OUTCOME_LOOK)]

"""Heat map of credit: episodes down, steps across, once aligned at the first step and once at the last.

In grey a positive contribution is dark, a negative one is medium and crossed by a line.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from spa_lab.types import FloatArray
from spa_lab.view import style
from spa_lab.view.paper import captions
from spa_lab.view.paper.contributions import NO_TITLES
from spa_lab.view.paper.page import MARGIN, Columns, Page, add_axes, add_text, page_of, whole_ticks
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.credit_heat import Align, Heat, credit_heat
from spa_lab.view.text import signed

LEFT, GAP, HEAD, AXIS, BAR, BREAK = 0.28, 0.18, 0.24, 0.38, 0.4, 0.05
"""Inches: names of the verdicts, between the halves, their titles, the axis, the scale, between verdicts."""
LEAST_ROW, MOST_ROW, BODY = 0.022, 0.11, 2.2
"""Inches: an episode, and all episodes together if their rows may be so high."""
SATURATION = 0.98
"""Quantile of |c| beyond which colours do not change."""
MARKED = 0.25
"""Share of the scale from which negative contributions are crossed by a line."""
COLOURS = LinearSegmentedColormap.from_list("spa_lab", [style.NEGATIVE, style.WHITE, style.POSITIVE])
TITLES: Mapping[Align, tuple[str, str]] = {
    "start": ("aligned at the start", "step"),
    "end": ("aligned at the end", "steps before the last"),
}


def heat_figure(
    steps: pd.DataFrame,
    source: str,
    *,
    columns: Columns | Page = 2,
    name: str = "credit-heat",
    titles: Mapping[str, str] = NO_TITLES,
) -> PaperFigure:
    """Contributions of one source in many episodes, successes above failures.

    Args:
        steps: of `tables.credited_steps.credited_steps`.
        source: one of its sources.
        columns: of the paper that the figure spans, or a `Page`.
        name: of its files.
        titles: source -> what it is called; the source itself where it is missing.

    Raises:
        ValueError: no episode has credit of that source.
    """
    page = page_of(columns)
    heats: dict[Align, Heat] = {align: credit_heat(steps, source, align) for align in TITLES}
    first = heats["start"]
    scale = _scale(first.values)
    with page.printing():
        figure = _draw(heats, scale, page.width)
    shown = first.episodes["verdict"].value_counts()
    counts = [f"{shown[verdict]} of {n} {_plural(verdict)}" for verdict, n in first.total.items()]
    caption = (
        f"Credit of {captions.titled(source, titles)} in {captions.enumeration(counts)}, evenly spaced by "
        f"length, a "
        f"row each; colours change up to ±{scale:.2g}."
    )
    kept = steps[(steps["source"] == source) & steps["trajectory_id"].isin(first.episodes["trajectory_id"])]
    numbers = kept[["trajectory_id", "verdict", "step", "n_steps", "contribution"]]
    return PaperFigure(name, figure, numbers, caption, page, {"n": len(first.episodes)})


def _scale(values: FloatArray) -> float:
    return float(np.nanquantile(np.abs(values), SATURATION)) or float(np.nanmax(np.abs(values))) or 1.0


def _plural(verdict: str) -> str:
    return {"success": "successes", "failure": "failures"}.get(verdict, "episodes of unknown success")


def _draw(heats: Mapping[Align, Heat], scale: float, width: float) -> Figure:
    n_rows, n_steps = heats["start"].values.shape
    row = min(max(BODY / n_rows, LEAST_ROW), MOST_ROW)
    half = (width - LEFT - 2 * MARGIN - GAP) / 2
    counts = heats["start"].episodes["verdict"].value_counts(sort=False)
    body = row * n_rows + BREAK * (len(counts) - 1)
    figure = Figure(figsize=(width, HEAD + body + AXIS + BAR))
    for column, (align, heat) in enumerate(heats.items()):
        left, first, top = LEFT + MARGIN + column * (half + GAP), 0, HEAD
        for verdict, n in counts.items():
            axes = add_axes(figure, left, top, half, row * n)
            _draw_rows(axes, heat.values[first : first + n], scale, half)
            axes.set_xticks([])
            if column == 0:
                axes.set_ylabel(str(verdict) if row * n > 0.5 else str(verdict)[:4], labelpad=3)
            first, top = first + n, top + row * n + BREAK
        _label_steps(axes, align, n_steps, half)
        add_text(figure, left + half / 2, HEAD - 0.07, TITLES[align][0], ha="center")
    _draw_scale(figure, scale, width, HEAD + body + AXIS)
    return figure


def _draw_rows(axes: Axes, values: FloatArray, scale: float, width: float) -> None:
    n_rows, n_steps = values.shape
    edges = (-0.5, n_steps - 0.5, n_rows - 0.5, -0.5)
    axes.imshow(
        values, cmap=COLOURS.with_extremes(bad=style.STRIPE), vmin=-scale, vmax=scale, aspect="auto",
        extent=edges, interpolation="nearest",
    )  # fmt: skip
    rows, columns = np.nonzero(values < -MARKED * scale)
    size = min(0.6 * width / n_steps * 72, 3.0)
    axes.plot(columns, rows, "_", color=style.INK, markersize=size, markeredgewidth=0.5)
    axes.set(xlim=(-0.5, n_steps - 0.5), ylim=(n_rows - 0.5, -0.5), yticks=[])
    for spine in axes.spines.values():
        spine.set_linewidth(0.4)


def _label_steps(axes: Axes, align: Align, n_steps: int, width: float) -> None:
    ticks = whole_ticks(n_steps - 1, width)
    axes.set_xticks(ticks if align == "start" else [n_steps - 1 - tick for tick in ticks], map(str, ticks))
    axes.tick_params(length=2, pad=2)
    axes.set_xlabel(TITLES[align][1], labelpad=2)


def _draw_scale(figure: Figure, scale: float, width: float, top: float) -> None:
    """The scale of the colours, with the mark of negative contributions."""
    length = min(0.45 * width, 2.0)
    axes = add_axes(figure, (width - length) / 2, top + 0.05, length, 0.09)
    values = np.linspace(-scale, scale, 101)[None, :]
    axes.imshow(values, cmap=COLOURS, aspect="auto", extent=(-scale, scale, 0, 1), interpolation="nearest")
    axes.plot(
        np.linspace(-scale, -MARKED * scale, 6),
        [0.5] * 6,
        "_",
        color=style.INK,
        markersize=3,
        markeredgewidth=0.5,
    )
    axes.set(yticks=[], xlim=(-scale, scale), ylim=(0, 1))
    axes.set_xticks([-scale, 0, scale], [signed(-scale, 2), "0", signed(scale, 2)])
    axes.tick_params(length=2, pad=1)
    add_text(figure, (width - length) / 2 - 0.22, top + 0.13, "credit", ha="right")

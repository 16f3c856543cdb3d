"""Metrics of training over time, as small pictures in a page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spa_lab.view.html import svg

WIDTH, LEFT, TALL = 480, 62, 110
"""Pixels of one picture."""
MOST_POINTS = 600
"""Points of a line; of more, neighbours are averaged."""
TIME = "progress"
"""A metric that is the place in time itself, in [0, 1]."""


def curves_html(stages: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """One picture per metric with a line for every stage that has it, over the number of the update.

    Args:
        stages: name of a stage -> its rows, as `Run.load_metrics` reads them; None where undefined.
    """
    every = (pair for rows in stages.values() for row in rows for pair in row.items())
    metrics = dict.fromkeys(name for name, value in every if name != TIME and _number(value))
    pictures = [_picture(name, stages) for name in metrics]
    if not pictures:
        return '<span class="note">No metrics yet.</span>'
    return f'<div class="curves">{"".join(pictures)}</div>'


def _picture(metric: str, stages: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    lines = {}
    for stage, rows in stages.items():
        values = [float(row[metric]) if _number(row.get(metric)) else math.nan for row in rows]
        if any(map(math.isfinite, values)):
            lines[stage] = _thinned(values)
    known = [value for _, values in lines.values() for value in values if math.isfinite(value)]
    low, high = min(known), max(known)
    pad = 0.08 * (high - low) or 0.5
    last = max(max(places) for places, _ in lines.values())
    span = (0.0, float(max(last, 1)))
    plot = svg.Plot(LEFT, 24, WIDTH - LEFT - 10, TALL, span, (low - pad, high + pad))
    parts = [plot.y_axis(metric)]
    for number, (stage, (places, values)) in enumerate(lines.items()):
        parts.append(plot.line(places, values, number, marks=40, tip=stage))
    parts.append(plot.x_axis([(place, f"{place:g}") for place in _places(last)], "update"))
    names = svg.legend(LEFT, 24 + TALL + 50, list(lines), width=WIDTH - LEFT)
    tall = 24 + TALL + 62 + 18 * (sum(44 + 7.2 * len(name) for name in lines) // (WIDTH - LEFT))
    said = "; ".join(f"{stage}: {values[-1]:.4g}" for stage, (_, values) in lines.items())
    title = f"{metric}; last values: {said}"
    return f"<figure>{svg.canvas(WIDTH, tall, ''.join(parts) + names, title)}</figure>"


def _thinned(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Places and values; means of neighbours where there are many."""
    width = math.ceil(len(values) / MOST_POINTS)
    places, means = [], []
    for start in range(0, len(values), width):
        own = [value for value in values[start : start + width] if math.isfinite(value)]
        places.append(start + (min(width, len(values) - start) - 1) / 2)
        means.append(sum(own) / len(own) if own else math.nan)
    return places, means


def _places(last: float) -> list[float]:
    step = 10 ** max(math.floor(math.log10(max(last, 1))), 0)
    while last / step > 6:
        step *= 2
    while step > 1 and last / step < 3:
        step //= 2
    return [float(place) for place in range(0, int(last) + 1, int(step))]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

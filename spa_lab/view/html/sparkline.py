"""A line of a few pixels in a table cell: how a value moved over an episode."""

import numpy as np

from spa_lab.types import FloatArray
from spa_lab.view.html.markup import safe

WIDTH, HEIGHT, EDGE = 50, 16, 2
"""Pixels; nothing is drawn within the edge."""
MOST_POINTS = 40
"""Of a line; a longer series is thinned out."""


def sparkline(values: FloatArray | None, what: str) -> str:
    """An SVG of the values over the steps, [0, 1] at least from bottom to top.

    Args:
        values: (T + 1,) outcome units; None draws nothing.
        what: what they are, for screen readers.
    """
    if values is None:
        return ""
    kept = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).round().astype(int))
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    across = EDGE + (WIDTH - 2 * EDGE) * kept / max(len(values) - 1, 1)
    down = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (values[kept] - low) / (high - low)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    label = f"{what}: from {values[0]:.2f} to {values[-1]:.2f}, lowest {values.min():.2f}"
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{safe(label)}"><polyline points="{points}"></polyline>'
        f'<circle cx="{across[-1]:.1f}" cy="{down[-1]:.1f}" r="1.8"></circle></svg>'
    )

"""Continuations of one moment as a picture: how the interval of its value shrinks while they grow."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from spa_lab.stats import wilson
from spa_lab.types import Trajectory
from spa_lab.view.html import svg
from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.html.steps import step_html
from spa_lab.view.text import facts, shortened, signed

WIDTH, LEFT, TALL = 720, 64, 180
"""Pixels of the picture."""


def value_interval(outcomes: Sequence[float]) -> tuple[float, float, float]:
    """Mean of outcomes in [0, 1] with a 95 % interval: (low, mean, high), outcome units.

    Wilson's where all are 0 or 1, else mean +- 1.96 s.e., kept within [0, 1].

    Raises:
        ValueError: there are none, or one lies outside of [0, 1].
    """
    values = np.asarray(outcomes, dtype=np.float64)
    if values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"needs outcomes in [0, 1], at least one, got {values[:5].tolist()} of {values.size}"
        )
    if np.isin(values, (0.0, 1.0)).all():
        rate = wilson(int(values.sum()), values.size)
        return rate.low, rate.point, rate.high
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else 1.0
    return max(mean - half, 0.0), mean, min(mean + half, 1.0)


def branches_html(grown: Mapping[str, Sequence[float]], chunk: int) -> str:
    """The value of every moment after each `chunk` of continuations, and what they say in the end.

    Args:
        grown: what to call a moment -> the outcomes of its continuations, in the order in which they grew.
        chunk: continuations between two points of the picture, >= 1.
    """
    known = {name: list(outcomes) for name, outcomes in grown.items() if len(outcomes)}
    if not known:
        return '<span class="note">Nothing has grown here yet.</span>'
    most = max(map(len, known.values()))
    plot = svg.Plot(LEFT, 26, WIDTH - LEFT - 12, TALL, (0.0, most * 1.03), (-0.03, 1.03))
    parts = [plot.y_axis("value: mean outcome of the continuations, 95 % interval")]
    shift = most * 0.004
    for number, outcomes in enumerate(known.values()):
        places = [*range(chunk, len(outcomes), chunk), len(outcomes)]
        found = [value_interval(outcomes[:place]) for place in places]
        at = [place + shift * (number - 1) for place in places]
        for x, (low, _, high) in zip(at, found, strict=True):
            parts.append(plot.error(x, low, high, f"error s{number % svg.COLOURS['s']}"))
        parts.append(plot.line(at, [mean for _, mean, _ in found], number))
    ticks = sorted({0, most, most // 2, most // 4, 3 * most // 4})
    parts.append(plot.x_axis([(place, str(place)) for place in ticks], "continuations so far"))
    names = [shortened(name, 44) for name in known]
    parts.append(svg.legend(LEFT, 26 + TALL + 56, names, width=WIDTH - LEFT))
    rows = sum(44 + 7.2 * len(name) for name in names) // (WIDTH - LEFT)
    title = "How the interval of the value shrinks"
    picture = svg.canvas(WIDTH, 26 + TALL + 70 + 18 * rows, "".join(parts), title)
    return f"<figure>{picture}</figure>{_table(known)}"


def beside_html(original: Trajectory, other: Trajectory, step: int) -> str:
    """Two episodes from a step on, side by side, with how they end."""
    return (
        f'<div class="side-by-side">{_column("what happened", original, step)}'
        f"{_column('what would have happened', other, step)}</div>"
    )


def _table(known: Mapping[str, Sequence[float]]) -> str:
    rows = []
    first: float | None = None
    for name, outcomes in known.items():
        low, mean, high = value_interval(outcomes)
        change = "–" if first is None else signed(mean - first, 3)
        first = mean if first is None else first
        cells = [f"{mean:.3f}", f"[{low:.3f}, {high:.3f}]", str(len(outcomes)), change]
        rows.append([safe(shortened(name, 60)), *cells])
    return frame_table(["moment", "value", "95 % interval", "n", "less the first"], rows, numeric=4)


def _column(title: str, trajectory: Trajectory, step: int) -> str:
    rows = "".join(
        f'<tr><th scope="row">{number}</th><td class="words">{step_html(one)}</td></tr>'
        for number, one in enumerate(trajectory.steps[step:], start=step)
    )
    return (
        f'<div><h4>{title}</h4><p class="facts">{safe(facts(trajectory))}</p>'
        f'<div class="scroll high"><table class="steps"><tbody>{rows}</tbody></table></div></div>'
    )

"""What `explore` computes, as a picture: rewards above, advantages in the middle, reach below."""

import numpy as np
import pandas as pd

from spa_lab.types import Trajectory
from spa_lab.view.html import svg
from spa_lab.view.html.markup import frame_table
from spa_lab.view.html.steps import LEFT, WIDTH, step_areas, step_labels
from spa_lab.view.tables.advantages import credit_term, grounding_term, half_reach
from spa_lab.view.text import decimal_places, signed

TALL = 120
"""Pixels of one of the three plots."""
LITTLE = 0.001
"""A share below it is not told exactly."""


def advantages_html(trajectory: Trajectory, frame: pd.DataFrame) -> str:
    """The table of `explore.advantage_table` as a picture, with its numbers to unfold."""
    n_steps = len(frame)
    top = 26 + 2 * (TALL + 66)
    areas = step_areas(_plot(26, n_steps, (0.0, 1.0), tall=top + 54), trajectory)
    plot = _plot(top, n_steps, (0.0, 1.05), tall=80)
    parts = [areas, _rewards(frame, 26), _advantages(frame, 26 + TALL + 66)]
    parts.append(plot.y_axis("share of a reward at the end of the last step that arrives"))
    middles = np.arange(n_steps) + 0.5
    parts.append(plot.line(middles, frame["reach"], 0, tip="reach"))
    parts.append(plot.x_axis(step_labels(n_steps), "step"))
    title = "Reward, advantage and reach of every step"
    return (
        f'<p class="facts">{_in_words(frame)}</p>'
        f"<figure>{svg.canvas(WIDTH, top + 80 + 40, ''.join(parts), title)}</figure>"
        f"<details><summary>the numbers</summary>{_numbers(frame)}</details>"
    )


def _rewards(frame: pd.DataFrame, top: float) -> str:
    """Two bars a step: what the credit pays, what grounding pays."""
    span = _span(frame[["from_credit", "from_grounding", "reward"]].to_numpy().ravel())
    plot = _plot(top, len(frame), span)
    parts = [plot.y_axis(f"reward r = {credit_term(frame)} + {grounding_term(frame)}")]
    for row in frame.itertuples():
        parts.append(plot.bar(row.step + 0.32, row.from_credit, 0.3))
        parts.append(f'<g class="hollow">{plot.bar(row.step + 0.68, row.from_grounding, 0.3)}</g>')
    parts.append(
        plot.x_axis(
            step_labels(len(frame)),
            f"filled: from the credit, {credit_term(frame)}; hollow: from grounding, {grounding_term(frame)}",
        )
    )
    return f'<g class="bars rewards">{"".join(parts)}</g>'


def _advantages(frame: pd.DataFrame, top: float) -> str:
    plot = _plot(top, len(frame), _span(frame[["advantage", "terminal"]].to_numpy().ravel()))
    parts = [plot.y_axis("advantage, mean over the step's tokens")]
    parts += [plot.bar(row.step + 0.5, row.advantage, 0.6) for row in frame.itertuples()]
    middles = np.arange(len(frame)) + 0.5
    parts.append(plot.line(middles, frame["terminal"], 1, kind="c", tip="advantage from the outcome alone"))
    parts.append(
        plot.x_axis(
            step_labels(len(frame)), "bars: of this reward; line: if the outcome were the only reward"
        )
    )
    return f'<g class="bars advantages">{"".join(parts)}</g>'


def _plot(top: float, n_steps: int, span: tuple[float, float], *, tall: float = TALL) -> svg.Plot:
    return svg.Plot(LEFT, top, WIDTH - LEFT - 12, tall, (0.0, float(n_steps)), span)


def _span(values: np.ndarray) -> tuple[float, float]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == high:
        high = 1.0
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _in_words(frame: pd.DataFrame) -> str:
    first, steps = float(frame["reach"].iloc[0]), half_reach(frame)
    before = "1 step before" if steps == 1 else f"{steps} steps before" if steps else "at"
    where = "nowhere" if steps is None else f"{before} the last"
    there = f"{first:.2g}" if first >= LITTLE else f"less than {LITTLE:g}"
    paid = float(frame["from_grounding"].sum())
    part = float(frame["from_error"].iloc[0])
    error = (
        f"The credit's error e = R − b − Σĉ is spread: it pays every step {signed(part, 4)}. " if part else ""
    )
    return (
        f"A reward at the end fades: less than half of it arrives {where}, {there} of it at the first. "
        f"Sum of the rewards {signed(float(frame['reward'].sum()), 2)}, grounding's part {signed(paid, 2)}. "
        f"{error}{int(frame['n_tokens'].sum())} tokens in {len(frame)} steps."
    )


def _numbers(frame: pd.DataFrame) -> str:
    names = ["from_credit", "from_grounding", "reward", "advantage", "terminal"]
    places = max(decimal_places(frame[name]) for name in names)
    rows = [
        [
            str(row.step),
            str(row.n_tokens),
            *(signed(getattr(row, name), places) for name in names),
            f"{row.reach:.2g}",
        ]
        for row in frame.itertuples()
    ]
    paid = [credit_term(frame), grounding_term(frame)]
    heads = ["step", "tokens", *paid, "reward", "advantage", "outcome alone", "reach"]
    return frame_table(heads, rows, numeric=7)

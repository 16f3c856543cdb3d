"""Success by length as a picture in a page: rates with intervals, and n under every one of them."""

import numpy as np
import pandas as pd

from spa_lab.view.geometry import dodge, policies_and_bins
from spa_lab.view.html import svg
from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.text import BY_LENGTH, shortened

WIDTH, LEFT, TALL = 1000, 150, 240
"""Pixels: the picture, what names take on the left, the rates."""
EXPLAINED = {
    "expert_length": (
        "Bins by the length of the expert's solution: a property of the task, known before anybody plays, "
        "and the same for all policies."
    ),
    "n_steps": (
        "Bins by the length of the episode itself. Beware: this length is a result. Failures run into the "
        "step limit and land in the longest bin; successes end early and land in the short ones. A policy "
        "that became quicker moves between bins, so bins of two policies do not hold the same tasks. "
        "Compare policies by the expert's length."
    ),
}


def lengths_html(table: pd.DataFrame) -> str:
    """The table of `evaluation.success_by_length` as a picture, with its numbers to unfold.

    Raises:
        ValueError: the table has no rows.
    """
    policies, bins = policies_and_bins(table)
    names = [shortened(policy, 24) for policy in policies]
    by = str(table["by"].iloc[0])
    n_rows = 18 * len(policies)
    plot = svg.Plot(LEFT, 24, WIDTH - LEFT - 10, TALL, (-0.5, len(bins) - 0.5), (-0.03, 1.03))
    parts = [plot.y_axis(f"success rate, {intervals_in_words(table)}")]
    parts += [
        svg.rule(plot.x(edge), 24, plot.x(edge), 24 + TALL + 58 + n_rows, "grid")
        for edge in np.arange(1, len(bins)) - 0.5
    ]
    parts.append(plot.x_axis(list(enumerate(bins)), BY_LENGTH[by]))
    for number, (policy, place) in enumerate(zip(policies, dodge(len(policies)), strict=True)):
        own = table[table["policy"] == policy]
        parts.append(_rates(plot, own, place, number))
        y = 24 + TALL + 62 + 18 * number
        parts.append(svg.mark(14, y - 4, number) + svg.label(24, y, f"n, {names[number]}"))
        parts += [svg.label(plot.x(at), y, str(n), anchor="middle") for at, n in enumerate(own["n"])]
    picture = svg.canvas(WIDTH, 24 + TALL + 70 + n_rows, "".join(parts), f"Success rate by {BY_LENGTH[by]}")
    warning = '<b class="refused">By episode length.</b> ' if by == "n_steps" else ""
    return (
        f'<span class="note">{warning}{EXPLAINED[by]}</span><figure>{picture}</figure>'
        f"<details><summary>the numbers</summary>{_numbers(table)}</details>"
    )


def _rates(plot: svg.Plot, own: pd.DataFrame, place: float, number: int) -> str:
    parts = []
    for at, row in enumerate(own.itertuples()):
        if row.n:
            x = at + place
            rate = f"{row.success:.3f} ({row.k} of {row.n}), {row.low:.3f} to {row.high:.3f}"
            tip = f"{row.policy}, {row.bin} steps: {rate}, seeds: {row.n_seeds}"
            bar = plot.error(x, row.low, row.high, f"error s{number % svg.COLOURS['s']}")
            parts.append(
                f"<g><title>{safe(tip)}</title>{bar}{svg.mark(plot.x(x), plot.y(row.success), number)}</g>"
            )
    return "".join(parts)


def _numbers(table: pd.DataFrame) -> str:
    rows = []
    for row in table.itertuples():
        rate = ["–"] * 3 if not row.n else [f"{value:.3f}" for value in (row.success, row.low, row.high)]
        rows.append(
            [safe(shortened(row.policy, 40)), safe(row.bin), str(row.k), str(row.n), *rate, str(row.n_seeds)]
        )
    return frame_table(["policy", "steps", "successes", "n", "rate", "low", "high", "seeds"], rows, numeric=6)

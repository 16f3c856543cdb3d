"""Rewards and advantages in a page: a summary in words, and the numbers of the chart."""

import pandas as pd

from spa_lab.view.html.markup import frame_table
from spa_lab.view.tables.advantages import credit_term, grounding_term, half_reach
from spa_lab.view.text import decimal_places, signed

SMALL = 0.001
"""A share below it is shown as "less than"."""


def advantage_summary_html(frame: pd.DataFrame) -> str:
    """How far a reward at the end reaches, and what the rewards add up to."""
    first, steps = float(frame["reach"].iloc[0]), half_reach(frame)
    before = "1 step before" if steps == 1 else f"{steps} steps before" if steps else "at"
    where = "nowhere" if steps is None else f"{before} the last"
    there = f"{first:.2g}" if first >= SMALL else f"less than {SMALL:g}"
    paid = float(frame["from_grounding"].sum())
    part = float(frame["from_error"].iloc[-1])
    is_spread = frame["residual"].iloc[0] == "spread"
    where_to = "spread: {} for every step" if is_spread else "paid at the last step: {}"
    if not frame["reward"].any():
        rest = (
            "; the advantages come from the value baseline alone."
            if frame["advantage"].any()
            else ", and without a baseline so is every advantage before normalisation over the batch."
        )
        return f'<p class="note">Every reward is 0{rest}</p>'
    error = f"The residual R − b − Σĉ is {where_to.format(signed(part, 4))}. " if part else ""
    return (
        f'<p class="facts">Less than half of a final reward arrives {where}, {there} of it at the first. '
        f"Sum of the rewards {signed(float(frame['reward'].sum()), 2)}, grounding's part {signed(paid, 2)}. "
        f"{error}{int(frame['n_tokens'].sum())} tokens in {len(frame)} steps.</p>"
    )


def advantage_numbers_html(frame: pd.DataFrame) -> str:
    """The table of `tables.advantages.advantage_table`, folded."""
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
    numbers = frame_table(heads, rows, numeric=7)
    return f'<details data-keep="numbers"><summary>the numbers</summary>{numbers}</details>'

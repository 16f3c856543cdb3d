"""Success by length in a page: what the bins mean, and the numbers of the chart."""

import pandas as pd

from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.text import shortened

EXPLAINED = {
    "expert_length": (
        "Bins by the length of the expert's solution: a property of the task, known before any policy plays, "
        "and the same for all policies."
    ),
    "n_steps": (
        "Bins by the length of the episode itself. This length is a result: failures run into the step limit "
        "and fall into the longest bin, successes end early and fall into the short ones. A policy that "
        "became faster moves between bins, so the bins of two policies hold different tasks. Compare "
        "policies by the expert's length."
    ),
}


def lengths_note_html(by: str) -> str:
    """What the bins are of, with a warning where they are of episode lengths."""
    warning = '<b class="refused">By episode length.</b> ' if by == "n_steps" else ""
    return f'<span class="note">{warning}{EXPLAINED[by]}</span>'


def length_numbers_html(table: pd.DataFrame) -> str:
    """The table of `tables.evaluation.success_by_length`, folded."""
    rows = []
    for row in table.itertuples():
        rate = ["–"] * 3 if not row.n else [f"{value:.3f}" for value in (row.success, row.low, row.high)]
        rows.append(
            [safe(shortened(row.policy, 40)), safe(row.bin), str(row.k), str(row.n), *rate, str(row.n_seeds)]
        )
    columns = ["policy", "steps", "successes", "n", "rate", "low", "high", "seeds"]
    numbers = frame_table(columns, rows, numeric=6)
    return f'<details data-keep="numbers"><summary>the numbers</summary>{numbers}</details>'

"""The list of trajectories that an inspector shows: one row each, to be clicked."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.types import FloatArray
from spa_lab.view.html.markup import safe
from spa_lab.view.text import shortened

MAX_LISTED = 200
"""Trajectories listed at once."""
_COLUMNS = {
    "trajectory": "id",
    "task type": "wide",
    '<span class="wide">outcome</span>': "",
    "R": "figure wide",
    "steps": "figure",
    "grounded": "figure wide",
}
"""Heading, HTML -> classes; what is "wide" is hidden where the list stands beside the steps."""
_DISAGREEMENT = {'<span class="wide">disagreement</span><span class="narrow">|ĉ − Δ|</span>': "figure"}


def episodes_html(
    index: pd.DataFrame,
    found: Sequence[int],
    shown: int,
    *,
    name: str,
    disagreements: FloatArray | None = None,
) -> str:
    """The trajectories that a query found, the first `MAX_LISTED` of them.

    Args:
        index: of a `Collection`, N rows.
        found: positions in `index`, in the order of the list.
        shown: position of the trajectory that is open; its row is marked.
        name: of the collection.
        disagreements: (N,) of the selected source with the truth, NaN where unknown; None: no such column.
    """
    listed = found[:MAX_LISTED]
    focused = shown if shown in listed else next(iter(listed), -1)
    columns = _COLUMNS | (_DISAGREEMENT if disagreements is not None else {})
    heads = "".join(
        f'<th scope="col" role="columnheader" class="{look}">{title}</th>' for title, look in columns.items()
    )
    rows = "".join(
        _row(position, record, shown, position == focused, disagreements)
        for position, record in zip(listed, index.iloc[list(listed)].to_dict("records"), strict=True)
    )
    total = f"{len(found):,} of {len(index):,} trajectories of {name}"
    if not found:
        total += ": change the search or the filters"
    left_out = f", the first {MAX_LISTED} listed" if len(found) > MAX_LISTED else ""
    return (
        f'<p class="facts" role="status">{safe(total)}{left_out}</p><div class="scroll low" data-keep>'
        f'<table class="found" role="grid" aria-label="trajectories"><thead><tr role="row">{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _row(
    position: int,
    record: Mapping[Hashable, Any],
    shown: int,
    focused: bool,
    disagreements: FloatArray | None,
) -> str:
    cells = [
        f'<td class="id">{safe(shortened(str(record["trajectory_id"]), 60))}</td>',
        f'<td class="wide">{safe(str(record["kind"]))}</td>',
        f'<td>{"✓" if record["success"] else "✗"}<span class="wide">'
        f"{' success' if record['success'] else ' failure'}</span></td>",
        f'<td class="figure wide">{record["outcome"]:.2f}</td><td class="figure">{record["n_steps"]}</td>',
        f'<td class="figure wide">{record["grounding"]:.0%}</td>',
    ]
    if disagreements is not None:
        value = disagreements[position]
        cells.append(f'<td class="figure">{"–" if np.isnan(value) else f"{value:.3f}"}</td>')
    selected = str(position == shown).lower()
    state = f'tabindex="{0 if focused else -1}" aria-selected="{selected}"'
    return f'<tr role="row" data-trajectory="{position}" {state}>{"".join(cells)}</tr>'

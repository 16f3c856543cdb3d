"""The list of trajectories that an inspector shows: one row each, to be clicked; columns sort by a click."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spa_lab.types import FloatArray
from spa_lab.view.html.markup import safe
from spa_lab.view.html.sparkline import sparkline
from spa_lab.view.tables.collection import Collection, SortOrder, successes
from spa_lab.view.text import UNKNOWN, outcome_text, shortened, verdict

MAX_LISTED = 200
"""Trajectories listed at once."""
TAIL = 14
"""Characters of an id that are shown: its end, which tells episodes of a task apart."""
MARKS = {True: "✓", False: "✗", None: "?"}
"""Strict success -> its mark."""
NOTHING = (
    '<p class="nothing">Nothing found. <button type="button" name="reset">Clear the filters</button></p>'
)
SORTS: Mapping[str, tuple[str, SortOrder, SortOrder]] = {
    "outcome": ("R", "highest outcome", "lowest outcome"),
    "task": ("task", "task A to Z", "task Z to A"),
    "steps": ("steps", "longest", "shortest"),
    "gap": ("|ĉ − Δ|", "largest disagreement", "smallest disagreement"),
}
"""Column -> its heading, the order of the first click and of the second."""
COURSES = {
    True: ("V", "measured values; the running sum of credit where there are none"),
    False: ("Σĉ", "running sum of credit"),
}
"""Whether values were measured -> heading of the small curves, and what they are."""
ASCENDING = ("lowest outcome", "task A to Z", "shortest", "smallest disagreement")
"""Orders in which the smallest comes first."""


def episodes_html(
    collection: Collection,
    found: Sequence[int],
    shown: int,
    *,
    order: SortOrder = "as saved",
    source: str = "",
    tags: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The trajectories that a query found, the first `MAX_LISTED` of them.

    Args:
        collection: N trajectories.
        found: positions in it, in the order of the list.
        shown: position of the trajectory that is open; its row is marked.
        order: marked in the head of the column that is sorted.
        source: whose running sum is drawn where there is no truth, and whose disagreement is listed.
        tags: trajectory id -> tags of the reader's own.
    """
    listed = found[:MAX_LISTED]
    focused = shown if shown in listed else next(iter(listed), -1)
    rows = [
        row.replace(" data-state", f' tabindex="{0 if at == focused else -1}" '
                    f'aria-selected="{str(at == shown).lower()}"', 1)
        for at, row in zip(listed, episode_rows(collection, listed, source=source, tags=tags), strict=True)
    ]  # fmt: skip
    left_out = f", the first {MAX_LISTED} listed" if len(found) > MAX_LISTED else ""
    total = f"{len(found):,} of {len(collection):,} episodes of {collection.name}{left_out}"
    nothing = "" if found else NOTHING
    return (
        f'<p class="facts" role="status">{safe(total)}</p>{nothing}<div class="scroll low" data-keep>'
        f"{list_head(collection, order)}<tbody>{''.join(rows)}</tbody></table></div>"
    )


def list_head(collection: Collection, order: SortOrder = "as saved") -> str:
    """The opening of the table: a button in the head of every column that can be sorted."""
    heads = []
    for column, (title, *orders) in SORTS.items():
        if column == "gap" and not collection.has_truths:
            continue
        if column == "steps":
            sign, meaning = COURSES[collection.has_truths]
            heads.append(f'<th scope="col" role="columnheader" class="course" title="{meaning}">{sign}</th>')
        way = "ascending" if order in ASCENDING else "descending"
        state = f' aria-sort="{way}"' if order in orders else ""
        number = f' class="{column} figure"' if column in ("steps", "gap") else f' class="{column}"'
        heads.append(
            f'<th scope="col" role="columnheader"{number}{state}>'
            f'<button type="button" name="sort" value="{column}">{title}</button></th>'
        )
    return (
        '<table class="found" role="grid" aria-label="episodes"><thead><tr role="row">'
        f"{''.join(heads)}</tr></thead>"
    )


def episode_rows(
    collection: Collection,
    positions: Sequence[int],
    *,
    source: str = "",
    tags: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """The row of each of these trajectories; ` data-state` stands where focus and selection are set."""
    gaps = collection.disagreements(source) if collection.has_truths else None
    records = collection.index.iloc[list(positions)].to_dict("records")
    known = successes(collection.index.iloc[list(positions)])
    return [
        _row(collection, at, record, success, gaps, source, (tags or {}).get(record["trajectory_id"], ()))
        for at, record, success in zip(positions, records, known, strict=True)
    ]


def _row(
    collection: Collection,
    position: int,
    record: Mapping[Any, Any],
    success: bool | None,
    gaps: FloatArray | None,
    source: str,
    tags: Sequence[str],
) -> str:
    name = str(record["trajectory_id"])
    tail = name if len(name) <= TAIL else f"…{name[-TAIL:]}"
    task = safe(shortened(str(record["instruction"]), 160)) or "<i>(no task sentence)</i>"
    marks = "".join(f' <span class="badge" dir="auto">{safe(shortened(tag, 20))}</span>' for tag in tags)
    line = sparkline(collection.path(position, source), "measured value or running sum")
    label = safe(shortened(tail, TAIL + 1))
    certain = success is not None and record["outcome"] == success  # R is 1 or 0: the mark says it
    value = outcome_text(record["outcome"])
    outcome = MARKS[success] if certain or value == UNKNOWN else f"{MARKS[success]} {value}"
    cells = [
        f'<td title="R = {value}, {verdict(success)}">{outcome}</td>',
        f'<td class="task"><span class="sentence" dir="auto">{task}</span>'
        f'<span class="id" title="{safe(shortened(name, 200))}">{label}{marks}</span></td>',
        f'<td class="course">{line}</td><td class="figure">{record["n_steps"]}</td>',
    ]
    if gaps is not None:
        cells.append(
            f'<td class="figure">{"–" if np.isnan(gaps[position]) else f"{gaps[position]:.2f}"}</td>'
        )
    return f'<tr role="row" data-trajectory="{position}" data-state>{"".join(cells)}</tr>'

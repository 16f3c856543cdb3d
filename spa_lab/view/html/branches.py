"""Continuations in a page: the table of values, and two episodes side by side."""

import math
from collections.abc import Hashable, Mapping, Sequence

from spa_lab.types import Trajectory
from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.html.steps import step_html
from spa_lab.view.tables.branches import values_table
from spa_lab.view.text import facts, shortened, signed_in_full

MOST_DOTS = 80
"""Continuations that have a dot each."""


def values_html(outcomes: Mapping[str, Sequence[float]], known: Mapping[str, float] | None = None) -> str:
    """A dot for every continuation, the value of every prefix, and the difference to the first.

    Args:
        outcomes: name of a prefix -> outcomes of its continuations, at least one each.
        known: name of a prefix -> its value, where nothing is left to be played.
    """
    if not outcomes:
        return '<span class="note">No continuation has been played yet.</span>'
    rows = []
    for row in values_table(outcomes, known or {}).to_dict("records"):
        name = str(row["prefix"])
        interval = _interval(row["low"], row["high"]) if row["n"] else "known"
        cells = [dots(outcomes.get(name, ())), f"{row['value']:.3f}", interval, str(row["n"])]
        rows.append([safe(shortened(name, 60)), *cells, _difference(row)])
    columns = ["prefix", "continuations: ● R = 1, ○ R = 0, ◐ in between", "value", "95 % interval", "n"]
    return frame_table([*columns, "difference to the first, 95 % interval"], rows, numeric=4)


def dots(outcomes: Sequence[float]) -> str:
    """A dot per continuation, in the order of play: full, empty, or half for an outcome between 0 and 1."""
    signs = "".join("●" if value == 1 else "○" if value == 0 else "◐" for value in outcomes[:MOST_DOTS])
    more = f" and {len(outcomes) - MOST_DOTS} more" if len(outcomes) > MOST_DOTS else ""
    mean = sum(outcomes) / len(outcomes) if outcomes else 0.0
    label = f"{len(outcomes)} continuations, mean outcome {mean:.2f}"
    return f'<span class="dots" role="img" aria-label="{label}">{signs}</span>{more}' if outcomes else ""


def _difference(row: Mapping[Hashable, float]) -> str:
    """The difference with its interval, and whether that excludes 0."""
    if math.isnan(row["difference"]):
        return "–"
    low, high = row["difference_low"], row["difference_high"]
    told = "differ" if low > 0 or high < 0 else "not told apart"
    return f"{signed_in_full(row['difference'], 3)} {_interval(low, high, sign=True)}, {told}"


def _interval(low: float, high: float, *, sign: bool = False) -> str:
    return f"[{signed_in_full(low, 3)}, {signed_in_full(high, 3)}]" if sign else f"[{low:.3f}, {high:.3f}]"


def beside_html(original: Trajectory, other: Trajectory, step: int) -> str:
    """What happened, and one of many continuations after another action, side by side from that step on."""
    note = (
        "The right side is one of many continuations after the other action: another draw may end otherwise. "
        "The dots above show how often it succeeds."
    )
    return (
        f'<p class="note">{note}</p><div class="side-by-side">{_column("what happened", original, step)}'
        f"{_column('one of many continuations after the other action', other, step)}</div>"
    )


def _column(title: str, trajectory: Trajectory, first: int) -> str:
    rows = "".join(
        f'<tr><th scope="row">{index}</th><td class="words">{step_html(step)}</td></tr>'
        for index, step in enumerate(trajectory.steps[first:], start=first)
    )
    return (
        f'<div><h4>{title}</h4><p class="facts">{safe(facts(trajectory))}</p>'
        f'<div class="scroll high" tabindex="0" role="region" aria-label="{title}">'
        f'<table class="steps"><tbody>{rows}</tbody></table></div></div>'
    )

"""Continuations in a page: the table of values, and two episodes side by side."""

from collections.abc import Mapping, Sequence

from spa_lab.types import Trajectory
from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.html.steps import step_html
from spa_lab.view.tables.branches import value_interval
from spa_lab.view.text import facts, shortened, signed


def values_html(outcomes: Mapping[str, Sequence[float]]) -> str:
    """The value of every prefix with its interval, and the difference to the first.

    Args:
        outcomes: name of a prefix -> outcomes of its continuations, at least one each.
    """
    if not outcomes:
        return '<span class="note">No continuation has been played yet.</span>'
    rows = []
    first: float | None = None
    for name, values in outcomes.items():
        low, mean, high = value_interval(values)
        change = "–" if first is None else signed(mean - first, 3)
        first = mean if first is None else first
        cells = [f"{mean:.3f}", f"[{low:.3f}, {high:.3f}]", str(len(values)), change]
        rows.append([safe(shortened(name, 60)), *cells])
    return frame_table(["prefix", "value", "95 % interval", "n", "difference to first"], rows, numeric=4)


def beside_html(original: Trajectory, other: Trajectory, step: int) -> str:
    """Two episodes from a step on, side by side, with their outcomes."""
    return (
        f'<div class="side-by-side">{_column("what happened", original, step)}'
        f"{_column('one continuation after the other action', other, step)}</div>"
    )


def _column(title: str, trajectory: Trajectory, first: int) -> str:
    rows = "".join(
        f'<tr><th scope="row">{index}</th><td class="words">{step_html(step)}</td></tr>'
        for index, step in enumerate(trajectory.steps[first:], start=first)
    )
    return (
        f'<div><h4>{title}</h4><p class="facts">{safe(facts(trajectory))}</p>'
        f'<div class="scroll high"><table class="steps"><tbody>{rows}</tbody></table></div></div>'
    )

"""Two episodes of one task side by side: a row per step, and a mark where they part."""

from collections.abc import Sequence

from spa_lab.types import Credit, Trajectory
from spa_lab.view import style
from spa_lab.view.geometry import Span, bar_span
from spa_lab.view.html.markup import safe
from spa_lab.view.html.steps import bars_cell, step_html, tints
from spa_lab.view.tables.parting import first_difference
from spa_lab.view.text import decimal_places, outcome_text, shortened, signed, sum_caption, verdict

Side = tuple[Trajectory, Credit | None]
"""An episode, and the credit of it that is drawn; None if it has none."""


def beside_html(left: Side, right: Side, rows: range | None = None, names: Sequence[str] = ()) -> str:
    """A row per step of the longer episode, with the action and credit of each.

    Args:
        left: the episode whose steps can be selected.
        right: another episode, of the same task or not.
        rows: the steps that are shown; all if None.
        names: of the two; their policies if there are none.
    """
    titles = names or [trajectory.policy for trajectory, _ in (left, right)]
    heads = "".join(_head(side, title) for side, title in zip((left, right), titles, strict=True))
    part = first_difference(left[0], right[0])
    span = bar_span([credit for _, credit in (left, right) if credit is not None])
    shades = [None if credit is None else tints(credit.contributions) for _, credit in (left, right)]
    body = []
    for step in range(max(len(left[0]), len(right[0]))) if rows is None else rows:
        badge = '<span class="badge">they part</span> ' if step == part else ""
        cells = "".join(
            _cells(side, step, span, "" if shade is None or step >= len(shade) else shade[step], badge)
            for side, shade in zip((left, right), shades, strict=True)
        )
        place = f'data-step="{step}" tabindex="-1" aria-selected="false"' if step < len(left[0]) else ""
        look = "" if part is None or step < part else ' class="parted"' if step > part else ' class="part"'
        body.append(f'<tr {place} role="row"{look}><th scope="row" role="rowheader">{step}</th>{cells}</tr>')
    return (
        f'<p class="facts">{_summary(part)}</p>'
        '<table class="steps beside" role="grid" aria-label="two episodes side by side"><thead>'
        f'<tr role="row"><th scope="col" role="columnheader">step</th>{heads}</tr>'
        f"</thead><tbody>{''.join(body)}</tbody></table>"
    )


def _summary(part: int | None) -> str:
    """In how many actions the two agree before they part, at step `part` or never."""
    if part is None:
        return "The same actions to the end."
    if part == 0:
        return "They part at the first action."
    return "The first action is the same." if part == 1 else f"The first {part} actions are the same."


def _head(side: Side, title: str) -> str:
    trajectory, credit = side
    known = trajectory.success is not None
    result = f"R = {outcome_text(trajectory.outcome)}{f' ({verdict(trajectory.success)})' if known else ''}"
    name = f"<b>{safe(shortened(title, 40))}</b> · {result} · {len(trajectory)} steps"
    source, total = (
        ("", "") if credit is None else (safe(shortened(credit.source, 40)), safe(sum_caption(credit)))
    )
    return (
        f'<th scope="col" role="columnheader" title="{safe(shortened(trajectory.id, 200))}">{name}</th>'
        f'<th scope="col" role="columnheader" class="bars">{source}</th>'
        f'<th scope="col" role="columnheader" class="figure" title="{total}">ĉ</th>'
    )


def _cells(side: Side, step: int, span: Span, shade: str, badge: str) -> str:
    trajectory, credit = side
    if step >= len(trajectory):
        end = "ended" if step == len(trajectory) else ""
        return f'<td class="words" role="gridcell"><i>{end}</i></td><td></td><td></td>'
    words = f'<td class="words" role="gridcell">{step_html(trajectory.steps[step], shade, badge)}</td>'
    if credit is None:
        return f"{words}<td></td><td></td>"
    number = signed(float(credit.contributions[step]), decimal_places(credit.contributions))
    return (
        f"{words}{bars_cell([credit], [span], [style.look(credit.source).colour], None, span, step)}"
        f'<td class="figure" role="gridcell"><span class="number">{number}</span></td>'
    )

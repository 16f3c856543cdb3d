"""HTML of the gradient view: alarms, steps with their pushes, and the tokens of one step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.view.geometry import Span
from spa_lab.view.html.bar_cells import bar, lane
from spa_lab.view.html.markup import safe
from spa_lab.view.text import UNGROUNDED, decimal_places, signed

LANES = {
    "reward": "reward, outcome units",
    "advantage": "advantage, outcome units",
    "push": "push of the advantage, σ",
    "kl_push": "push of KL, same unit",
}
"""Columns of the steps' table that are drawn as bars. The two pushes share a unit, hence a scale."""
PUSH_NOTE = (
    '<span class="note">A <b>push</b> is what the gradient of a token\'s log-probability is multiplied by: '
    "above 0 the token becomes more likely, below 0 less. The advantage's is normalised over the batch; its "
    "unit is the standard deviation σ of all advantages.</span>"
)


def alarms_html(alarms: Sequence[Any]) -> str:
    """A line for every alarm that is raised; the checks that passed are counted, and fold out.

    Args:
        alarms: with `raised` and `text`.
    """
    raised = [f'<li><b class="refused">⚠ alarm</b> · {safe(one.text)}</li>' for one in alarms if one.raised]
    passed = [f"<li>✓ {safe(one.text)}</li>" for one in alarms if not one.raised]
    parts = [f'<ul class="alarms">{"".join(raised)}</ul>'] if raised else []
    if passed:
        count = "1 check passed" if len(passed) == 1 else f"{len(passed)} checks passed"
        parts.append(
            f'<details data-keep="passed"><summary>✓ {count}</summary>'
            f'<ul class="alarms">{"".join(passed)}</ul></details>'
        )
    return "".join(parts)


def update_steps_html(steps: pd.DataFrame, words: Sequence[str]) -> str:
    """A row per step of one trajectory.

    Args:
        steps: rows of `learn.update_audit.step_table` of one trajectory.
        words: (T,) a label for each step, e.g. its action.
    """
    pushes = steps[["push", "kl_push"]].to_numpy(dtype=np.float64).ravel()
    spans = {
        name: _span(pushes if "push" in name else steps[name].to_numpy(dtype=np.float64)) for name in LANES
    }
    heads = "".join(_head(title, spans[name]) for name, title in LANES.items())
    rows = []
    for row, text in zip(steps.to_dict("records"), words, strict=True):
        mark = "" if row["grounded"] else f' <span class="refused">✗ {UNGROUNDED}</span>'
        cells = "".join(
            lane([bar(row[name], spans[name])], signed(row[name], decimal_places(spans[name])), spans[name])
            for name in LANES
        )
        rows.append(
            f'<tr data-step="{row["step"]}" role="row" tabindex="-1" aria-selected="false">'
            f'<th scope="row" role="rowheader">{row["step"]}</th><td class="words" role="gridcell">'
            f'<code dir="auto">{safe(text)}</code>{mark}</td>'
            f'<td class="figure" role="gridcell">{row["n_tokens"]}</td>{cells}</tr>'
        )
    return (
        '<table class="steps" role="grid" aria-label="what the gradient saw"><thead><tr role="row">'
        '<th scope="col" role="columnheader">step</th><th scope="col" role="columnheader">action</th>'
        f'<th scope="col" role="columnheader" class="figure">tokens</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def update_tokens_html(tokens: pd.DataFrame, spell: Callable[[int], str]) -> str:
    """The tokens of one step: over each its push, as a bar up (more of it) or down (less), and as a number.

    Args:
        tokens: rows of `learn.update_audit.token_table` of one step.
        spell: token id -> its text.
    """
    limit = float(tokens["push"].abs().max()) or 1.0
    cells = []
    for row in tokens.to_dict("records"):
        share = row["push"] / limit * 100
        look = "below" if share < 0 else "above"
        tip = safe(
            f"reward {row['reward']:+.3g}, advantage {row['advantage']:+.3g}, value {row['value']:+.3g}, "
            f"KL {row['kl']:+.3g} nats, push of KL {row['kl_push']:+.3g}"
        )
        cells.append(
            f'<span class="token" title="{tip}"><span class="column {look}">'
            f'<i style="height:{abs(share):.0f}%"></i></span>'
            f'<code dir="auto">{safe(spell(int(row["token"]))) or "␠"}</code>'
            f'<span class="number">{signed(row["push"], 2)}</span></span>'
        )
    return f'<div class="tokens">{"".join(cells)}</div>'


def _span(values: np.ndarray) -> Span:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    return (low, high) if high > low else (0.0, 1.0)


def _head(title: str, span: Span) -> str:
    low, high = (signed(end, decimal_places(span)) for end in span)
    return (
        f'<th scope="col" role="columnheader" class="lane"><b>{safe(title)}</b>'
        f'<div class="ends"><span>{low}</span><span>{high}</span></div></th>'
    )

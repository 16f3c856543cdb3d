"""One trajectory as HTML: a row per step with its action, the bars of every source, and their numbers.

In a live view a row is one line, and thought and reply appear in the selected row; in a static copy every
row shows all of its text.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from spa_lab.matching import check_match
from spa_lab.rewards import is_prediction
from spa_lab.types import Credit, FloatArray, Labels, Step, TokenNumbers, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.geometry import Span, bar_span
from spa_lab.view.html.bar_cells import bar, mark, reach, swatch, track
from spa_lab.view.html.log_fields import log_fields_html
from spa_lab.view.html.markup import prose, safe
from spa_lab.view.html.tokens import numbers_html
from spa_lab.view.tables.frames import progress_error
from spa_lab.view.tables.trajectory import pivotal_step
from spa_lab.view.text import (
    GROUNDING_UNKNOWN,
    NO_ACTION,
    UNGROUNDED,
    decimal_places,
    facts,
    shortened,
    signed,
    sum_caption,
    truth_label,
)

_GROUNDING: Mapping[bool | None, str] = MappingProxyType(
    {
        True: "",
        False: f'<span class="refused">✗ {UNGROUNDED}</span> ',
        None: f'<span class="unknown" title="{GROUNDING_UNKNOWN}">g ?</span> ',
    }
)
"""g_t -> mark before the action, HTML."""
Scale = Literal["common", "own"]
"""Whether the bars of all sources share one scale, or each source fills its own."""
STRONGEST_TINT = 40
"""Per cent of the colour behind the text of the largest contribution; the text keeps a contrast of 4.5."""
WIDE_FROM = 4
"""Decimals from which a column of numbers with standard errors is wider."""


def head_html(trajectory: Trajectory, meta: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The instruction, one line of facts, and the initial observation."""
    origin = dict.fromkeys(
        (trajectory.env, trajectory.split, trajectory.policy)
    )  # of a log they are the same
    more = " · ".join(map(safe, origin))
    first = prose(trajectory.initial_observation)
    line = f"{safe(facts(trajectory))} · {more} · ended: {safe(str(trajectory.ended))}"
    return (
        f'<h3 dir="auto">{safe(_task(trajectory))}</h3>'
        f'<p class="facts" title="{line}">{line}</p>'
        f'<details data-keep="first"><summary>initial observation</summary>{first}</details>'
        f"{log_fields_html(meta)}"
    )


def _task(trajectory: Trajectory) -> str:
    """The instruction, or the beginning of what is seen first where there is none."""
    return shortened(trajectory.instruction, 300) or shortened(trajectory.initial_observation, 160)


def steps_html(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    scale: Scale = "common",
    focus: Credit | None = None,
    rows: range | None = None,
    own_labels: Mapping[int, str] | None = None,
    labels: Sequence[Labels] = (),
    tokens: Sequence[TokenNumbers] = (),
    beside: Sequence[str] = (),
) -> str:
    """A row per step: index, text, a bar and a number for every credit and for the measured progress.

    Args:
        trajectory: T steps.
        credits: any number, all of this trajectory.
        truth: a measurement of this trajectory, drawn as diamonds with one standard error.
        scale: "common" compares the sources, "own" fits the bars of every source to it.
        focus: of this trajectory; its contributions tint the actions where a page asks for it.
        rows: the steps that are shown; all if None.
        own_labels: step -> a short label of the reader's own.
        labels: what people or judges say of the steps, shown below their text.
        tokens: numbers of the tokens, shown on their words, folded.
        beside: sources of the other episodes of a run, in its order; each looks the same in all.

    Raises:
        ValueError: a credit or truth that does not fit the trajectory, or an unknown scale.
    """
    check_match([trajectory], credits, truths := [truth] if truth else [], labels, tokens)
    spans, truth_span = _spans(credits, truths, scale)
    pivotal = pivotal_step(trajectory, credits, truth)
    shades = tints(focus.contributions) if focus is not None else [""] * len(trajectory)
    shown = range(len(trajectory)) if rows is None else rows
    looks = style.looks_beside([*beside, *(credit.source for credit in credits)])
    colours = [looks[credit.source].colour for credit in credits]
    heads, drawn = _heads(credits, spans, colours, truth, truth_span, trajectory.outcome), []
    for index, below in zip(shown, _below(labels, tokens, shown), strict=True):
        badges = ["pivotal"] if index == pivotal else []
        badges += [(own_labels or {})[index]] if index in (own_labels or {}) else []
        cells = bars_cell(credits, spans, colours, truth, truth_span, index)
        cells += _numbers(credits, truth, index)
        drawn.append(_row(index, trajectory.steps[index], cells, badges, shades[index], below))
    return (
        f'<table class="steps" style="--figures:{len(credits) + len(truths)}" role="grid" '
        'aria-label="steps of the trajectory"><thead><tr role="row">'
        '<th scope="col" role="columnheader">step</th><th scope="col" role="columnheader">action</th>'
        f"{heads}</tr></thead><tbody>{''.join(drawn)}</tbody></table>"
    )


def _spans(credits: Sequence[Credit], truths: Sequence[ValueTruth], scale: Scale) -> tuple[list[Span], Span]:
    """Axes of the bars of every credit, and of the measured progress."""
    if scale not in get_args(Scale):
        raise ValueError(f"scale must be one of {get_args(Scale)}, got {scale!r}")
    if scale == "common":
        shared = bar_span(credits, truths)
        return [shared] * len(credits), shared
    return [bar_span([credit]) for credit in credits], bar_span([], truths)


def tints(values: FloatArray) -> list[str]:
    """Attributes that tint the text of each step: blue for positive contributions, orange for negative ones.

    Args:
        values: (T,) contributions; the largest in size gets `STRONGEST_TINT`.
    """
    largest = float(abs(values).max()) or 1.0
    return [
        f' data-tint="{"loss" if value < 0 else "gain"}" '
        f'style="--share:{STRONGEST_TINT * abs(float(value)) / largest:.0f}%"'
        for value in values
    ]


def labels_html(labels: Sequence[Labels], step: int) -> str:
    """What each labeller says of a step; empty where none says anything."""
    chips = []
    for one in labels:
        value = float(one.values[step])
        if not math.isnan(value):
            word = "harmful" if value < 0 else "helpful" if value > 0 else "neutral"
            text = f"{shortened(one.source, 40)}: {word} ({value:+g})"
            chips.append(f'<span class="label-chip {word}">{safe(text)}</span>')
    return f'<div class="labels">{" ".join(chips)}</div>' if chips else ""


def _below(labels: Sequence[Labels], tokens: Sequence[TokenNumbers], steps: range) -> list[str]:
    """What stands below the words of each of these steps: labels, and numbers of tokens."""
    scales = [_largest(one) for one in tokens]
    return [
        labels_html(labels, step)
        + "".join(numbers_html(one, step, scale) for one, scale in zip(tokens, scales, strict=True))
        for step in steps
    ]


def _largest(tokens: TokenNumbers) -> float:
    """Size of the largest number of any token, > 0."""
    return max((float(np.abs(step).max()) for step in tokens.numbers if len(step)), default=0.0) or 1.0


def step_html(step: Step, shade: str = "", badges: str = "") -> str:
    """Thought, action and reply of a step, and whether the world could execute it.

    Args:
        step: the step.
        shade: attributes of the action, from `tints`.
        badges: shown before the action, HTML.
    """
    mark = _GROUNDING[step.grounded]
    action = step.action or step.text
    shown = f'<code dir="auto"{shade}>{prose(action)}</code>' if action.strip() else f"<i>{NO_ACTION}</i>"
    kind = "action" if step.action else "no action"
    thought = (
        f'<div class="line thought">{_label("thought")}<span>{prose(step.thought)}</span></div>'
        if step.thought
        else ""
    )
    return (
        f'{thought}<div class="line action">{_label(kind)}<span>{badges}{mark}{shown}</span></div>'
        f'<div class="line reply">{_label("reply")}<span>{prose(step.observation)}</span></div>'
    )


def bars_cell(
    credits: Sequence[Credit],
    spans: Sequence[Span],
    colours: Sequence[str],
    truth: ValueTruth | None,
    truth_span: Span,
    step: int,
) -> str:
    """One cell with a bar per credit, one below the other, and the measured progress as a diamond."""
    if not credits and truth is None:
        return ""
    tracks = [
        _credit_track(credit, step, span, colour)
        for credit, span, colour in zip(credits, spans, colours, strict=True)
    ]
    if truth is not None:
        tracks.append(track([_diamond(truth, step, truth_span)], truth_span, look="measured"))
    return f'<td class="bars" role="gridcell">{"".join(tracks)}</td>'


def _row(index: int, step: Step, cells: str, badges: Sequence[str], shade: str, below: str) -> str:
    marks = "".join(f'<span class="badge" dir="auto">{safe(shortened(text, 24))}</span> ' for text in badges)
    return (
        f'<tr data-step="{index}" role="row" tabindex="-1" aria-selected="false">'
        f'<th scope="row" role="rowheader">{index}</th>'
        f'<td class="words" role="gridcell">{step_html(step, shade, marks)}{below}</td>{cells}</tr>'
    )


def _label(word: str) -> str:
    return f'<span class="label">{word}</span> '


def _heads(
    credits: Sequence[Credit],
    spans: Sequence[Span],
    colours: Sequence[str],
    truth: ValueTruth | None,
    truth_span: Span,
    outcome: float | None,
) -> str:
    """The head of the bars with their scale, and of every column of numbers: name and sum."""
    if not credits and truth is None:
        return ""
    shared = spans[0] if spans else truth_span
    ends = ""
    if all(span == shared for span in [*spans, *([truth_span] if truth else [])]):
        low, high = (signed(end, decimal_places(shared)) for end in shared)
        ends = f"<span>{low}</span><span>{high}</span>"
    else:
        ends = "<span>each on its own scale</span>"
    heads = [f'<th scope="col" role="columnheader" class="bars"><div class="ends">{ends}</div></th>']
    for credit, colour in zip(credits, colours, strict=True):
        # a narrow head breaks a name at its underscores before it breaks a word
        words = safe(shortened(credit.source, 60)).replace("_", "_<wbr>")
        name = f'<b dir="auto">{words}</b>'
        square = swatch(colour)
        caption = sum_caption(credit)
        if is_prediction(credit, outcome):
            caption += f": predicts R = {credit.predicted_outcome:.2f}"
        wide = credit.standard_error is not None and decimal_places(credit.contributions) >= WIDE_FROM
        heads.append(_number_head(f"{square} {name}", credit.source, caption, wide=wide))
    if truth:
        caption = f"V(h₀) = {truth.offset:.2f}" + (" (± 1 s.e.)" if truth.branches else "")
        wide = decimal_places(truth.progress) >= WIDE_FROM
        label = f"Δ, {truth_label(truth)}"
        heads.append(_number_head(f"<b>◇ {safe(label)}</b>", label, caption, wide=wide))
    return "".join(heads)


def _number_head(name: str, full: str, caption: str, *, wide: bool) -> str:
    """The head of a column; its hint has the whole name, of which a narrow column shows the beginning."""
    look, hint = "figure wide" if wide else "figure", f"{shortened(full, 200)}: {caption}"
    return (
        f'<th scope="col" role="columnheader" class="{look}" title="{safe(hint)}">'
        f'<div class="source">{name}</div><span class="caption">{safe(caption)}</span></th>'
    )


def _credit_track(credit: Credit, step: int, span: Span, colour: str) -> str:
    value = float(credit.contributions[step])
    error = None if credit.standard_error is None else float(credit.standard_error[step])
    parts = [bar(value, span)]
    if error:
        parts.append(reach("sure", value - error, value + error, span))
    return track(parts, span, colour=colour)


def _diamond(truth: ValueTruth, step: int, span: Span) -> str:
    value, error = float(truth.progress[step]), float(progress_error(truth)[step])
    whisker = reach("whisker", value - error, value + error, span) if error else ""
    return whisker + mark("diamond", value, span)


def _numbers(credits: Sequence[Credit], truth: ValueTruth | None, step: int) -> str:
    """The cells of numbers of one step, with the standard error where there is one."""
    cells = []
    for credit in credits:
        error = None if credit.standard_error is None else float(credit.standard_error[step])
        cells.append(_number(float(credit.contributions[step]), error, credit.contributions))
    if truth:
        error = float(progress_error(truth)[step])
        cells.append(_number(float(truth.progress[step]), error, truth.progress))
    return "".join(cells)


def _number(value: float, error: float | None, column: FloatArray) -> str:
    places = decimal_places(column)
    beside = f'<span class="error"> ± {error:.{places}f}</span>' if error else ""
    return (
        f'<td class="figure" role="gridcell"><span class="number">{signed(value, places)}{beside}</span></td>'
    )

"""One trajectory as HTML: the text of its steps beside the contribution of every source and the truth."""

from collections.abc import Sequence
from typing import Literal, get_args

from spa_lab.types import Credit, FloatArray, Step, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.geometry import Span, bar_span
from spa_lab.view.html.bar_cells import bar, lane, mark, reach, swatch
from spa_lab.view.html.markup import prose, safe
from spa_lab.view.tables.frames import check_match, progress_error
from spa_lab.view.tables.trajectory import pivotal_step
from spa_lab.view.text import (
    NO_ACTION,
    UNGROUNDED,
    decimal_places,
    facts,
    shortened,
    signed,
    sum_caption,
    truth_label,
)

Scale = Literal["common", "own"]
"""Whether all columns of bars share one scale, or each fills its own."""


def head_html(trajectory: Trajectory) -> str:
    """The instruction, one line of facts, and the initial observation."""
    more = f"{safe(trajectory.env)} · {safe(trajectory.split)} · {safe(trajectory.policy)}"
    first = prose(trajectory.initial_observation)
    return (
        f'<h3 dir="auto">{safe(shortened(trajectory.instruction, 300))}</h3>'
        f'<p class="facts">{safe(facts(trajectory))} · {more} · ended: {safe(trajectory.ended)}</p>'
        f'<details data-keep="first"><summary>initial observation</summary>{first}</details>'
    )


def steps_html(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    scale: Scale = "common",
) -> str:
    """A row per step: index, text, a bar for every credit, and the measured progress.

    A truth is drawn in a column of its own, with its number, and as a diamond below every bar.

    Args:
        trajectory: T steps.
        credits: any number, all of this trajectory.
        truth: a measurement of this trajectory.
        scale: "common" compares the sources, "own" fits every column to its source.

    Raises:
        ValueError: a credit or truth that does not fit the trajectory, or an unknown scale.
    """
    truths = [truth] if truth else []
    check_match([trajectory], credits, truths)
    if scale not in get_args(Scale):
        raise ValueError(f"scale must be one of {get_args(Scale)}, got {scale!r}")
    shared = bar_span(credits, truths)
    spans = [shared if scale == "common" else bar_span([credit]) for credit in credits]
    truth_span = shared if scale == "common" else bar_span([], truths)
    pivotal = pivotal_step(credits, truth)
    rows = []
    for index, step in enumerate(trajectory.steps):
        lanes = [
            _credit_lane(credit, index, span, truth) for credit, span in zip(credits, spans, strict=True)
        ]
        if truth:
            lanes.append(_truth_lane(truth, index, truth_span))
        rows.append(_row(index, step, lanes, pivotal=index == pivotal))
    heads = _lane_heads(credits, spans, truth, truth_span)
    return (
        '<table class="steps" role="grid" aria-label="steps of the trajectory"><thead><tr role="row">'
        '<th scope="col" role="columnheader">step</th>'
        '<th scope="col" role="columnheader">thought, action and reply</th>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _lane_heads(
    credits: Sequence[Credit], spans: Sequence[Span], truth: ValueTruth | None, truth_span: Span
) -> str:
    heads = [
        _lane_head(credit.source, sum_caption(credit), span, style.look(credit.source).colour)
        for credit, span in zip(credits, spans, strict=True)
    ]
    if truth:
        caption = f"V(h₀) = {truth.offset:.2f}" + (" (± 1 s.e.)" if truth.branches else "")
        heads.append(_lane_head(f"Δ, {truth_label(truth)}", caption, truth_span))
    return "".join(heads)


def _row(index: int, step: Step, lanes: Sequence[str], *, pivotal: bool) -> str:
    mark = ' <span class="badge">pivotal</span>' if pivotal else ""
    return (
        f'<tr data-step="{index}" role="row" tabindex="-1" aria-selected="false">'
        f'<th scope="row" role="rowheader">{index}{mark}</th>'
        f'<td class="words" role="gridcell">{step_html(step)}</td>{"".join(lanes)}</tr>'
    )


def step_html(step: Step) -> str:
    """Thought, action and reply of a step, and whether the world could execute it."""
    mark = "" if step.grounded else f' <span class="refused">✗ {UNGROUNDED}</span>'
    action = step.action or step.text
    shown = f'<code dir="auto">{prose(action)}</code>' if action.strip() else f"<i>{NO_ACTION}</i>"
    kind = "action" if step.action else "no action"
    thought = (
        f'<p class="thought">{_label("thought")}<span>{prose(step.thought)}</span></p>'
        if step.thought
        else ""
    )
    return (
        f'{thought if step.thought else ""}<p class="action">{_label(kind)}<span>{shown}{mark}</span></p>'
        f'<p class="reply">{_label("reply")}<span>{prose(step.observation)}</span></p>'
    )


def _label(word: str) -> str:
    return f'<span class="label">{word}</span> '


def _lane_head(name: str, caption: str, span: Span, colour: str | None = None) -> str:
    """Name, sum and scale of a column; `colour` is the source's in the charts."""
    low, high = (signed(end, decimal_places(span)) for end in span)
    square = f"{swatch(colour)} " if colour else ""
    return (
        f'<th scope="col" role="columnheader" class="lane">{square}<b dir="auto">'
        f"{safe(shortened(name, 60))}</b><br>{safe(caption)}"
        f'<div class="ends"><span>{low}</span><span>{high}</span></div></th>'
    )


def _credit_lane(credit: Credit, step: int, span: Span, truth: ValueTruth | None) -> str:
    value = float(credit.contributions[step])
    error = None if credit.standard_error is None else float(credit.standard_error[step])
    parts = [bar(value, span)]
    if error:
        parts.append(reach("sure", value - error, value + error, span))
    if truth:
        parts.append(_diamond(truth, step, span))
    text = _number(value, error, credit.contributions)
    look = "measured" if truth else ""
    return lane(parts, text, span, look=look, colour=style.look(credit.source).colour)


def _truth_lane(truth: ValueTruth, step: int, span: Span) -> str:
    errors = progress_error(truth)
    text = _number(float(truth.progress[step]), float(errors[step]), truth.progress)
    return lane([_diamond(truth, step, span)], text, span, look="measured")


def _diamond(truth: ValueTruth, step: int, span: Span) -> str:
    value, error = float(truth.progress[step]), float(progress_error(truth)[step])
    whisker = reach("whisker", value - error, value + error, span) if error else ""
    return whisker + mark("diamond", value, span)


def _number(value: float, error: float | None, column: FloatArray) -> str:
    places = decimal_places(column)
    return signed(value, places) + (f" ± {error:.{places}f}" if error else "")

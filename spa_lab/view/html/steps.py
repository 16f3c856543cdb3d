"""One trajectory as HTML: its steps, what every source says of each, and how that adds up to the outcome."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from spa_lab.types import Credit, FloatArray, Step, Trajectory, ValueTruth
from spa_lab.view.geometry import Span, bar_span, path_span
from spa_lab.view.html import svg
from spa_lab.view.html.bar_cells import bar, lane, mark, reach
from spa_lab.view.html.markup import prose, safe
from spa_lab.view.tables.frames import check_match, progress_error
from spa_lab.view.tables.trajectory import pivotal_step, running_sum
from spa_lab.view.text import (
    NO_ACTION,
    UNGROUNDED,
    decimal_places,
    facts,
    one_line,
    shortened,
    signed,
    sum_caption,
    truth_label,
)

Scale = Literal["common", "own"]
"""Whether all columns of bars share one scale, or each fills its own."""
WIDTH, LEFT = 1000, 64
"""Pixels of a chart: its width, and what its labels take on the left."""


def head_html(trajectory: Trajectory) -> str:
    """The task sentence, one line of facts, and what the agent read first."""
    more = f"{safe(trajectory.env)} · {safe(trajectory.split)} · {safe(trajectory.policy)}"
    first = prose(trajectory.initial_observation)
    return (
        f'<h3 dir="auto">{safe(shortened(trajectory.instruction, 300))}</h3>'
        f'<p class="facts">{safe(facts(trajectory))} · {more} · ended: {safe(trajectory.ended)}</p>'
        f"<details><summary>what the agent read first</summary>{first}</details>"
    )


def steps_html(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    scale: Scale = "common",
) -> str:
    """A row per step: number, words, a bar for every credit, and the measured progress.

    A truth is drawn twice: in a column of its own, with its number, and as a diamond over every bar.

    Args:
        trajectory: T steps.
        credits: any number, all of this trajectory.
        truth: a measurement of this trajectory.
        scale: "common" compares the sources, "own" shows the shape of a source of small numbers.

    Raises:
        ValueError: a credit or truth that does not fit the trajectory, or an unknown scale.
    """
    truths = [truth] if truth else []
    check_match([trajectory], credits, truths)
    if scale not in get_args(Scale):
        raise ValueError(f"scale must be one of {get_args(Scale)}, got {scale!r}")
    shared = bar_span(credits, truths)
    spans = [shared if scale == "common" else bar_span([credit]) for credit in credits]
    own = shared if scale == "common" else bar_span([], truths)
    pivotal = pivotal_step(credits, truth)
    heads = [
        _lane_head(credit.source, sum_caption(credit), at) for credit, at in zip(credits, spans, strict=True)
    ]
    if truth:
        heads.append(_lane_head(f"Δ, {truth_label(truth)}", f"V(h₀) = {truth.offset:.2f}, ± 1 s.e.", own))
    rows = []
    for number, step in enumerate(trajectory.steps):
        lanes = [_credit_lane(one, number, at, truth) for one, at in zip(credits, spans, strict=True)]
        if truth:
            lanes.append(_truth_lane(truth, number, own))
        mark = ' <span class="badge">pivotal</span>' if number == pivotal else ""
        rows.append(
            f'<tr data-step="{number}" role="row" tabindex="-1" aria-selected="false">'
            f'<th scope="row" role="rowheader">{number}{mark}</th>'
            f'<td class="words" role="gridcell">{step_html(step)}</td>{"".join(lanes)}</tr>'
        )
    return (
        '<table class="steps" role="grid" aria-label="steps of the trajectory"><thead><tr role="row">'
        '<th scope="col" role="columnheader">step</th>'
        '<th scope="col" role="columnheader">what was thought, done and answered</th>'
        f"{''.join(heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
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


def sums_html(trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None = None) -> str:
    """What has added up before and after every step, beside the measured values and the outcome R.

    Raises:
        ValueError: a credit or truth that does not fit the trajectory.
    """
    truths = [truth] if truth else []
    check_match([trajectory], credits, truths)
    n_steps = len(trajectory)
    names = [f"base + Σĉ, {shortened(credit.source, 26)}" for credit in credits]
    tall = 190
    rows = 1 + sum(44 + 7.2 * len(name) for name in names) // (WIDTH - LEFT)
    plot = svg.Plot(LEFT, 26, WIDTH - LEFT - 12, tall, (0.0, float(n_steps)), path_span(credits, truths))
    edges = np.arange(n_steps + 1)
    parts = [step_areas(plot, trajectory), plot.y_axis("outcome units")]
    parts.append(plot.x_axis(step_labels(n_steps), "step; a point stands at the edge between two steps"))
    at = plot.y(trajectory.outcome)
    parts.append(svg.rule(LEFT, at, WIDTH - 12, at, "outcome"))
    parts += [plot.line(edges, running_sum(one), i, kind="c", tip=names[i]) for i, one in enumerate(credits)]
    if truth:
        for edge, (value, error) in enumerate(zip(truth.values, truth.standard_error, strict=True)):
            parts.append(plot.error(edge, value - error, value + error) + plot.diamond(edge, value))
    foot = 26 + tall + 58
    parts.append(_fixed_legend(LEFT, foot, trajectory, truth))
    parts.append(svg.legend(LEFT, foot + 20, names, width=WIDTH - LEFT, kind="c"))
    title = "How the contributions add up, against the measured value and the outcome"
    picture = svg.canvas(WIDTH, foot + 16 + 20 * rows if names else foot + 10, "".join(parts), title)
    return f"<figure><figcaption><b>Adding up</b> to the outcome</figcaption>{picture}</figure>"


def step_areas(plot: svg.Plot, trajectory: Trajectory) -> str:
    """An area for each step, from x = t to t + 1: marked when chosen, clicked to be chosen."""
    parts = []
    for number, step in enumerate(trajectory.steps):
        left, right = plot.x(number), plot.x(number + 1)
        tip = safe(f"step {number}: {shortened(one_line(step.action[:400]), 80) or NO_ACTION}")
        box = f'x="{left:.2f}" y="{plot.top:.2f}" width="{right - left:.2f}" height="{plot.height:.2f}"'
        parts.append(f'<rect class="hit" data-step="{number}" {box}><title>{tip}</title></rect>')
    return "".join(parts)


def step_labels(n_steps: int) -> list[tuple[float, str]]:
    """Numbers of the steps, each in the middle of its area."""
    return [(place + 0.5, text) for place, text in svg.thinned([str(step) for step in range(n_steps)], 40)]


def _label(word: str) -> str:
    return f'<span class="label">{word}</span> '


def _lane_head(name: str, caption: str, span: Span) -> str:
    low, high = (signed(end, decimal_places(span)) for end in span)
    return (
        f'<th scope="col" role="columnheader" class="lane"><b dir="auto">{safe(shortened(name, 60))}</b><br>'
        f'{safe(caption)}<div class="ends"><span>{low}</span><span>{high}</span></div></th>'
    )


def _credit_lane(credit: Credit, number: int, span: Span, truth: ValueTruth | None) -> str:
    value = float(credit.contributions[number])
    error = None if credit.standard_error is None else float(credit.standard_error[number])
    parts = [bar(value, span)]
    if error:
        parts.append(reach("sure", value - error, value + error, span))
    if truth:
        parts.append(_diamond(truth, number, span))
    text = _number(value, error, credit.contributions)
    return lane(parts, text, span, look="measured" if truth else "")


def _truth_lane(truth: ValueTruth, number: int, span: Span) -> str:
    errors = progress_error(truth)
    text = _number(float(truth.progress[number]), float(errors[number]), truth.progress)
    return lane([_diamond(truth, number, span)], text, span, look="measured")


def _diamond(truth: ValueTruth, number: int, span: Span) -> str:
    value, error = float(truth.progress[number]), float(progress_error(truth)[number])
    whisker = reach("whisker", value - error, value + error, span) if error else ""
    return whisker + mark("diamond", value, span)


def _number(value: float, error: float | None, column: FloatArray) -> str:
    places = decimal_places(column)
    return signed(value, places) + (f" ± {error:.{places}f}" if error else "")


def _fixed_legend(left: float, top: float, trajectory: Trajectory, truth: ValueTruth | None) -> str:
    parts = [svg.rule(left, top, left + 26, top, "outcome")]
    parts.append(svg.label(left + 32, top + 4, f"outcome R = {trajectory.outcome:.2f}"))
    if truth:
        x = left + 190
        parts.append(f'<path class="truth" d="M{x + 13} {top - 5}l5 5l-5 5l-5 -5z"/>')
        parts.append(svg.label(x + 32, top + 4, f"measured value V, {truth_label(truth)}, ± 1 s.e."))
    return "".join(parts)

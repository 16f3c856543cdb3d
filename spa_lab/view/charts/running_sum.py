"""Running sums of credit over an episode, with the measured values: low enough to stand above its steps.

A click or a drag on it selects a step. Two episodes of one task can be drawn over each other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.charts.chart import (
    Chart,
    Trace,
    axis,
    error_bars,
    layout,
    line,
    marker,
    selected_step,
    step_ticks,
    steps_meta,
)
from spa_lab.view.style import Look
from spa_lab.view.tables.trajectory import running_sum, running_sum_table
from spa_lab.view.text import inert, outcome_text, shortened, step_text, truth_label

HEIGHT = 172
"""Pixels, legend and axis title included."""
NAME = 28
"""Characters of a source's name in the legend."""
MOST_MARKED = 80
"""Steps up to which every one has a marker."""
Panel = tuple[str, str]
"""Names of the x and y axis that a trace is drawn on."""
FIRST: Panel = ("x", "y")


def running_sum_chart(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    beside: Sequence[str] = (),
) -> Chart:
    """Base value plus running sums of every source, and measured values V(h_t) as white diamonds.

    Args:
        trajectory: T steps.
        credits: any number, all of this trajectory.
        truth: a measurement of this trajectory.
        beside: sources of the other episodes of a run, in its order; each looks the same in all.

    Raises:
        ValueError: a credit or truth that does not fit the trajectory.
    """
    sums = running_sum_table(trajectory, credits, truth)
    looks = style.looks_beside([*beside, *(credit.source for credit in credits)])
    traces = [step_labels(trajectory, first=1)]
    traces += [sum_trace(credit, sums, FIRST, looks[credit.source]) for credit in credits]
    if truth is not None:
        traces.append(value_trace(sums, FIRST))
    traces += outcome_traces(trajectory, FIRST)
    measured = f", with values measured by {truth_label(truth)}" if truth is not None else ""
    description = (
        f"Running sums of {len(credits)} credit sources over {len(trajectory)} steps{measured}; "
        f"outcome {outcome_text(trajectory.outcome)}"
    )
    return Chart(traces, sum_layout(trajectory, len(trajectory)), description)


def beside_chart(left: tuple[Trajectory, Credit | None], right: tuple[Trajectory, Credit | None]) -> Chart:
    """Running sums of one credit for two episodes: the first solid and blue, the second dashed and orange.

    Args:
        left: an episode and a credit of it, None if it has none.
        right: the same of the other episode.
    """
    looks = (Look(style.BLUE, "o", "-"), Look(style.ORANGE, "s", "--"))
    traces: list[Trace] = [step_labels(left[0], first=1)]
    for (trajectory, credit), look, side in zip((left, right), looks, ("left", "right"), strict=True):
        name = f"{side}: R = {outcome_text(trajectory.outcome)}"
        if credit is not None:
            values = running_sum(credit)
            label = f"{name}, {source_name(credit.source)}"
            traces.append(_line(np.arange(len(values)), values, look, label, FIRST))
        traces += [
            trace | {"line": line(look, width=1), "name": name, "showlegend": credit is None}
            for trace in outcome_traces(trajectory, FIRST)
        ]
    n_steps = max(len(left[0]), len(right[0]))
    return Chart(traces, sum_layout(left[0], n_steps), "Running sums of two episodes of the same task")


def sum_trace(credit: Credit, sums: pd.DataFrame, panel: Panel, look: Look) -> Trace:
    """The running sum of one source."""
    name = source_name(credit.source)
    trace = _line(
        sums["steps_taken"].to_numpy(),
        sums[f"sum[{credit.source}]"].to_numpy(),
        look,
        name,
        panel,
    )
    return trace | {"legendgroup": name}


def value_trace(sums: pd.DataFrame, panel: Panel) -> Trace:
    """Measured values with their standard errors."""
    errors = sums["value_error"].to_numpy()
    return truth_marks(panel, len(sums)) | {
        "x": sums["steps_taken"].to_numpy(),
        "y": sums["value"].to_numpy(),
        "error_y": error_bars(errors),
        "customdata": errors,
        "hovertemplate": "%{y:.3f} ± %{customdata:.3f}",
        "name": "measured V and Δ",
    }


def truth_marks(panel: Panel, n_marks: int) -> Trace:
    """How measured values and progress are marked; many get smaller marks, which leave the lines in sight."""
    return {
        "type": "scatter",
        "mode": "markers",
        "legendgroup": "truth",
        "cliponaxis": False,
        "marker": {
            "symbol": style.TRUTH.symbol,
            "size": 7 if n_marks <= MOST_MARKED else 4,
            "color": style.WHITE,
            "line": {"color": style.TRUTH.colour, "width": 1.5 if n_marks <= MOST_MARKED else 1},
        },
        "xaxis": panel[0],
        "yaxis": panel[1],
    }


def outcome_traces(trajectory: Trajectory, panel: Panel) -> list[Trace]:
    """A dashed line at R; none where the outcome is unknown."""
    outcome = trajectory.outcome
    if outcome is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [0, len(trajectory)],
            "y": [outcome, outcome],
            "line": {"color": style.INK, "width": 1.3, "dash": "dash"},
            "name": f"R = {outcome:.2f}",
            "hoverinfo": "skip",
            "xaxis": panel[0],
            "yaxis": panel[1],
        }
    ]


def sum_axis(n_steps: int, **more: Any) -> dict[str, Any]:
    """The axis of steps taken, 0 to T; its hover label names the step that was taken last."""
    return axis(
        "steps taken",
        grid=False,
        range=[0, n_steps],
        unifiedhovertitle={"text": "after %{x} steps"},
        **step_ticks(n_steps),
        **more,
    )


def sum_layout(trajectory: Trajectory, n_steps: int) -> dict[str, Any]:
    """One low panel over the steps taken, on which a drag selects a step."""
    return layout(
        HEIGHT,
        subject=inert(trajectory.id),
        margin={"l": 54, "r": 12, "t": 24, "b": 36},
        dragmode=False,
        xaxis=sum_axis(n_steps, anchor="y"),
        yaxis=axis("running sum", nticks=5, ticks="outside", ticklen=4, tickcolor=style.WHITE),
        shapes=[selected_step("x", "y", 0.0)],
        meta=steps_meta(len(trajectory), {"x": 0.0}) | {"scrub": True},
    )


def source_name(source: str) -> str:
    """A source's name in a legend, escaped."""
    return inert(shortened(source, NAME))


def _line(x: Any, y: Any, look: Look, name: str, panel: Panel) -> Trace:
    """A line; `name` is escaped."""
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(x) <= MOST_MARKED else "lines",
        "x": x,
        "y": y,
        "name": name,
        "line": line(look),
        "marker": marker(look, size=5),
        "cliponaxis": False,  # whole markers at both ends of the axis
        "hovertemplate": "%{y:.3f}",
        "xaxis": panel[0],
        "yaxis": panel[1],
    }


def step_labels(trajectory: Trajectory, *, first: int = 0) -> Trace:
    """No marks, only the action of every step in a hover label of the first panel, from x = `first` on."""
    n_steps = len(trajectory)
    return {
        "type": "scatter",
        "x": np.arange(first, first + n_steps),
        "y": np.zeros(n_steps),
        "mode": "markers",
        "marker": {"opacity": 0, "size": 1},
        "showlegend": False,
        "name": "action",
        # agents' text stands in `customdata`, never in a template, where %{x} would be filled in
        "customdata": [inert(step_text(step)) for step in trajectory.steps],
        "hovertemplate": "%{customdata}<extra></extra>",
        "xaxis": "x",
        "yaxis": "y",
    }

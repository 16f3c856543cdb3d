"""Credit of one episode over its steps, beside the truth: contributions above, running sums below."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.charts.chart import (
    Chart,
    Trace,
    axis,
    domains,
    error_bars,
    layout,
    selected_step,
    step_ticks,
    steps_meta,
)
from spa_lab.view.charts.running_sum import (
    outcome_traces,
    source_name,
    step_labels,
    sum_axis,
    sum_trace,
    truth_marks,
    value_trace,
)
from spa_lab.view.tables.trajectory import contribution_table, running_sum_table
from spa_lab.view.text import inert, outcome_text, truth_label

HEIGHT = 310
"""Pixels, legend and axis titles included."""
PANELS = (5.0, 6.0)
"""Relative heights of contributions and running sums."""
GAP = 1.5
"""Between them, in the same unit."""
SUMS = ("x2", "y2")
"""Axes of the running sums."""
PATTERNS = dict(zip(style.DASHES, ("", "/", "x", ".", "\\", "-"), strict=True))
"""Dash of a source -> pattern of its bars."""


def credit_chart(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    beside: Sequence[str] = (),
) -> Chart:
    """Contributions c_t of every source with the measured progress, above base value plus their running sums.

    The truth is drawn as white diamonds with error bars of one standard error: Delta_t among the
    contributions, V(h_t) among the sums. A click on a source in the legend hides it in both panels.

    Args:
        trajectory: T steps.
        credits: any number, all of this trajectory.
        truth: a measurement of this trajectory.
        beside: sources of the other episodes of a run, in its order; each looks the same in all.

    Raises:
        ValueError: a credit or truth that does not fit the trajectory.
    """
    steps = contribution_table(trajectory, credits, truth)
    sums = running_sum_table(trajectory, credits, truth)
    traces = [step_labels(trajectory)]
    looks = style.looks_beside([*beside, *(credit.source for credit in credits)])
    for credit in credits:
        look = looks[credit.source]
        traces += [_bars(credit, steps, look), sum_trace(credit, sums, SUMS, look)]
    if truth is not None:
        traces += [_progress(steps), value_trace(sums, SUMS)]
    traces += outcome_traces(trajectory, SUMS)
    return Chart(traces, _layout(trajectory), _description(trajectory, credits, truth))


def _bars(credit: Credit, steps: pd.DataFrame, look: style.Look) -> Trace:
    source = credit.source
    trace: Trace = {
        "type": "bar",
        "x": steps["step"].to_numpy(),
        "y": steps[f"contribution[{source}]"].to_numpy(),
        "name": source_name(source),
        "legendgroup": source_name(source),
        "showlegend": False,
        "marker": {
            "color": look.colour,
            "line": {"width": 0},
            "pattern": {
                "shape": PATTERNS[look.dash],
                "fgcolor": style.WHITE,
                "fillmode": "overlay",
                "size": 5,
                "solidity": 0.3,
            },
        },
        "hovertemplate": "%{y:+.3f}",
        "xaxis": "x",
        "yaxis": "y",
    }
    if credit.standard_error is not None:
        errors = steps[f"standard_error[{source}]"].to_numpy()
        trace["error_y"] = error_bars(errors, colour=style.BAND, thick=True)
        trace |= {"customdata": errors, "hovertemplate": "%{y:+.3f} ± %{customdata:.3f}"}
    return trace


def _progress(steps: pd.DataFrame) -> Trace:
    errors = steps["progress_error"].to_numpy()
    return truth_marks(("x", "y"), len(steps)) | {
        "x": steps["step"].to_numpy(),
        "y": steps["progress"].to_numpy(),
        "error_y": error_bars(errors),
        "customdata": errors,
        "hovertemplate": "%{y:+.3f} ± %{customdata:.3f}",
        "name": "measured Δ",
        "showlegend": False,
    }


def _layout(trajectory: Trajectory) -> dict[str, Any]:
    n_steps = len(trajectory)
    upper, lower = domains(PANELS, GAP)
    common: dict[str, Any] = {"grid": False} | step_ticks(n_steps)
    # unseen ticks keep the numbers clear of the markers on the axis
    numbers: dict[str, Any] = {"ticks": "outside", "ticklen": 4, "tickcolor": style.WHITE}
    return layout(
        HEIGHT,
        subject=inert(trajectory.id),
        barmode="group",
        bargap=0.25,
        xaxis=axis(
            "", range=[-0.5, n_steps - 0.5], anchor="y", unifiedhovertitle={"text": "step %{x}"}, **common
        ),
        yaxis=axis("contribution", domain=upper, nticks=5, **numbers),
        xaxis2=sum_axis(n_steps, anchor="y2"),
        yaxis2=axis("running sum", domain=lower, nticks=6, anchor="x2", **numbers),
        shapes=[selected_step("x", "y", -0.5), selected_step("x2", "y2", 0.0)],
        meta=steps_meta(n_steps, {"x": -0.5, "x2": 0.0}),
    )


def _description(trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None) -> str:
    measured = f", with values measured by {truth_label(truth)}" if truth is not None else ""
    return (
        f"Contributions and running sums of {len(credits)} credit sources over {len(trajectory)} "
        f"steps{measured}; outcome {outcome_text(trajectory.outcome)}"
    )

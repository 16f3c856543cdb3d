"""Tables of one trajectory: contributions and running sums of every source, beside the measured values."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth, check_credit_of
from spa_lab.view.tables.frames import progress_error, steps_frame
from spa_lab.view.text import one_line


def contribution_table(
    trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None = None
) -> pd.DataFrame:
    """One row per step.

    Columns:
        step, action, grounded, contribution[SOURCE], progress, progress_error: as in `frames.steps_frame`;
            the action on one line.
        standard_error[SOURCE]: float64, outcome units, only of sources that give one.
        sum[SOURCE]: float64, outcome units, base value plus contributions after the step.
        value, value_error: float64, outcome units, measured after the step; only with a truth.

    Args:
        trajectory: T steps.
        credits: all of this trajectory.
        truth: a measurement of this trajectory.

    Raises:
        ValueError: as `frames.steps_frame`.
    """
    frame = steps_frame([trajectory], credits, [truth] if truth else [])
    frame = frame.drop(columns=["trajectory_id", "task_id", "text", "thought", "observation"])
    frame["action"] = [one_line(action) for action in frame["action"]]
    for credit in credits:
        if credit.standard_error is not None:
            frame[f"standard_error[{credit.source}]"] = credit.standard_error
        frame[f"sum[{credit.source}]"] = credit.cumulative
    if truth:
        frame["value"], frame["value_error"] = truth.values[1:], truth.standard_error[1:]
    return frame


def running_sum_table(
    trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None = None
) -> pd.DataFrame:
    """One row per boundary between steps, T + 1 of them.

    Columns:
        steps_taken: int64, 0 to T.
        sum[SOURCE]: float64, outcome units, base value plus contributions of the steps taken.
        value, value_error: float64, outcome units, measured there; only with a truth.
        outcome: float64, R, the same in all rows; NaN if unknown.

    Args:
        trajectory: T steps.
        credits: all of this trajectory.
        truth: a measurement of this trajectory.
    """
    frame = pd.DataFrame({"steps_taken": np.arange(len(trajectory) + 1)})
    for credit in credits:
        frame[f"sum[{credit.source}]"] = running_sum(credit)
    if truth:
        frame["value"], frame["value_error"] = truth.values, truth.standard_error
    return frame.assign(outcome=math.nan if trajectory.outcome is None else trajectory.outcome)


def running_sum(credit: Credit) -> FloatArray:
    """(T + 1,) float64, outcome units: base value plus the contributions of the steps taken so far."""
    return np.concatenate([[credit.base_value], credit.cumulative])


def waterfall_table(trajectory: Trajectory, credit: Credit) -> pd.DataFrame:
    """One row per bar of a waterfall from the base value to the outcome R.

    Columns:
        kind: str, "base", "step" (T rows), "unexplained" (only where prediction and outcome
            differ), "outcome".
        step: Int64, 0 to T - 1; <NA> of the other bars.
        start, change: float64, outcome units; a bar reaches from `start` to `start + change`.

    The changes of base, steps and unexplained add up to R. Where the outcome is unknown the waterfall ends
    with the last step.

    Args:
        trajectory: T steps.
        credit: of this trajectory.

    Raises:
        ValueError: the credit is of another trajectory.
    """
    check_credit_of(trajectory, credit)
    sums = running_sum(credit)
    rows: list[tuple[str, int | None, float, float]] = [("base", None, 0.0, credit.base_value)]
    rows += [("step", t, sums[t], credit.contributions[t]) for t in range(len(credit))]
    if trajectory.outcome is not None:
        gap = trajectory.outcome - float(sums[-1])
        if abs(gap) > 1e-9:
            rows.append(("unexplained", None, float(sums[-1]), gap))
        rows.append(("outcome", None, 0.0, trajectory.outcome))
    frame = pd.DataFrame(rows, columns=["kind", "step", "start", "change"])
    return frame.astype({"kind": "str", "step": "Int64", "start": "float64", "change": "float64"})


MEASURED = "measured Δ"
"""Name of the measured progress where it stands among sources of credit."""


def as_credit(truth: ValueTruth) -> Credit:
    """The measured progress in the form of a credit whose base value is V(h_0), with its standard errors."""
    return Credit(truth.trajectory_id, MEASURED, truth.progress, truth.offset, progress_error(truth))


def disagreement(credit: Credit, truth: ValueTruth) -> float:
    """Mean over the steps of |contribution - progress|, outcome units, >= 0."""
    return float(np.abs(credit.contributions - truth.progress).mean())


def pivotal_step(trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None) -> int | None:
    """Step of most progress in a success, of least in a failure; of most |progress| if success is unknown.

    As in the metric `pivot_hit` of `credit.fidelity`. Without a truth, contributions of the first credit take
    the place of progress. The first of equal ones. None if there is neither a truth nor a credit, or if no
    step stands out.
    """
    if truth is None and not credits:
        return None
    progress = truth.progress if truth is not None else credits[0].contributions
    if trajectory.success is None:
        scores = np.abs(progress)
    else:
        scores = progress if trajectory.success else -progress
    return None if len(scores) > 1 and np.ptp(scores) == 0 else int(np.argmax(scores))

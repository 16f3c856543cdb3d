"""The numbers behind the pictures of one trajectory, as tables that can be printed beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.geometry import path
from spa_lab.view.tables.frames import steps_frame
from spa_lab.view.text import one_line


def contribution_numbers(
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


def sum_numbers(
    trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None = None
) -> pd.DataFrame:
    """One row per edge between steps, T + 1 of them.

    Columns:
        steps_taken: int64, 0 to T.
        sum[SOURCE]: float64, outcome units, base value plus contributions of the steps taken.
        value, value_error: float64, outcome units, measured there; only with a truth.
        outcome: float64, R, the same in all rows.

    Args:
        trajectory: T steps.
        credits: all of this trajectory.
        truth: a measurement of this trajectory.
    """
    frame = pd.DataFrame({"steps_taken": np.arange(len(trajectory) + 1)})
    for credit in credits:
        frame[f"sum[{credit.source}]"] = path(credit)
    if truth:
        frame["value"], frame["value_error"] = truth.values, truth.standard_error
    return frame.assign(outcome=trajectory.outcome)

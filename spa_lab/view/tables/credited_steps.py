"""Every step of many episodes with the credit of every source: what pictures of many episodes are made of."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.types import Credit, Step, Trajectory, ValueTruth
from spa_lab.view.tables.frames import progress_error
from spa_lab.view.text import UNKNOWN, verdict

COLUMNS = (
    "trajectory_id", "task_id", "verdict", "outcome", "source", "step", "n_steps", "kind", "contribution",
    "predicted", "progress", "progress_error", "again",
)  # fmt: skip
REFUSED, NO_ACTION = "refused", "no action"
"""Kinds of steps that no verb names."""


def credited_steps(
    trajectories: Sequence[Trajectory],
    credits: Iterable[Credit],
    truths: Mapping[str, ValueTruth] | None = None,
    again: Mapping[str, ValueTruth] | None = None,
) -> pd.DataFrame:
    """One row per source, episode and step.

    Columns:
        trajectory_id, task_id, source: str.
        verdict: "success", "failure" or "unknown".
        outcome: float64, R; NaN if unknown.
        step, n_steps: int64, from 0; T.
        kind: str, see `kind_of_step`.
        contribution: float64, outcome units.
        predicted: float64, outcome units: base value plus all contributions of the episode.
        progress, progress_error: float64, outcome units, measured, with its standard error; NaN if not
            measured.
        again: float64, outcome units, measured a second time; NaN if not.

    Args:
        trajectories: the episodes.
        credits: of these, any number of sources; in the order of the rows.
        truths: trajectory id -> measured values.
        again: trajectory id -> values of a second, independent measurement.

    Raises:
        ValueError: a credit or a truth is of none of the episodes or has another length.
    """
    by_id = {trajectory.id: trajectory for trajectory in trajectories}
    parts: list[dict[str, Any]] = []
    for credit in credits:
        trajectory = by_id.get(credit.trajectory_id)
        n_known = None if trajectory is None else len(trajectory)
        if trajectory is None or n_known != len(credit):
            raise ValueError(
                f"credit of {credit.trajectory_id!r} by {credit.source!r} has {len(credit)} steps, the "
                f"trajectory has {'none' if n_known is None else n_known}"
            )
        parts.append(_rows(trajectory, credit, truths or {}, again or {}))
    frames = [pd.DataFrame(part) for part in parts]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _rows(
    trajectory: Trajectory,
    credit: Credit,
    truths: Mapping[str, ValueTruth],
    again: Mapping[str, ValueTruth],
) -> dict[str, Any]:
    truth, second = truths.get(trajectory.id), again.get(trajectory.id)
    unmeasured = np.full(len(trajectory), np.nan)
    for known in (truth, second):
        if known is not None and len(known.progress) != len(trajectory):
            raise ValueError(
                f"truth of {trajectory.id!r} has {len(known.progress)} steps, the trajectory "
                f"{len(trajectory)}"
            )
    return {
        "trajectory_id": trajectory.id, "task_id": trajectory.task_id, "verdict": verdict(trajectory.success),
        "outcome": np.nan if trajectory.outcome is None else trajectory.outcome, "source": credit.source,
        "step": np.arange(len(trajectory)), "n_steps": len(trajectory),
        "kind": [kind_of_step(step) for step in trajectory.steps], "contribution": credit.contributions,
        "predicted": credit.predicted_outcome,
        "progress": unmeasured if truth is None else truth.progress,
        "progress_error": unmeasured if truth is None else progress_error(truth),
        "again": unmeasured if second is None else second.progress,
    }  # fmt: skip


def kind_of_step(step: Step) -> str:
    """The verb of the action, its first word in lower case; "refused" if the world could not execute it."""
    if step.grounded is False:
        return REFUSED
    word = re.match(r"\W*(\w+)", step.action)
    return word[1].lower()[:20] if word else NO_ACTION


def verdicts_of(steps: pd.DataFrame) -> list[str]:
    """The verdicts that occur, in the order success, failure, unknown."""
    present = set(steps["verdict"])
    return [name for name in ("success", "failure", UNKNOWN) if name in present]

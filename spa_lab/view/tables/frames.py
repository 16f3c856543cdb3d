"""Trajectories, credits and truths as tables that join on `trajectory_id` and `step` (from 0).

Missing estimates are NaN or <NA>, never zero. Columns with text of agents and worlds have dtype object,
because such text may hold what a string column cannot.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spa_lab.matching import check_match
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth


def steps_frame(
    trajectories: Sequence[Trajectory], credits: Sequence[Credit] = (), truths: Sequence[ValueTruth] = ()
) -> pd.DataFrame:
    """One row per step, with the contributions of every source beside the truth.

    Columns:
        trajectory_id, task_id: str.
        step: int64, 0 to T - 1.
        text: verbatim output of the model.
        thought, action: read from `text`; empty if it has none.
        observation: the world's reply to the action.
        grounded: boolean, the world could execute the action; <NA> if unknown.
        contribution[SOURCE]: float64, outcome units, one column per source in order of appearance; NaN in
            trajectories without a credit by that source.
        progress, progress_error: float64, outcome units, only if truths are given; see `truths_frame`.

    Args:
        trajectories: N trajectories, in the order of the rows.
        credits: of these trajectories, any number of sources.
        truths: of these trajectories, at most one each.

    Raises:
        ValueError: a credit or truth belongs to none of the trajectories, has another length than its
            trajectory, or is given twice; or credits are given and two trajectories share an id.
    """
    check_match(trajectories, credits, truths)
    rows = [(trajectory, t, step) for trajectory in trajectories for t, step in enumerate(trajectory.steps)]
    frame = pd.DataFrame(
        {
            "trajectory_id": pd.Series([trajectory.id for trajectory, _, _ in rows], dtype="str"),
            "task_id": pd.Series([trajectory.task_id for trajectory, _, _ in rows], dtype="str"),
            "step": pd.Series([t for _, t, _ in rows], dtype="int64"),
            "text": pd.Series([step.text for _, _, step in rows], dtype="object"),
            "thought": pd.Series([step.thought for _, _, step in rows], dtype="object"),
            "action": pd.Series([step.action for _, _, step in rows], dtype="object"),
            "observation": pd.Series([step.observation for _, _, step in rows], dtype="object"),
            "grounded": pd.Series([step.grounded for _, _, step in rows], dtype="boolean"),
        }
    )
    for source in dict.fromkeys(credit.source for credit in credits):
        given = {credit.trajectory_id: credit.contributions for credit in credits if credit.source == source}
        frame[f"contribution[{source}]"] = _per_step(trajectories, given)
    if truths:
        frame["progress"] = _per_step(trajectories, {truth.trajectory_id: truth.progress for truth in truths})
        errors = {truth.trajectory_id: progress_error(truth) for truth in truths}
        frame["progress_error"] = _per_step(trajectories, errors)
    return frame


def credits_frame(trajectories: Sequence[Trajectory], credits: Sequence[Credit]) -> pd.DataFrame:
    """One row per credit and step, the long form for grouping by source.

    Columns:
        trajectory_id, source: str.
        step: int64, 0 to T - 1.
        contribution: float64, outcome units, c_t.
        standard_error: float64, outcome units; NaN where the source gives none.
        cumulative: float64, outcome units, base value plus the contributions of steps 0..t.

    Args:
        trajectories: the trajectories that the credits are of.
        credits: in the order of the rows.

    Raises:
        ValueError: as `steps_frame`.
    """
    check_match(trajectories, credits)
    empty: FloatArray = np.empty(0)
    errors = [
        np.full(len(credit), np.nan) if credit.standard_error is None else credit.standard_error
        for credit in credits
    ]
    rows = [(credit, step) for credit in credits for step in range(len(credit))]
    return pd.DataFrame(
        {
            "trajectory_id": pd.Series([owner.trajectory_id for owner, _ in rows], dtype="str"),
            "source": pd.Series([credit.source for credit, _ in rows], dtype="str"),
            "step": pd.Series([step for _, step in rows], dtype="int64"),
            "contribution": np.concatenate([empty, *(credit.contributions for credit in credits)]),
            "standard_error": np.concatenate([empty, *errors]),
            "cumulative": np.concatenate([empty, *(credit.cumulative for credit in credits)]),
        }
    )


def truths_frame(trajectories: Sequence[Trajectory], truths: Sequence[ValueTruth]) -> pd.DataFrame:
    """One row per truth and step.

    Columns:
        trajectory_id: str.
        step: int64, 0 to T - 1.
        value, value_error: float64, outcome units, V(h_t) before the step and its standard error.
        progress: float64, outcome units, Delta_t = V(h_{t+1}) - V(h_t).
        progress_error: float64, outcome units, standard error of `progress`; see `progress_error`.

    Args:
        trajectories: the trajectories that the truths are of.
        truths: at most one per trajectory, in the order of the rows.

    Raises:
        ValueError: as `steps_frame`.
    """
    check_match(trajectories, (), truths)
    empty: FloatArray = np.empty(0)
    rows = [(truth, step) for truth in truths for step in range(len(truth.progress))]
    return pd.DataFrame(
        {
            "trajectory_id": pd.Series([owner.trajectory_id for owner, _ in rows], dtype="str"),
            "step": pd.Series([step for _, step in rows], dtype="int64"),
            "value": np.concatenate([empty, *(truth.values[:-1] for truth in truths)]),
            "value_error": np.concatenate([empty, *(truth.standard_error[:-1] for truth in truths)]),
            "progress": np.concatenate([empty, *(truth.progress for truth in truths)]),
            "progress_error": np.concatenate([empty, *(progress_error(truth) for truth in truths)]),
        }
    )


def trajectories_frame(
    trajectories: Sequence[Trajectory], *, expert_length: Mapping[str, int] | None
) -> pd.DataFrame:
    """One row per trajectory.

    Columns:
        trajectory_id, task_id, env, split, policy: str, as in the trajectory.
        seed: int64.
        n_steps: int64, T.
        outcome: float64, R in [0, 1]; NaN if unknown.
        success: boolean, strict success; <NA> if unknown.
        ended: str, "done", "step_limit" or "error".
        grounding: float64 in [0, 1], share of the steps that the world could execute, among those of which
            it is known; NaN if of none.
        n_grounding_known: int64, number of those.
        expert_length: Int64, steps of the expert's solution of the task; <NA> if unknown.

    Args:
        trajectories: N trajectories, in the order of the rows.
        expert_length: task id -> steps of the expert's solution, or None if none is known.
    """
    known = expert_length or {}
    grounding = [known_share([step.grounded for step in each.steps]) for each in trajectories]
    return pd.DataFrame(
        {
            "trajectory_id": pd.Series([trajectory.id for trajectory in trajectories], dtype="str"),
            "task_id": pd.Series([trajectory.task_id for trajectory in trajectories], dtype="str"),
            "env": pd.Series([trajectory.env for trajectory in trajectories], dtype="str"),
            "split": pd.Series([trajectory.split for trajectory in trajectories], dtype="str"),
            "policy": pd.Series([trajectory.policy for trajectory in trajectories], dtype="str"),
            "seed": pd.Series([trajectory.seed for trajectory in trajectories], dtype="int64"),
            "n_steps": pd.Series([len(trajectory) for trajectory in trajectories], dtype="int64"),
            "outcome": pd.Series([trajectory.outcome for trajectory in trajectories], dtype="float64"),
            "success": pd.Series([trajectory.success for trajectory in trajectories], dtype="boolean"),
            "ended": pd.Series([trajectory.ended for trajectory in trajectories], dtype="str"),
            "grounding": pd.Series([share for share, _ in grounding], dtype="float64"),
            "n_grounding_known": pd.Series([n for _, n in grounding], dtype="int64"),
            "expert_length": pd.Series(
                [known.get(trajectory.task_id) for trajectory in trajectories], dtype="Int64"
            ),
        }
    )


def known_share(values: Sequence[bool | None]) -> tuple[float, int]:
    """Share of the true ones among the values that are known, and how many are; NaN if none is."""
    known = [value for value in values if value is not None]
    return (sum(known) / len(known) if known else math.nan), len(known)


def progress_error(truth: ValueTruth) -> FloatArray:
    """(T,) float64, outcome units: standard error of each Delta_t.

    sqrt(se_t^2 + se_{t+1}^2), as of independent estimates. Continuations that share their random numbers are
    positively correlated, and the true error is then smaller.
    """
    return np.hypot(truth.standard_error[:-1], truth.standard_error[1:])


def _per_step(trajectories: Sequence[Trajectory], by_id: Mapping[str, FloatArray]) -> FloatArray:
    """(rows,) float64: the arrays of all trajectories in a row, NaN for a trajectory without one."""
    parts = [by_id.get(each.id, np.full(len(each), np.nan)) for each in trajectories]
    return np.concatenate([np.empty(0), *parts])

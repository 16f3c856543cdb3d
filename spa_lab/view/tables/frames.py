"""Door 2: trajectories, credits and truths as tables, for looking.

Four tables that join on `trajectory_id` and `step` (counted from 0). What nobody estimated is missing (NaN,
<NA>), never zero. Columns of text from agents and worlds are plain objects, because such text may hold what
a string column cannot.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth


def steps_frame(
    trajectories: Sequence[Trajectory], credits: Sequence[Credit] = (), truths: Sequence[ValueTruth] = ()
) -> pd.DataFrame:
    """One row per step, with what every source says of it beside the truth.

    Columns:
        trajectory_id, task_id: str.
        step: int64, 0 to T - 1.
        text: verbatim output of the model.
        thought, action: read from `text`; empty if it has none.
        observation: the world's reply to the action.
        grounded: bool, the world could execute the action.
        contribution[SOURCE]: float64, outcome units, one column per source in order of appearance; NaN in
            trajectories of which the source gave no credit.
        progress, progress_error: float64, outcome units, only if truths are given; see `truths_frame`.

    Args:
        trajectories: N trajectories, in the order of the rows.
        credits: opinions of these trajectories, any number of sources.
        truths: measurements of these trajectories, at most one each.

    Raises:
        ValueError: a credit or truth belongs to none of the trajectories, has another length than its
            trajectory, or is there twice; or credits are given and two trajectories have one id.
    """
    check_match(trajectories, credits, truths)
    rows = [(one, number, step) for one in trajectories for number, step in enumerate(one.steps)]
    frame = pd.DataFrame(
        {
            "trajectory_id": pd.Series([one.id for one, _, _ in rows], dtype="str"),
            "task_id": pd.Series([one.task_id for one, _, _ in rows], dtype="str"),
            "step": pd.Series([number for _, number, _ in rows], dtype="int64"),
            "text": pd.Series([step.text for _, _, step in rows], dtype="object"),
            "thought": pd.Series([step.thought for _, _, step in rows], dtype="object"),
            "action": pd.Series([step.action for _, _, step in rows], dtype="object"),
            "observation": pd.Series([step.observation for _, _, step in rows], dtype="object"),
            "grounded": pd.Series([step.grounded for _, _, step in rows], dtype="bool"),
        }
    )
    for source in dict.fromkeys(credit.source for credit in credits):
        given = {one.trajectory_id: one.contributions for one in credits if one.source == source}
        frame[f"contribution[{source}]"] = _beside(trajectories, given)
    if truths:
        frame["progress"] = _beside(trajectories, {one.trajectory_id: one.progress for one in truths})
        errors = {one.trajectory_id: progress_error(one) for one in truths}
        frame["progress_error"] = _beside(trajectories, errors)
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
    return _credits_table(credits)


def credit_frame(credit: Credit) -> pd.DataFrame:
    """`credits_frame` of one credit alone."""
    return _credits_table([credit])


def _credits_table(credits: Sequence[Credit]) -> pd.DataFrame:
    nothing: FloatArray = np.empty(0)
    errors = [
        np.full(len(one), np.nan) if one.standard_error is None else one.standard_error for one in credits
    ]
    rows = [(one, number) for one in credits for number in range(len(one))]
    return pd.DataFrame(
        {
            "trajectory_id": pd.Series([one.trajectory_id for one, _ in rows], dtype="str"),
            "source": pd.Series([one.source for one, _ in rows], dtype="str"),
            "step": pd.Series([number for _, number in rows], dtype="int64"),
            "contribution": np.concatenate([nothing, *(one.contributions for one in credits)]),
            "standard_error": np.concatenate([nothing, *errors]),
            "cumulative": np.concatenate([nothing, *(one.cumulative for one in credits)]),
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
    return _truths_table(truths)


def truth_frame(truth: ValueTruth) -> pd.DataFrame:
    """`truths_frame` of one truth alone."""
    return _truths_table([truth])


def _truths_table(truths: Sequence[ValueTruth]) -> pd.DataFrame:
    nothing: FloatArray = np.empty(0)
    rows = [(one, number) for one in truths for number in range(len(one.progress))]
    return pd.DataFrame(
        {
            "trajectory_id": pd.Series([one.trajectory_id for one, _ in rows], dtype="str"),
            "step": pd.Series([number for _, number in rows], dtype="int64"),
            "value": np.concatenate([nothing, *(one.values[:-1] for one in truths)]),
            "value_error": np.concatenate([nothing, *(one.standard_error[:-1] for one in truths)]),
            "progress": np.concatenate([nothing, *(one.progress for one in truths)]),
            "progress_error": np.concatenate([nothing, *(progress_error(one) for one in truths)]),
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
        outcome: float64, R in [0, 1].
        success: bool, strict success.
        ended: str, "done", "step_limit" or "error".
        grounding: float64 in [0, 1], share of the steps that the world could execute.
        expert_length: Int64, steps of the expert's solution of the task; <NA> where not known.

    Args:
        trajectories: N trajectories, in the order of the rows.
        expert_length: task id -> steps of the expert's solution, or None if no task's is known.
    """
    known = expert_length or {}
    return pd.DataFrame(
        {
            "trajectory_id": pd.Series([one.id for one in trajectories], dtype="str"),
            "task_id": pd.Series([one.task_id for one in trajectories], dtype="str"),
            "env": pd.Series([one.env for one in trajectories], dtype="str"),
            "split": pd.Series([one.split for one in trajectories], dtype="str"),
            "policy": pd.Series([one.policy for one in trajectories], dtype="str"),
            "seed": pd.Series([one.seed for one in trajectories], dtype="int64"),
            "n_steps": pd.Series([len(one) for one in trajectories], dtype="int64"),
            "outcome": pd.Series([one.outcome for one in trajectories], dtype="float64"),
            "success": pd.Series([one.success for one in trajectories], dtype="bool"),
            "ended": pd.Series([one.ended for one in trajectories], dtype="str"),
            "grounding": pd.Series([one.grounded.mean() for one in trajectories], dtype="float64"),
            "expert_length": pd.Series([known.get(one.task_id) for one in trajectories], dtype="Int64"),
        }
    )


def progress_error(truth: ValueTruth) -> FloatArray:
    """(T,) float64, outcome units: standard error of each Delta_t.

    The two values are taken as independent estimates: sqrt(se_t^2 + se_{t+1}^2). Branches that share their
    random numbers are positively correlated; the error is then smaller than what is said here.
    """
    return np.hypot(truth.standard_error[:-1], truth.standard_error[1:])


def check_match(
    trajectories: Sequence[Trajectory], credits: Sequence[Credit], truths: Sequence[ValueTruth] = ()
) -> None:
    """Refuse credits and truths that do not fit the trajectories.

    Raises:
        ValueError: naming the trajectory's id, and both lengths where they differ; as `steps_frame`.
    """
    lengths: dict[str, int] = {}
    for trajectory in trajectories:
        if trajectory.id in lengths and (credits or truths):
            raise ValueError(f"trajectory {trajectory.id!r} is there twice; whose credit is it?")
        lengths[trajectory.id] = len(trajectory)
    given = [
        (f"credit of {credit.trajectory_id!r} by {credit.source!r}", credit.trajectory_id, len(credit))
        for credit in credits
    ]
    given += [
        (f"truth of {truth.trajectory_id!r}", truth.trajectory_id, len(truth.progress)) for truth in truths
    ]
    seen: set[str] = set()
    for what, owner, length in given:
        if owner not in lengths:
            raise ValueError(f"{what}: that trajectory is not among the {len(lengths)} given")
        if length != lengths[owner]:
            raise ValueError(f"{what} has {length} steps, the trajectory has {lengths[owner]}")
        if what in seen:
            raise ValueError(f"{what} is there twice")
        seen.add(what)


def _beside(trajectories: Sequence[Trajectory], given: Mapping[str, FloatArray]) -> FloatArray:
    """One number per row of the steps: what was given of each trajectory, NaN where nothing was."""
    parts = [given.get(one.id, np.full(len(one), np.nan)) for one in trajectories]
    return np.concatenate([np.empty(0), *parts])

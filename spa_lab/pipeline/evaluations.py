"""The evaluations of a run, for reports and figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spa_lab.envs.base import Task
from spa_lab.store import Run, TaskRecord
from spa_lab.types import Trajectory

if TYPE_CHECKING:
    import pandas as pd

BASE, CLONED = "base", "cloned"
"""Policies that no training method produced."""
TITLES = {BASE: "base", CLONED: "cloned (SFT)"}
"""Titles of the policies that no training method produced."""
BASELINE = "terminal"
"""The method that the others are compared with, besides the cloned policy."""


def policy_titles(run: Run) -> dict[str, str]:
    """Policy -> title for tables and figures: base, cloned, then the training methods of the run."""
    return TITLES | {name: title for name, title in run.methods.items() if name != "sft"}


def comparisons(policies: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs (ours, theirs) to compare: every method with the cloned policy, then with terminal reward.

    Args:
        policies: names of policies, in the order of tables.
    """
    methods = [policy for policy in policies if policy not in TITLES]
    with_cloned = [(method, "cloned") for method in methods]
    return with_cloned + [(method, BASELINE) for method in methods if method != BASELINE]


def evaluations(run: Run) -> dict[str, dict[str, list[Trajectory]]]:
    """Panel -> policy -> trajectories in the panel's order; policies in the order of tables."""
    order = {policy: i for i, policy in enumerate(policy_titles(run))}
    sets = [entry for entry in run.trajectory_sets() if entry.role == "evaluation"]
    played: dict[str, dict[str, list[Trajectory]]] = {}
    for entry in sorted(sets, key=lambda entry: order.get(entry.policy or "", len(order))):
        played.setdefault(str(entry.panel), {})[str(entry.policy)] = entry.load()
    return played


def panel_by_length(played: Mapping[str, object]) -> str | None:
    """The panel for success by length: the one made for it, else the first; None without a panel."""
    return "unseen_by_length" if "unseen_by_length" in played else next(iter(played), None)


def main_panel(played: Mapping[str, object]) -> str | None:
    """The panel on which policies are compared: "unseen", or the first that was played."""
    return "unseen" if "unseen" in played else next(iter(played), None)


def panel_frame(
    played: Mapping[str, Sequence[Trajectory]], expert_length: Mapping[str, int] | None = None
) -> "pd.DataFrame":
    """`frames.trajectories_frame` of one panel, with the run's names of its policies."""
    import pandas as pd

    from spa_lab.view.tables.frames import trajectories_frame

    frames = [
        trajectories_frame(trajectories, expert_length=expert_length).assign(policy=policy)
        for policy, trajectories in played.items()
    ]
    return pd.concat(frames, ignore_index=True)


def expert_lengths(run: Run) -> dict[str, int]:
    """Task id -> steps of the expert, for the tasks whose length the run knows."""
    return {task.id: task.expert_length for task in run.tasks().values() if task.expert_length is not None}


def task_records(tasks: Sequence[Task]) -> list[TaskRecord]:
    """The records that a run keeps of the tasks played in it."""
    return [
        TaskRecord(task.id, task.kind, task.split, task.instruction, task.expert_length or None)
        for task in tasks
    ]

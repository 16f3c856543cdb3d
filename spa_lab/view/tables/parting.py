"""Two episodes of one task, step by step: where they part."""

import pandas as pd

from spa_lab.types import Step, Trajectory


def first_difference(left: Trajectory, right: Trajectory) -> int | None:
    """The first step at which the actions differ, white space aside, or at which only one goes on.

    None if both take the same actions to the end. A step without an action counts with its text.
    """
    shorter = min(len(left), len(right))
    for step in range(shorter):
        if _words(left.steps[step]) != _words(right.steps[step]):
            return step
    return None if len(left) == len(right) else shorter


def comparison_table(left: Trajectory, right: Trajectory) -> pd.DataFrame:
    """One row per step of the longer episode.

    Columns:
        step: int64, from 0.
        left, right: object, the action of each episode; None after its end.
        same_action: bool, both have the step and take the same action.
        same_reply: bool, both have the step and the world replied the same.
        parted: bool, at or after `first_difference`.
    """
    part = first_difference(left, right)
    n_steps = max(len(left), len(right))
    here, there = ([*each.steps, *[None] * (n_steps - len(each))] for each in (left, right))
    both = list(zip(here, there, strict=True))
    return pd.DataFrame(
        {
            "step": pd.Series(range(n_steps), dtype="int64"),
            "left": pd.Series([step and step.action for step in here], dtype="object"),
            "right": pd.Series([step and step.action for step in there], dtype="object"),
            "same_action": [bool(a and b and _words(a) == _words(b)) for a, b in both],
            "same_reply": [bool(a and b and a.observation == b.observation) for a, b in both],
            "parted": [part is not None and step >= part for step in range(n_steps)],
        }
    )


def _words(step: Step) -> list[str]:
    return (step.action or step.text).split()

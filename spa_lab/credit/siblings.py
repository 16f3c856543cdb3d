"""What became of sibling rollouts: other rollouts of the same task that reached the same point.

A task that is played many times says more about a history than a model of it does: where others stood at the
same point, their outcomes are samples of its value. Points are compared by keys from coarse (the task) to
fine (the text of the last step). What an agent believes is part of its state, so the finer keys hold its own
text: after a misread task the world is as before, and the outcome is not.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from spa_lab.credit.methods.gigpo import Anchor, text_before
from spa_lab.types import FloatArray, Trajectory

PRIOR_STRENGTH = 1.0
"""Siblings that the coarser estimate counts for in each finer one."""
_SMALLEST = 0.01
"""Rates are kept this far from 0 and 1 before their log odds are taken."""


def last_step(trajectory: Trajectory, step: int) -> Hashable:
    """The text that the agent wrote last."""
    return trajectory.steps[step - 1].text if step else None


def last_thought_and_reply(trajectory: Trajectory, step: int) -> Hashable:
    """What the agent thought last, and what the world replied to its action."""
    return (trajectory.steps[step - 1].thought, trajectory.steps[step - 1].observation) if step else None


KEYS: tuple[Anchor, ...] = (text_before, last_step, last_thought_and_reply)
"""(trajectory, t) -> the point before step t, within its task."""
N_STATISTICS = 1 + 2 * len(KEYS)
"""Numbers for each history."""


def sibling_statistics(
    trajectories: Sequence[Trajectory], pool: Sequence[Trajectory] = ()
) -> list[FloatArray]:
    """Outcomes of siblings at each history h_t, t = 0 ... T - 1.

    For the task, and for each of `KEYS` at t, with n siblings there and their outcomes R_j:

    p = (sum of R_j + PRIOR_STRENGTH * p_0) / (n + PRIOR_STRENGTH)

    with p_0 the p of the task, and for the task the mean outcome of all trajectories. A trajectory is no
    sibling of itself, so its own outcome is not in its statistics beyond that mean.

    Args:
        trajectories: N trajectories.
        pool: further rollouts of their tasks by the same policy; those of `trajectories` are found by id.

    Returns:
        For each trajectory (T, `N_STATISTICS`): log odds of p for the task; then for each key the log odds
        of p and log(1 + n).
    """
    ids = {trajectory.id for trajectory in trajectories}
    known = [*trajectories, *(trajectory for trajectory in pool if trajectory.id not in ids)]
    mean = float(np.mean([trajectory.outcome for trajectory in known]))
    by_task: dict[Hashable, list[Trajectory]] = defaultdict(list)
    for trajectory in known:
        by_task[trajectory.env, trajectory.task_id].append(trajectory)
    visitors = {task: [_visitors(group, key) for key in KEYS] for task, group in by_task.items()}
    return [
        _statistics(trajectory, by_task[task], visitors[task], mean)
        for trajectory in trajectories
        for task in [(trajectory.env, trajectory.task_id)]
    ]


def _visitors(group: Sequence[Trajectory], key: Anchor) -> dict[Hashable, dict[str, float]]:
    """Point -> id and outcome of each trajectory of the task that visited it."""
    visitors: dict[Hashable, dict[str, float]] = defaultdict(dict)
    for trajectory in group:
        for step in range(len(trajectory)):
            visitors[key(trajectory, step)][trajectory.id] = trajectory.outcome
    return visitors


def _statistics(
    trajectory: Trajectory,
    group: Sequence[Trajectory],
    visitors: Sequence[Mapping[Hashable, Mapping[str, float]]],
    mean: float,
) -> FloatArray:
    """(T, `N_STATISTICS`) of one trajectory."""
    siblings = [other.outcome for other in group if other.id != trajectory.id]
    task = _posterior(math.fsum(siblings), len(siblings), mean)
    table = np.empty((len(trajectory), N_STATISTICS))
    table[:, 0] = _log_odds(task)
    for column, (key, by_point) in enumerate(zip(KEYS, visitors, strict=True)):
        for step in range(len(trajectory)):
            there = by_point[key(trajectory, step)]
            n = len(there) - 1  # the trajectory itself is there
            p = _posterior(math.fsum(there.values()) - trajectory.outcome, n, task)
            table[step, 1 + 2 * column : 3 + 2 * column] = _log_odds(p), math.log1p(n)
    return table


def _posterior(total: float, n: int, prior: float) -> float:
    return (total + PRIOR_STRENGTH * prior) / (n + PRIOR_STRENGTH)


def _log_odds(p: float) -> float:
    p = min(max(p, _SMALLEST), 1 - _SMALLEST)
    return math.log(p / (1 - p))

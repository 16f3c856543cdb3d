"""Group-relative credit: steps taken in the same state by different rollouts of one task.

GiGPO, arXiv:2505.10978; normalisation, weights and the zero of groups of one as in public code that cites the
authors' (ROLL, roll/pipeline/agentic/utils.py).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.types import Credit, FloatArray, Trajectory

Anchor = Callable[[Trajectory, int], Hashable]
"""What makes two moments "the same state"."""
Place = tuple[int, int]
"""Number of a trajectory and of its step."""

_EPSILON = 1e-6


def text_before(trajectory: Trajectory, step: int) -> str:
    """What the agent read last before the step: the published anchor. Not always the world's whole state."""
    return trajectory.steps[step - 1].observation if step else trajectory.initial_observation


def anchor_states(
    pool: Sequence[Trajectory],
    *,
    gamma: float = 0.95,
    step_weight: float = 1.0,
    episode_weight: float = 1.0,
    anchor: Anchor = text_before,
) -> CreditMethod:
    """A_t = episode_weight * norm(R) + step_weight * norm(gamma^(T-1-t) R within the anchor group).

    norm(x) = (x - mean) / (std + 1e-6) over the rollouts of the task, and over all visits of the same anchor
    in them; 0 for a group of one or one without spread. An advantage: it does not sum to R.

    Args:
        pool: rollouts to compare with; those asked about are added if they are not among them.
        gamma: discount per step, in (0, 1]. The outcome is the only reward.
        step_weight: of the anchor groups. Public code: 1.
        episode_weight: of the outcome within the task. Public code: 1; 0 leaves the step part alone.
        anchor: see `Anchor`.
    """
    if not 0 < gamma <= 1:
        raise ValueError(f"gigpo: gamma must lie in (0, 1], got {gamma}")

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        asked = {one.id for one in trajectories}
        everyone = [*trajectories, *(one for one in pool if one.id not in asked)]
        episode = _normalised(
            {(i, 0): one.outcome for i, one in enumerate(everyone)},
            (((one.env, one.task_id), (i, 0)) for i, one in enumerate(everyone)),
        )
        step = _normalised(_returns(everyone, gamma), _visits(everyone, anchor))
        return [
            Credit(one.id, "gigpo", episode_weight * episode[i, 0] + step_weight * _of(step, i, len(one)))
            for i, one in enumerate(trajectories)
        ]

    return CreditMethod("gigpo", "GiGPO, arXiv:2505.10978", give, Cost(rollouts=len(pool)))


def _returns(trajectories: Sequence[Trajectory], gamma: float) -> dict[Place, float]:
    return {
        (i, t): gamma ** (len(one) - 1 - t) * one.outcome
        for i, one in enumerate(trajectories)
        for t in range(len(one))
    }


def _visits(trajectories: Sequence[Trajectory], anchor: Anchor) -> Iterable[tuple[Hashable, Place]]:
    for i, one in enumerate(trajectories):
        for t in range(len(one)):
            yield (one.env, one.task_id, anchor(one, t)), (i, t)


def _normalised(values: dict[Place, float], members: Iterable[tuple[Hashable, Place]]) -> dict[Place, float]:
    """Each value relative to its group's; sample standard deviation, as in the public code."""
    groups: dict[Hashable, list[Place]] = defaultdict(list)
    for group, place in members:
        groups[group].append(place)
    result = dict.fromkeys(values, 0.0)
    for places in groups.values():
        own = np.array([values[place] for place in places])
        spread = own.std(ddof=1) if len(own) > 1 else 0.0
        if spread > _EPSILON:
            scaled = (own - own.mean()) / (spread + _EPSILON)
            result.update(zip(places, scaled.tolist(), strict=True))
    return result


def _of(step: dict[Place, float], number: int, n_steps: int) -> FloatArray:
    return np.array([step[number, t] for t in range(n_steps)])

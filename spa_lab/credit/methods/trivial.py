"""Methods that read no text: what every other one has to beat.

Their contributions and base value sum to the outcome R where not said otherwise.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from spa_lab import rewards
from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.types import Credit, FloatArray, Trajectory

TERMINAL = CreditMethod(
    "terminal", "R on the last step", lambda many: [rewards.terminal(one) for one in many]
)
"""What PPO with a terminal reward sees."""

MEAN = CreditMethod("mean", "R / T on every step", lambda many: [rewards.mean(one) for one in many])
"""SPA-RL's arm "Mean"."""

GROUNDING = CreditMethod(
    "grounding",
    "g_t of SPA-RL alone",
    lambda many: [Credit(one.id, "grounding", one.grounded.astype(np.float64)) for one in many],
)
"""1 where the world could execute the action: how far one gets by counting refusals. Does not sum to R."""


def random_split(*, rng: np.random.Generator) -> CreditMethod:
    """R split at random; SPA-RL's arm "Random", see `rewards.random`."""
    return CreditMethod(
        "random", "flat Dirichlet split of R", lambda many: [rewards.random(one, rng=rng) for one in many]
    )


def leave_one_out(pool: Sequence[Trajectory]) -> CreditMethod:
    """R less the mean R of the other rollouts of the task; what the released code pays, see `rewards`.

    An advantage, the same on every step: it does not sum to R and knows no step.

    Args:
        pool: rollouts to compare with; those asked about are added if they are not among them.
    """

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        asked = {one.id for one in trajectories}
        others = [one for one in pool if one.id not in asked]
        return rewards.leave_one_out([*trajectories, *others])[: len(trajectories)]

    origin = "released SPA-RL code, prm/rl_data_org.py:36-43,73"
    return CreditMethod("leave_one_out", origin, give, Cost(rollouts=len(pool)))


def clock(fitted: Sequence[Trajectory]) -> CreditMethod:
    """What can be said from the number of steps alone, without reading a word.

    V(t) = mean outcome of the fitted trajectories with more than t steps,
    c_t = V(t + 1) - V(t), and R - V(T - 1) on the last step; base value V(0)

    Failures run into the step limit, so V falls with t. A method that scores no better than this one has
    learnt a clock.

    Args:
        fitted: the trajectories that the other methods learn from.

    Raises:
        ValueError: there are none.
    """
    if not fitted:
        raise ValueError("a clock needs at least 1 trajectory to learn from, got 0")
    survivors: dict[int, list[float]] = defaultdict(list)
    for one in fitted:
        for t in range(len(one)):
            survivors[t].append(one.outcome)
    known = np.array([np.mean(survivors[t]) for t in range(len(survivors))])

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        return [_by_clock(one, known) for one in trajectories]

    return CreditMethod("step_index", "mean outcome by steps played", give, Cost(rollouts=len(fitted)))


def _by_clock(trajectory: Trajectory, known: FloatArray) -> Credit:
    """Longer than any fitted trajectory: what was known of the longest."""
    places = np.minimum(np.arange(len(trajectory)), len(known) - 1)
    values = np.append(known[places], trajectory.outcome)
    return Credit(trajectory.id, "step_index", np.diff(values), base_value=float(values[0]))

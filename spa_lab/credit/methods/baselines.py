"""Methods that read no text: the baselines that every other method has to beat.

Their contributions and base value sum to the outcome R unless stated otherwise.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from spa_lab import rewards
from spa_lab.credit.methods.base import Cost, CreditMethod, credit_method
from spa_lab.types import Credit, FloatArray, Trajectory

TERMINAL = CreditMethod(
    "terminal",
    "R on the last step",
    lambda trajectories: [rewards.terminal(trajectory) for trajectory in trajectories],
)
"""What PPO with a terminal reward receives."""

MEAN = CreditMethod(
    "mean",
    "R / T on every step",
    lambda trajectories: [rewards.mean(trajectory) for trajectory in trajectories],
)
"""SPA-RL's ablation "Mean"."""


@credit_method("grounding", origin="g_t of SPA-RL alone")
def GROUNDING(trajectory: Trajectory) -> FloatArray:  # a CreditMethod, like TERMINAL
    """1 where the world could execute the action: how far one gets by counting refusals. Not a split of R."""
    return trajectory.grounded.astype(np.float64)


def random_split(*, rng: np.random.Generator) -> CreditMethod:
    """R split at random; SPA-RL's ablation "Random", see `rewards.random`."""
    return CreditMethod(
        "random",
        "flat Dirichlet split of R",
        lambda trajectories: [rewards.random(trajectory, rng=rng) for trajectory in trajectories],
    )


def leave_one_out(pool: Sequence[Trajectory]) -> CreditMethod:
    """R minus the mean R of the other rollouts of the task; what the released code uses, see `rewards`.

    An advantage, the same on every step: it does not sum to R and does not distinguish steps.

    Args:
        pool: rollouts to compare with; the trajectories to be credited are added if they are not among them.
    """

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        ids = {trajectory.id for trajectory in trajectories}
        others = [trajectory for trajectory in pool if trajectory.id not in ids]
        return rewards.leave_one_out([*trajectories, *others])[: len(trajectories)]

    origin = "released SPA-RL code, prm/rl_data_org.py:36-43,73"
    return CreditMethod("leave_one_out", origin, assign, Cost(rollouts=len(pool)))


def step_index(fitted: Sequence[Trajectory]) -> CreditMethod:
    """What can be predicted from the number of steps alone, without reading any text.

    V(t) = mean outcome of the fitted trajectories with more than t steps,
    c_t = V(t + 1) - V(t), and R - V(T - 1) on the last step; base value V(0)

    Failures run into the step limit, so V falls with t. A method that scores no better than this one has
    learnt only how late it is in the episode.

    Args:
        fitted: the trajectories that the other methods learn from.

    Raises:
        ValueError: there are none.
    """
    if not fitted:
        raise ValueError("step_index needs at least 1 trajectory to learn from, got 0")
    outcomes: dict[int, list[float]] = defaultdict(list)
    for trajectory in fitted:
        for t in range(len(trajectory)):
            outcomes[t].append(trajectory.known_outcome)
    values = np.array([np.mean(outcomes[t]) for t in range(len(outcomes))])

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        return [_by_step_index(trajectory, values) for trajectory in trajectories]

    return CreditMethod("step_index", "mean outcome by steps played", assign, Cost(rollouts=len(fitted)))


def _by_step_index(trajectory: Trajectory, values: FloatArray) -> Credit:
    """A step later than all fitted ones has the value of the last fitted one."""
    steps = np.minimum(np.arange(len(trajectory)), len(values) - 1)
    path = np.append(values[steps], trajectory.known_outcome)  # (T + 1,)
    return Credit(trajectory.id, "step_index", np.diff(path), base_value=float(path[0]))

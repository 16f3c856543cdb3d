"""Credit from models that read a trajectory: estimators, return predictors, critics.

The models are learnt elsewhere and come as callables, each with the cost of its fitting.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from spa_lab.advantages import gae
from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.rewards import terminal
from spa_lab.types import Credit, FloatArray, Trajectory

Read = Callable[[Sequence[Trajectory]], Sequence[FloatArray]]
"""N trajectories -> a vector for each, outcome units; what its entries are is said by the method."""


class GivesCredit(Protocol):
    """A fitted estimator, such as `learn.estimator.ProgressEstimator`."""

    def credit(self, trajectories: Sequence[Trajectory], *, source: str) -> list[Credit]:
        """One credit for each trajectory, in order."""


def estimator_credit(
    estimator: GivesCredit, *, source: str, origin: str = "SPA-RL, arXiv:2505.20732", fitting: Cost
) -> CreditMethod:
    """c_t as a fitted estimator says it: SPA as in the paper, as released, or a variant of it."""
    return CreditMethod(source, origin, lambda many: estimator.credit(many, source=source), fitting)


def prediction_difference(
    predict: Read, *, fitting: Cost, source: str = "rudder", close: bool = True
) -> CreditMethod:
    """Differences of a causal return predictor.

    c_t = g_t - g_{t-1}, base value g_{-1}                                    RUDDER, arXiv:1806.07857

    where g_t predicts R from everything up to and including the agent's step t.

    Args:
        predict: (T + 1,) predictions g_{-1}, ..., g_{T-1} for each trajectory.
        fitting: what the predictor cost.
        source: name of the credits.
        close: what the last prediction still lacks, R - g_{T-1}, is added to the last step, so that the sum
            is R exactly; without, the credits say what the predictor believes.
    """

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        credits = []
        for one, found in zip(trajectories, predict(trajectories), strict=True):
            path = _checked(found, one, len(one) + 1, source)
            contributions = np.diff(path)
            contributions[-1] += one.outcome - path[-1] if close else 0.0
            credits.append(Credit(one.id, source, contributions, base_value=float(path[0])))
        return credits

    return CreditMethod(source, "RUDDER, arXiv:1806.07857", give, fitting)


def critic_td(values: Read, *, fitting: Cost, source: str = "critic_td") -> CreditMethod:
    """TD errors of a critic without discount: c_t = V(h_{t+1}) - V(h_t) with V(h_T) = R, base value V(h_0).

    Args:
        values: (T,) values V(h_0), ..., V(h_{T-1}) for each trajectory, each read before the step.
        fitting: what the critic cost.
        source: name of the credits.
    """

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        credits = []
        for one, found in zip(trajectories, values(trajectories), strict=True):
            path = np.append(_checked(found, one, len(one), source), one.outcome)
            credits.append(Credit(one.id, source, np.diff(path), base_value=float(path[0])))
        return credits

    return CreditMethod(source, "TD error, gamma = 1", give, fitting)


def critic_gae(
    values: Read, *, fitting: Cost, gamma: float = 1.0, lam: float = 0.95, source: str = "critic_gae"
) -> CreditMethod:
    """Advantages over steps, as turn-level PPO pays them.

    GAE, arXiv:1506.02438: delta_t = r_t + gamma * V(h_{t+1}) - V(h_t), r_t = 0 but r_{T-1} = R, V(h_T) = 0
    A_t = delta_t + gamma * lam * A_{t+1}

    An advantage looks ahead: a step is paid for what later steps achieved, too. No split of R.

    Args:
        values: (T,) as in `critic_td`.
        fitting: what the critic cost.
        gamma: discount per step, in [0, 1].
        lam: trace decay per step, in [0, 1]; 0 with gamma = 1 is `critic_td`.
        source: name of the credits.
    """
    if not (0 <= gamma <= 1 and 0 <= lam <= 1):
        raise ValueError(f"{source}: gamma and lam must lie in [0, 1], got {gamma} and {lam}")

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        credits = []
        for one, found in zip(trajectories, values(trajectories), strict=True):
            path = _checked(found, one, len(one), source)
            rewards = terminal(one).contributions
            credits.append(Credit(one.id, source, gae(rewards, path, gamma=gamma, lam=lam)))
        return credits

    return CreditMethod(source, f"GAE(gamma {gamma:g}, lambda {lam:g}), arXiv:1506.02438", give, fitting)


def _checked(found: FloatArray, trajectory: Trajectory, expected: int, source: str) -> FloatArray:
    if found.shape != (expected,):
        raise ValueError(f"{source}: trajectory {trajectory.id!r} needs {expected} values, got {found.shape}")
    return found

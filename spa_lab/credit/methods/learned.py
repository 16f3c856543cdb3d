"""Credit from models that read a trajectory: estimators, return predictors, critics.

The models are fitted elsewhere (`learn`) and passed in as callables, each with the cost of its fitting.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from spa_lab.advantages import gae
from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.rewards import terminal
from spa_lab.types import Credit, FloatArray, Trajectory

Predict = Callable[[Sequence[Trajectory]], Sequence[FloatArray]]
"""N trajectories -> a vector for each, outcome units; each method says what its entries are."""


class Estimator(Protocol):
    """A fitted estimator, such as `learn.estimator.ProgressEstimator`."""

    def credit(self, trajectories: Sequence[Trajectory], *, source: str) -> list[Credit]:
        """One credit for each trajectory, in order."""


def estimator_credit(
    estimator: Estimator, *, source: str, origin: str = "SPA-RL, arXiv:2505.20732", fitting: Cost
) -> CreditMethod:
    """The contributions that a fitted estimator predicts: SPA as in the paper, as released, or a variant."""
    return CreditMethod(
        source, origin, lambda trajectories: estimator.credit(trajectories, source=source), fitting
    )


def prediction_difference(
    predict: Predict, *, fitting: Cost, source: str = "rudder", close: bool = True
) -> CreditMethod:
    """Differences of a causal return predictor.

    c_t = g_t - g_{t-1}, base value g_{-1}                                    RUDDER, arXiv:1806.07857

    where g_t predicts R from everything up to and including the agent's step t.

    Args:
        predict: (T + 1,) predictions g_{-1}, ..., g_{T-1} for each trajectory.
        fitting: what the predictor cost.
        source: name of the credits.
        close: add the residual of the last prediction, R - g_{T-1}, to the last step, so that the sum is R
            exactly; otherwise the contributions sum to the predicted outcome.
    """

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        credits = []
        for trajectory, predictions in zip(trajectories, predict(trajectories), strict=True):
            _check_length(predictions, trajectory, len(trajectory) + 1, source)
            contributions = np.diff(predictions)
            contributions[-1] += trajectory.known_outcome - predictions[-1] if close else 0.0
            credits.append(Credit(trajectory.id, source, contributions, base_value=float(predictions[0])))
        return credits

    return CreditMethod(source, "RUDDER, arXiv:1806.07857", assign, fitting)


def critic_td(values: Predict, *, fitting: Cost, source: str = "critic_td") -> CreditMethod:
    """TD errors of a critic without discount.

    c_t = V(h_{t+1}) - V(h_t), V(h_T) = R, base value V(h_0)

    Args:
        values: (T,) values V(h_0), ..., V(h_{T-1}) for each trajectory, each read before the step.
        fitting: what the critic cost.
        source: name of the credits.
    """

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        credits = []
        for trajectory, before in zip(trajectories, values(trajectories), strict=True):
            _check_length(before, trajectory, len(trajectory), source)
            path = np.append(before, trajectory.known_outcome)  # (T + 1,)
            credits.append(Credit(trajectory.id, source, np.diff(path), base_value=float(path[0])))
        return credits

    return CreditMethod(source, "TD error, gamma = 1", assign, fitting)


def critic_gae(
    values: Predict, *, fitting: Cost, gamma: float = 1.0, lam: float = 0.95, source: str = "critic_gae"
) -> CreditMethod:
    """Advantages over steps, as in turn-level PPO.

    A_t = delta_t + gamma * lam * A_{t+1}                                       GAE, arXiv:1506.02438
    delta_t = r_t + gamma * V(h_{t+1}) - V(h_t), r_t = 0 but r_{T-1} = R, V(h_T) = 0

    An advantage looks ahead: a step is also credited with what later steps achieved. Not a split of R.

    Args:
        values: (T,) as in `critic_td`.
        fitting: what the critic cost.
        gamma: discount per step, in [0, 1].
        lam: trace decay per step, in [0, 1]; 0 with gamma = 1 is `critic_td`.
        source: name of the credits.
    """
    if not (0 <= gamma <= 1 and 0 <= lam <= 1):
        raise ValueError(f"{source}: gamma and lam must lie in [0, 1], got {gamma} and {lam}")

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        credits = []
        for trajectory, before in zip(trajectories, values(trajectories), strict=True):
            _check_length(before, trajectory, len(trajectory), source)
            step_rewards = terminal(trajectory).contributions
            credits.append(Credit(trajectory.id, source, gae(step_rewards, before, gamma=gamma, lam=lam)))
        return credits

    return CreditMethod(source, f"GAE(gamma {gamma:g}, lambda {lam:g}), arXiv:1506.02438", assign, fitting)


def _check_length(values: FloatArray, trajectory: Trajectory, expected: int, source: str) -> None:
    if values.shape != (expected,):
        raise ValueError(
            f"{source}: trajectory {trajectory.id!r} needs {expected} values, got {values.shape}"
        )

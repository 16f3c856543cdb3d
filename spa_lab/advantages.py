"""Generalised advantage estimation (Schulman et al. 2016) over the tokens that the policy wrote."""

import numpy as np
from numpy.typing import NDArray

from spa_lab.types import FloatArray


def advantages(rewards: FloatArray, values: FloatArray, *, gamma: float, lam: float) -> FloatArray:
    """Advantages of n consecutive actions; the episode ends after the last one.

    delta_i = r_i + gamma * V_{i+1} - V_i,  A_i = delta_i + gamma * lam * A_{i+1},  V_n = A_n = 0

    Args:
        rewards: (n,) outcome units.
        values: (n,) V before each action, outcome units.
        gamma: discount per action, in [0, 1].
        lam: trace decay per action, in [0, 1].

    Returns:
        (n,) float64, outcome units.

    Raises:
        ValueError: shapes differ.
    """
    if rewards.shape != values.shape or rewards.ndim != 1:
        raise ValueError(
            f"rewards and values must be vectors of one length, got {rewards.shape} and {values.shape}"
        )
    result = np.zeros(len(rewards))
    following = next_value = 0.0
    for i in range(len(rewards) - 1, -1, -1):
        delta = rewards[i] + gamma * next_value - values[i]
        following = result[i] = delta + gamma * lam * following
        next_value = values[i]
    return result


def token_rewards(step_rewards: FloatArray, step_of_token: NDArray[np.int64]) -> FloatArray:
    """Each step's reward on the step's last token, 0 on all other tokens.

    Args:
        step_rewards: (T,) outcome units.
        step_of_token: (L,) step index of each token, -1 where the policy did not write it.

    Returns:
        (L,) float64 that sums to the sum of `step_rewards`.

    Raises:
        ValueError: the tokens do not cover steps 0 ... T - 1.
    """
    steps, reversed_first = np.unique(step_of_token[::-1], return_index=True)
    covered = steps[steps >= 0]
    if not np.array_equal(covered, np.arange(len(step_rewards))):
        raise ValueError(f"tokens cover steps {covered.tolist()}, expected 0 ... {len(step_rewards) - 1}")
    result = np.zeros(len(step_of_token))
    result[len(step_of_token) - 1 - reversed_first[steps >= 0]] = step_rewards
    return result

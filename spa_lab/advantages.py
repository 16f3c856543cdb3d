"""Generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438) in plain numpy.

An action is a token that the policy wrote or, in the step-level functions, a whole step. All arrays are
float64 in outcome units; L counts the tokens of an episode, T its steps.
"""

import numpy as np
from numpy.typing import NDArray

from spa_lab.configs.ppo import GAEOver
from spa_lab.types import FloatArray


def gae(rewards: FloatArray, values: FloatArray, *, gamma: float, lam: float) -> FloatArray:
    """Advantages of n consecutive actions; the episode ends after the last one.

    delta_i = r_i + gamma * V_{i+1} - V_i,  A_i = delta_i + gamma * lam * A_{i+1},  V_n = A_n = 0

    Args:
        rewards: (n,) reward of each action.
        values: (n,) V before each action.
        gamma: discount per action, in [0, 1].
        lam: trace decay per action, in [0, 1].

    Returns:
        (n,) advantages.

    Raises:
        ValueError: shapes differ.
    """
    if rewards.shape != values.shape or rewards.ndim != 1:
        raise ValueError(
            f"rewards and values must be vectors of one length, got {rewards.shape} and {values.shape}"
        )
    delta = rewards + gamma * np.append(values[1:], 0.0) - values
    return discounted_sums(delta, gamma * lam)


def discounted_sums(amounts: FloatArray, decay: float) -> FloatArray:
    """(n,) sums s_i = x_i + decay * s_{i+1}: with rewards and decay = gamma, the discounted return-to-go."""
    result, following = np.zeros(len(amounts)), 0.0
    for i in range(len(amounts) - 1, -1, -1):
        following = result[i] = amounts[i] + decay * following
    return result


def token_rewards(step_rewards: FloatArray, step_of_token: NDArray[np.int64]) -> FloatArray:
    """Each step's reward on the step's last token, 0 on all other tokens.

    Args:
        step_rewards: (T,) reward of each step.
        step_of_token: (L,) step index of each token, -1 where the policy did not write it.

    Returns:
        (L,) rewards with the same sum as `step_rewards`.

    Raises:
        ValueError: the tokens do not cover steps 0 ... T - 1.
    """
    steps, reversed_first = np.unique(step_of_token[::-1], return_index=True)
    _check_covered(steps, len(step_rewards))
    result = np.zeros(len(step_of_token))
    result[len(step_of_token) - 1 - reversed_first[steps >= 0]] = step_rewards
    return result


def token_gae(
    rewards: FloatArray,
    values: FloatArray,
    step_of_token: NDArray[np.int64],
    *,
    gamma: float,
    lam: float,
    over: GAEOver = "action_tokens",
) -> FloatArray:
    """Advantages of the tokens that the policy wrote, each token an action.

    Args:
        rewards: (L,) reward of each token, see `token_rewards`.
        values: (L,) V before each token, 0 where the policy did not write.
        step_of_token: (L,) step index of each token, -1 where the policy did not write it.
        gamma: discount per token.
        lam: trace decay per token.
        over: "all_tokens" also decays over observation tokens, with reward and value 0 (released code).

    Returns:
        (L,) advantages, 0 where the policy did not write.
    """
    written = step_of_token >= 0
    used = np.ones_like(written) if over == "all_tokens" else written
    result = np.zeros(len(step_of_token))
    result[used] = gae(rewards[used], values[used], gamma=gamma, lam=lam)
    result[~written] = 0.0
    return result


def step_gae(
    step_rewards: FloatArray,
    values: FloatArray,
    step_of_token: NDArray[np.int64],
    *,
    gamma: float,
    lam: float,
) -> FloatArray:
    """Advantages with each step as one action; every token of a step gets the step's advantage.

    Args:
        step_rewards: (T,) reward of each step.
        values: (L,) V before each token; a step's V is the one before its first token.
        step_of_token: (L,) step index of each token, -1 where the policy did not write it.
        gamma: discount per step.
        lam: trace decay per step.

    Returns:
        (L,) advantages, 0 where the policy did not write.

    Raises:
        ValueError: the tokens do not cover steps 0 ... T - 1.
    """
    step_values = values[first_tokens(step_of_token, len(step_rewards))]  # (T,)
    return on_tokens(gae(step_rewards, step_values, gamma=gamma, lam=lam), step_of_token)


def bilevel_gae(
    step_rewards: FloatArray,
    values: FloatArray,
    step_of_token: NDArray[np.int64],
    *,
    gamma: float,
    lam: float,
    gamma_step: float,
) -> FloatArray:
    """Bi-level GAE of RAGEN (arXiv:2504.20073 and its released code): over steps, then within each step.

    Steps: GAE with `gamma_step`; V of a step is the one before its last token.
    Tokens of step t: GAE with `gamma`; the last token is paid A_t + V_t, and nothing follows it.

    Departs from the released code, which takes the tokens with a reward other than 0 for the ends of steps; a
    step that is paid 0 is no step there.

    Args:
        step_rewards: (T,) reward of each step.
        values: (L,) V before each token.
        step_of_token: (L,) step index of each token, -1 where the policy did not write it.
        gamma: discount per token within a step.
        lam: trace decay, of both levels.
        gamma_step: discount per step.

    Returns:
        (L,) advantages, 0 where the policy did not write.

    Raises:
        ValueError: the tokens do not cover steps 0 ... T - 1.
    """
    n_steps = len(step_rewards)
    backwards = first_tokens(step_of_token[::-1], n_steps)
    at_end = values[len(step_of_token) - 1 - backwards]  # (T,)
    targets = gae(step_rewards, at_end, gamma=gamma_step, lam=lam) + at_end  # (T,)
    result = np.zeros(len(step_of_token))
    for t in range(n_steps):
        tokens = np.flatnonzero(step_of_token == t)
        rewards = np.zeros(len(tokens))
        rewards[-1] = targets[t]
        result[tokens] = gae(rewards, values[tokens], gamma=gamma, lam=lam)
    return result


def first_tokens(step_of_token: NDArray[np.int64], n_steps: int) -> NDArray[np.int64]:
    """(T,) index of the first token of each step.

    Raises:
        ValueError: the tokens do not cover steps 0 ... T - 1.
    """
    steps, first = np.unique(step_of_token, return_index=True)
    _check_covered(steps, n_steps)
    return first[steps >= 0].astype(np.int64)


def on_tokens(per_step: FloatArray, step_of_token: NDArray[np.int64]) -> FloatArray:
    """(L,) the number of each token's step, 0 where the policy did not write; `per_step` is (T,)."""
    return np.where(step_of_token >= 0, per_step[step_of_token], 0.0)  # index -1 is masked


def _check_covered(steps: NDArray[np.int64], n_steps: int) -> None:
    covered = steps[steps >= 0]
    if not np.array_equal(covered, np.arange(n_steps)):
        raise ValueError(f"tokens cover steps {covered.tolist()}, expected 0 ... {n_steps - 1}")

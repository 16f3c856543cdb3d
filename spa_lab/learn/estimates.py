"""Advantage estimates: what the policy gradient multiplies each token's log-probability by.

Three builders: GAE on step rewards with a critic, the return relative to other episodes of the same task,
and a credit method's contribution as the advantage of its own step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spa_lab.advantages import bilevel_gae, first_tokens, on_tokens, step_gae, token_gae, token_rewards
from spa_lab.agent.rollout import Episode
from spa_lab.configs.ppo import GAELevel, GAEOver, PPOConfig
from spa_lab.configs.reward import RewardConfig
from spa_lab.learn.collect import Collected
from spa_lab.learn.step_rewards import checked_rewards, outcome
from spa_lab.rewards import fuse
from spa_lab.types import Credit, FloatArray, check_credit_of


@dataclass(frozen=True, eq=False)
class Estimate:
    """What an update needs of one episode; arrays over its L tokens, 0 where the policy did not write."""

    advantage: FloatArray
    """(L,) before normalisation, outcome units. It is final: nothing sums it over later steps again."""
    returns: FloatArray | None = None
    """(L,) regression target of the critic, outcome units; None: no critic is trained."""
    weight: FloatArray | None = None
    """(L,) weight of each token in the loss, >= 0; None: 1."""
    rewards: FloatArray | None = None
    """(L,) rewards that the advantage was made of, outcome units; for reports."""
    values: FloatArray | None = None
    """(L,) the critic's V that the advantage was made of, outcome units; for reports."""
    credit: Credit | None = None
    """What the source of the rewards gave the episode, before any clipping; for `learn.drift`."""


def gae(
    episode: Episode,
    step_rewards: FloatArray,
    values: FloatArray,
    *,
    gamma: float,
    lam: float,
    over: GAEOver = "action_tokens",
    level: GAELevel = "token",
    gamma_step: float | None = None,
) -> Estimate:
    """GAE on step rewards (arXiv:1506.02438).

    Args:
        episode: T steps, L tokens.
        step_rewards: (T,) outcome units, paid at each step's last token.
        values: (L,) the critic's V before each token that the policy wrote.
        gamma: discount per action.
        lam: trace decay per action.
        over: tokens that the recursion runs over, see `token_gae`; level "token" only.
        level: "token": each written token is an action. "step": each step is one action with the V before its
            first token, and all of its tokens share its advantage and its return.
        gamma_step: discount per step of bi-level GAE, level "token" only; None: one level.

    Raises:
        ValueError: the number of step rewards is not T.
    """
    step = steps_of(episode)
    rewards = token_rewards(step_rewards, step)
    if level == "step":
        advantage = step_gae(step_rewards, values, step, gamma=gamma, lam=lam)
        baseline = on_tokens(values[first_tokens(step, len(step_rewards))], step)
    elif gamma_step is not None:
        advantage = bilevel_gae(step_rewards, values, step, gamma=gamma, lam=lam, gamma_step=gamma_step)
        baseline = values
    else:
        advantage = token_gae(rewards, values, step, gamma=gamma, lam=lam, over=over)
        baseline = values
    # summed in float32, the precision of the critic that is fitted to it
    returns = (advantage.astype(np.float32) + baseline.astype(np.float32)).astype(np.float64)
    return Estimate(advantage, returns, rewards=rewards, values=values)


def group_relative(
    collected: Collected, step_rewards: Sequence[FloatArray], *, kind: Literal["rloo", "grpo"]
) -> list[Estimate]:
    """The return relative to the other episodes of the group, the same on every written token.

    G_i = sum of the step rewards of episode i, without discount
    rloo: A_i = G_i - mean of G_j over the other episodes j of the group     (arXiv:2402.14740)
    grpo: A_i = (G_i - mean of G) / (std of G + 1e-6), std with n - 1, over the group  (arXiv:2402.03300)

    Args:
        collected: N episodes in groups of at least 2.
        step_rewards: (T,) of each episode, outcome units.
        kind: which of the two.

    Raises:
        ValueError: a group has a single episode, the kind is unknown, or rewards do not fit the episodes.
    """
    step_rewards = checked_rewards(step_rewards, collected.episodes)
    returns = np.array([paid.sum() for paid in step_rewards])  # (N,)
    advantages = relative_returns(returns, collected.group, kind=kind)
    estimates = []
    for episode, advantage, paid in zip(collected.episodes, advantages, step_rewards, strict=True):
        step = steps_of(episode)
        estimates.append(Estimate(np.where(step >= 0, advantage, 0.0), rewards=token_rewards(paid, step)))
    return estimates


def relative_returns(
    returns: FloatArray, group: Sequence[int], *, kind: Literal["rloo", "grpo"]
) -> FloatArray:
    """(N,) returns relative to the others of their group, by the formulas of `group_relative`.

    Args:
        returns: (N,) outcome units.
        group: index of each one's group, with at least 2 members.
        kind: which of the two formulas.

    Raises:
        ValueError: a group has a single member, or the kind is unknown.
    """
    if kind not in ("rloo", "grpo"):
        raise ValueError(f"kind must be 'rloo' or 'grpo', got {kind!r}")
    groups, advantages = np.asarray(group), np.zeros(len(returns))
    for index in np.unique(groups):
        members = groups == index
        size = int(members.sum())
        if size < 2:
            raise ValueError(f"group {index} has 1 episode; a group-relative advantage needs 2 or more")
        centred = returns[members] - returns[members].mean()
        # G_i - mean of the others = (G_i - mean of all) * n / (n - 1)
        scale = size / (size - 1) if kind == "rloo" else 1 / (returns[members].std(ddof=1) + 1e-6)
        advantages[members] = centred * scale
    return advantages


def grounded_credit(collected: Collected, credits: Sequence[Credit], reward: RewardConfig) -> list[Estimate]:
    """The advantage of each step from an advantage of outcomes; grounding is paid to its own step alone.

    A_l = w_t * (alpha * c_t + beta * g_t), t the step of l, as `rewards.fuse` pays it without its error

    In a comparison of returns the grounding of all steps would be summed, and standardised where outcomes are
    equal: in a group of failures it would rank steps by how many refused ones follow. A bonus is paid as the
    penalty that differs from it by beta at every step: nothing is subtracted from these advantages, and a
    constant would reinforce whatever was executed, in failures too.

    Args:
        collected: N episodes.
        credits: of each, in order: advantages of its steps, that need not sum to anything.
        reward: weights and form of grounding.

    Raises:
        ValueError: as `rewards.fuse`.
    """
    as_it_is = replace(reward, residual="kept", grounding_form="penalty")
    fused = [
        replace(credit, contributions=fuse(episode.trajectory, credit, as_it_is))
        for episode, credit in zip(collected.episodes, credits, strict=True)
    ]
    paid = outcome(reward)(collected.episodes)
    return [
        replace(estimate, rewards=token_rewards(per_step, steps_of(episode)))
        for estimate, per_step, episode in zip(
            step_credit(collected, fused), paid, collected.episodes, strict=True
        )
    ]


def gae_on_credit(
    collected: Collected, credits: Sequence[Credit], ppo: PPOConfig, reward: RewardConfig, *, lam: float
) -> list[Estimate]:
    """GAE without a critic: contributions that are differences of values are TD errors already.

    A_t = r_t + gamma * lambda * A_{t+1},  r_t = alpha * c_t + beta * g_t

    Args:
        collected: N episodes.
        credits: the credit of each episode, in order; also kept in its estimate.
        ppo: discount, level and tokens of the recursion.
        reward: how contributions and grounding are fused.
        lam: trace decay, in place of `ppo.lam`.
    """
    estimates = []
    for episode, credit in zip(collected.episodes, credits, strict=True):
        paid = fuse(episode.trajectory, credit, reward)
        no_critic = np.zeros(len(episode.row.ids))  # (L,)
        estimate = gae(
            episode, paid, no_critic, gamma=ppo.gamma, lam=lam, over=ppo.gae_over,
            level=ppo.gae_level, gamma_step=ppo.gamma_step,
        )  # fmt: skip
        estimates.append(Estimate(estimate.advantage, rewards=estimate.rewards, credit=credit))
    return estimates


def step_credit(
    collected: Collected,
    credits: Sequence[Credit],
    *,
    weight: float = 1.0,
    add_to: Sequence[Estimate] | None = None,
) -> list[Estimate]:
    """Each step's contribution as the advantage of its own tokens; later contributions are not added.

    A_l = weight * c_{step of token l}, plus the advantage of `add_to`

    Args:
        collected: N episodes.
        credits: the credit of each episode, in order, from any credit method.
        weight: factor on the contributions.
        add_to: estimates to add the contributions to, e.g. of `group_relative` (as GiGPO adds a step-level to
            an episode-level advantage); their other fields are kept.

    Raises:
        ValueError: a credit belongs to another trajectory or has another number of steps.
    """
    estimates = []
    for i, (episode, credit) in enumerate(zip(collected.episodes, credits, strict=True)):
        trajectory, step = episode.trajectory, steps_of(episode)
        check_credit_of(trajectory, credit)
        advantage = weight * on_tokens(credit.contributions, step)
        if add_to is None:
            estimates.append(Estimate(advantage, rewards=token_rewards(credit.contributions, step)))
        else:
            estimates.append(replace(add_to[i], advantage=add_to[i].advantage + advantage))
    return estimates


def steps_of(episode: Episode) -> NDArray[np.int64]:
    """(L,) step index of each token, -1 where the policy did not write it."""
    return np.array(episode.row.step, dtype=np.int64)

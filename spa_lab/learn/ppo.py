"""PPO on step rewards: GAE with a critic, then the clipped update (Schulman et al. 2017, arXiv:1707.06347).

Departs from SPA-RL's released code: observation tokens take no part in GAE (`gae_over="all_tokens"` for
theirs), the value loss is not clipped, the value head is fitted before the first update, and see
`learn.on_policy`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spa_lab.advantages import discounted_sums, on_tokens, token_rewards
from spa_lab.agent.rollout import Episode
from spa_lab.configs.ppo import PPOConfig
from spa_lab.learn.checkpoint import Stateful
from spa_lab.learn.collect import Collected, Filter, keep_all
from spa_lab.learn.critic import Critic
from spa_lab.learn.estimates import Estimate, gae, steps_of
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.policy_gradient import Objective
from spa_lab.learn.recorded import RecordedEpisodes
from spa_lab.learn.step_rewards import FusedReward, StepReward, checked_rewards
from spa_lab.types import Credit, FloatArray


def ppo(
    inputs: TrainingInputs,
    reward: StepReward,
    *,
    objective: Objective | None = None,
    group_size: int = 1,
    keep: Filter = keep_all,
    recorded: RecordedEpisodes | None = None,
    extra: ExtraCost | None = None,
    stateful: Mapping[str, Stateful] | None = None,
) -> OnPolicyLearner:
    """A learner that improves `inputs.policy` by PPO on step rewards.

    Args:
        inputs: of the method; `preset.ppo` gives discounts and rates.
        reward: what each step is paid.
        objective: what the update optimises; None: that of `preset.ppo`.
        group_size: episodes of the same task.
        keep: chooses the episodes that are learnt from.
        recorded: episodes to learn from instead of playing some.
        extra: counts what the reward costs.
        stateful: further objects whose state changes during training, by name.
    """
    critic = Critic(inputs.policy, seed=inputs.stream("critic head").randrange(2**31))
    estimate = GAEOnRewards(reward, critic, inputs.preset.ppo)
    return OnPolicyLearner(
        inputs,
        estimate,
        objective=objective,
        critic=critic,
        group_size=group_size,
        keep=keep,
        explored=reward.explored if isinstance(reward, FusedReward) else None,
        recorded=recorded,
        extra=extra,
        stateful=stateful,
    )


def with_ppo(inputs: TrainingInputs, **changes: Any) -> TrainingInputs:
    """The same inputs with other settings of `preset.ppo`, for methods that fix some of them."""
    preset = replace(inputs.preset, ppo=replace(inputs.preset.ppo, **changes))
    return replace(inputs, preset=preset)


class GAEOnRewards:
    """Episodes -> GAE estimates on their step rewards; the critic is fitted at the first call.

    That fit is to the episodes which the critic then grades, so an episode's own return is part of its
    baseline, and the advantages of the first iteration are too small; the more so, the fewer episodes.

    Args:
        reward: what each step is paid.
        critic: gives the values.
        config: discounts, what they count, and the tokens in a batch.
    """

    def __init__(self, reward: StepReward, critic: Critic, config: PPOConfig) -> None:
        self.reward, self.critic, self.config = reward, critic, config

    def __call__(self, collected: Collected) -> list[Estimate]:
        """One estimate for each episode, in order."""
        episodes = collected.episodes
        step_rewards, credits = self._pay(episodes)
        if not self.critic.is_fitted:
            returns = [
                self._returns(steps_of(episode), paid)
                for episode, paid in zip(episodes, step_rewards, strict=True)
            ]
            self.critic.fit(episodes, returns)
        values = self.critic.values(episodes, budget=self.config.batch_tokens)
        estimates = []
        for episode, paid, value, credit in zip(episodes, step_rewards, values, credits, strict=True):
            estimate = gae(
                episode,
                paid,
                value,
                gamma=self.config.gamma,
                lam=self.config.lam,
                over=self.config.gae_over,
                level=self.config.gae_level,
                gamma_step=self.config.gamma_step,
            )
            estimates.append(replace(estimate, credit=credit))
        return estimates

    def _pay(self, episodes: Sequence[Episode]) -> tuple[list[FloatArray], Sequence[Credit | None]]:
        """(T,) step rewards of each episode, and the credits that they were made of, if any."""
        if not isinstance(self.reward, FusedReward):
            return checked_rewards(self.reward(episodes), episodes), [None] * len(episodes)
        credits = self.reward.credits(episodes)
        return self.reward.pay(episodes, credits), credits

    def _returns(self, step: NDArray[np.int64], step_rewards: FloatArray) -> FloatArray:
        """(L,) discounted sum of the rewards from each written token on."""
        if self.config.gae_level == "step":
            return on_tokens(discounted_sums(step_rewards, self.config.gamma), step)  # (T,) -> (L,)
        if self.config.gamma_step is not None:  # the discount within a step is left out
            return on_tokens(discounted_sums(step_rewards, self.config.gamma_step), step)
        written = step >= 0
        used = np.ones_like(written) if self.config.gae_over == "all_tokens" else written
        result = np.zeros(len(step))
        result[used] = discounted_sums(token_rewards(step_rewards, step)[used], self.config.gamma)
        return result

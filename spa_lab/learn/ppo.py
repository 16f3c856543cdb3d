"""PPO on step rewards (Schulman et al. 2017): clipped, with a value head, KL to the cloned policy, GAE.

Each iteration plays fresh episodes, asks `reward` for one number per step, puts it on the step's last
token, estimates advantages over the tokens that the policy wrote, and updates. What the reward is made
of (terminal outcome, fused progress and grounding, ...) is the caller's choice.

Departs from the released code: online, on the policy's own fresh episodes with the log-probabilities
they were sampled at (there: one offline pass, log-probabilities recomputed); observation tokens take no
part in GAE (`gae_over="all_tokens"` for theirs); KL enters the loss, not the reward.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from spa_lab import rewards
from spa_lab.advantages import advantages, token_rewards
from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.learn.batches import token_batches
from spa_lab.learn.checkpoint import (
    LearnerState,
    load_weights,
    merge_states,
    random_state,
    set_random_state,
    split_state,
    weights_state,
)
from spa_lab.learn.language import before_written, hidden_states, written_logits, written_logprobs
from spa_lab.learn.method import Learner, TrainingInputs
from spa_lab.learn.optimizer import Optimizer
from spa_lab.rewards import RewardConfig
from spa_lab.types import Credit, FloatArray, Trajectory

RewardFunction = Callable[[Sequence[Episode]], list[FloatArray]]
"""N finished episodes -> for each its (T,) step rewards, outcome units."""


class PPOLoss(NamedTuple):
    """Parts of the loss of one minibatch; means over the n tokens that the policy wrote."""

    loss: Tensor
    """policy + vf_coef * value + kl_coef * kl."""
    policy: Tensor
    """Negative clipped surrogate."""
    value: Tensor
    """Squared error of the value head, squared outcome units."""
    kl: Tensor
    """KL(policy || reference), nats per token, by the k2 estimator (Schulman 2020): half the squared
    log-ratio. Its gradient is that of the KL, and one token that the policy has given up cannot drown the
    rest, as with k3, which grows with the ratio itself."""
    clip_fraction: float
    """Share of tokens whose ratio left the trust region."""
    approx_kl: float
    """KL(sampling policy || policy), nats per token, k3."""


@dataclass(frozen=True, eq=False)
class PPORows:
    """What the update needs of one episode; arrays over its L tokens, 0 where the policy did not write."""

    episode: Episode
    reference: FloatArray
    """(L,) log-probability under the cloned policy, nats."""
    rewards: FloatArray
    """(L,) outcome units."""
    values: FloatArray
    """(L,) value head before the update, outcome units."""
    advantages: FloatArray
    """(L,) not normalised, outcome units."""


def ppo_loss(
    new: Tensor,
    old: Tensor,
    reference: Tensor,
    values: Tensor,
    advantage: Tensor,
    returns: Tensor,
    config: PPOConfig,
) -> PPOLoss:
    """The loss over n tokens; every tensor is (n,), log-probabilities in nats, the rest in outcome units."""
    ratio = (new - old).exp()
    clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
    policy = -torch.minimum(ratio * advantage, clipped * advantage).mean()
    value = ((values - returns) ** 2).mean()
    kl = 0.5 * ((new - reference) ** 2).mean()
    with torch.no_grad():
        outside = float(((ratio - 1).abs() > config.clip).float().mean())
        moved = float(_k3(new - old).mean())
    return PPOLoss(policy + config.vf_coef * value + config.kl_coef * kl, policy, value, kl, outside, moved)


class PPOTrainer:
    """A policy under training: its value head, its reference and its optimiser.

    Args:
        policy: changed in place; left in eval mode after each iteration.
        config: see `PPOConfig`.
        rng: draws the value head, the episodes' seeds and the order of minibatches.
        playing: limits and width of the episodes; its temperature is overruled by `config`.
    """

    def __init__(
        self, policy: Policy, config: PPOConfig, *, rng: random.Random, playing: RolloutConfig | None = None
    ) -> None:
        self.policy, self.config, self.rng = policy, config, rng
        self.playing = replace(playing or RolloutConfig(), temperature=config.temperature)
        self.reference = copy_policy(policy, name="reference").model.requires_grad_(False)
        size = int(policy.model.config.hidden_size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.randrange(2**31))
            self.value_head = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, 1))
        self.value_head.to(policy.model.device)
        self.optimizer = Optimizer(nn.ModuleList([policy.model, self.value_head]), lr=config.lr)
        self.iteration = 0

    def iterate(
        self, environment: Environment, tasks: Sequence[Task], reward: RewardFunction
    ) -> dict[str, float]:
        """Play `config.episodes` episodes of `tasks` (repeated in turn) and update once over them.

        Returns:
            Means over the iteration: `success`, `outcome`, `grounding` (share of steps), `length`
            (steps), `reward` (per episode) and the parts of `PPOLoss`.
        """
        episodes = self._play(environment, tasks)
        step_rewards = reward(episodes)
        if self.iteration == 0:
            self._fit_value_head(episodes, step_rewards)
        rows = self.prepare(episodes, step_rewards)
        parts = self._update(rows)
        self.iteration += 1
        played = [episode.trajectory for episode in episodes]
        n_steps = sum(map(len, played))
        return {
            "success": float(np.mean([t.success for t in played])),
            "outcome": float(np.mean([t.outcome for t in played])),
            "grounding": sum(int(t.grounded.sum()) for t in played) / n_steps,
            "length": n_steps / len(played),
            "reward": float(np.mean([row.rewards.sum() for row in rows])),
            **parts,
        }

    @torch.inference_mode()
    def prepare(self, episodes: Sequence[Episode], step_rewards: Sequence[FloatArray]) -> list[PPORows]:
        """Values, reference log-probabilities and advantages of `episodes`, in order."""
        found: dict[int, PPORows] = {}
        lengths = [len(episode.row.ids) for episode in episodes]
        for numbers in token_batches(lengths, budget=self.config.batch_tokens, rng=random.Random(0)):
            batch = self._batch([episodes[i] for i in numbers])
            mask = batch.action_mask
            values = self._values(hidden_states(self.policy.model, batch.ids), mask)
            known = self._logprobs(self.reference, hidden_states(self.reference, batch.ids), batch)
            counts = mask.sum(1).tolist()
            for i, value, logprob in zip(numbers, values.split(counts), known.split(counts), strict=True):
                found[i] = self._row(episodes[i], step_rewards[i], _array(value), _array(logprob))
        return [found[i] for i in range(len(episodes))]

    def _row(
        self, episode: Episode, step_rewards: FloatArray, value: FloatArray, logprob: FloatArray
    ) -> PPORows:
        step = np.array(episode.row.step)
        wrote = _written(episode)
        paid = token_rewards(step_rewards, step)
        values, reference, estimate = np.zeros((3, len(step)))
        values[wrote], reference[wrote] = value, logprob
        use = wrote if self.config.gae_over == "action_tokens" else np.ones(len(step), dtype=bool)
        estimate[use] = advantages(paid[use], values[use], gamma=self.config.gamma, lam=self.config.lam)
        estimate[~wrote] = 0.0
        return PPORows(episode, reference, paid, values, estimate)

    def _play(self, environment: Environment, tasks: Sequence[Task]) -> list[Episode]:
        jobs = [
            EpisodeSpec(
                f"{self.policy.name}/{self.iteration:03d}/{i:04d}",
                tasks[i % len(tasks)],
                self.rng.randrange(2**31),
            )
            for i in range(self.config.episodes)
        ]
        return rollout(self.policy, environment, jobs, self.playing)

    def _update(self, rows: Sequence[PPORows]) -> dict[str, float]:
        lengths = [len(row.episode.row.ids) for row in rows]
        every = np.concatenate([row.advantages[_written(row.episode)] for row in rows])
        centre, scale = float(every.mean()), float(every.std()) + 1e-8
        parts: list[list[float]] = []
        self.policy.model.train()
        for _ in range(self.config.epochs):
            for numbers in token_batches(lengths, budget=self.config.batch_tokens, rng=self.rng):
                one = self._loss([rows[i] for i in numbers], centre, scale)
                one.loss.backward()
                self.optimizer.step()
                parts.append([part.item() if isinstance(part, Tensor) else part for part in one])
        self.policy.model.eval()
        return dict(zip(PPOLoss._fields, np.mean(parts, axis=0).tolist(), strict=True))

    def _loss(self, rows: Sequence[PPORows], centre: float, scale: float) -> PPOLoss:
        batch = self._batch([row.episode for row in rows])
        hidden = hidden_states(self.policy.model, batch.ids)
        episodes = [row.episode for row in rows]
        estimate = self._flat(episodes, [row.advantages for row in rows])
        return ppo_loss(
            self._logprobs(self.policy.model, hidden, batch),
            self._flat(episodes, [np.array(one.logprobs) for one in episodes]),
            self._flat(episodes, [row.reference for row in rows]),
            self._values(hidden, batch.action_mask),
            (estimate - centre) / scale,
            estimate + self._flat(episodes, [row.values for row in rows]),
            self.config,
        )

    def _fit_value_head(
        self, episodes: Sequence[Episode], step_rewards: Sequence[FloatArray], passes: int = 40
    ) -> None:
        """Fit the fresh value head alone, so that the first update does not chase its random numbers."""
        parts = [episodes[i : i + 16] for i in range(0, len(episodes), 16)]
        with torch.no_grad():
            features = torch.cat([self._features(part) for part in parts])
        to_go = [self._reward_to_go(*one) for one in zip(episodes, step_rewards, strict=True)]
        target = self._flat(episodes, to_go)
        optimizer = torch.optim.AdamW(self.value_head.parameters(), lr=3e-3)
        for _ in range(passes):
            loss = ((self.value_head(features).squeeze(-1) - target) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def _features(self, episodes: Sequence[Episode]) -> Tensor:
        batch = self._batch(episodes)
        return before_written(hidden_states(self.policy.model, batch.ids), batch.action_mask).float()

    def _values(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(n,) V before each written token, read where the token was predicted."""
        return self.value_head(before_written(hidden, mask).float()).squeeze(-1)

    def _logprobs(self, model: PreTrainedModel, hidden: Tensor, batch: TokenBatch) -> Tensor:
        """(n,) log-probability of each written token at the sampling temperature."""
        logits = written_logits(model, hidden, batch.action_mask)
        return written_logprobs(logits / self.config.temperature, batch.ids, batch.action_mask)

    def _batch(self, episodes: Sequence[Episode]) -> TokenBatch:
        return self.policy.codec.batch([episode.row for episode in episodes], limit=self.policy.context)

    def _reward_to_go(self, episode: Episode, step_rewards: FloatArray) -> FloatArray:
        """(L,) discounted sum of the rewards from each written token on."""
        wrote = _written(episode)
        paid = token_rewards(step_rewards, np.array(episode.row.step))[wrote]
        result = np.zeros(len(wrote))
        result[wrote] = advantages(paid, np.zeros(len(paid)), gamma=self.config.gamma, lam=1.0)
        return result

    def _flat(self, episodes: Sequence[Episode], arrays: Sequence[FloatArray]) -> Tensor:
        """(n,) float32 of the written tokens of all episodes."""
        chosen = [array[_written(episode)] for episode, array in zip(episodes, arrays, strict=True)]
        return torch.from_numpy(np.concatenate(chosen)).float().to(self.policy.model.device)


def _written(episode: Episode) -> NDArray[np.bool_]:
    """(L,) whether the policy wrote the token."""
    return np.array(episode.row.step) >= 0


def _k3(log_ratio: Tensor) -> Tensor:
    return log_ratio.exp() - 1 - log_ratio


def _array(tensor: Tensor) -> FloatArray:
    return tensor.double().cpu().numpy()


class ReadCredit(Protocol):
    """Credit by a model that reads."""

    def __call__(self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow]) -> list[Credit]:
        """N trajectories, and the tokens that each was sampled as -> N credits."""


def fused(config: RewardConfig, credits: ReadCredit) -> RewardFunction:
    """Step rewards that fuse the credits of `credits` with grounding, see `rewards.fuse`."""

    def reward(episodes: Sequence[Episode]) -> list[FloatArray]:
        trajectories = [episode.trajectory for episode in episodes]
        given = credits(trajectories, rows=[episode.row for episode in episodes])
        return [
            rewards.fuse(trajectory, credit, config)
            for trajectory, credit in zip(trajectories, given, strict=True)
        ]

    return reward


def ppo(inputs: TrainingInputs, reward: RewardFunction) -> Learner:
    """A learner that improves `inputs.policy` by PPO on the step rewards of `reward`."""
    return _PPOLearner(inputs, reward)


class _PPOLearner:
    """A `PPOTrainer` with its rewards and its state."""

    def __init__(self, inputs: TrainingInputs, reward: RewardFunction) -> None:
        self.inputs, self.reward, self.policy = inputs, reward, inputs.policy
        self.trainer = PPOTrainer(
            inputs.policy, inputs.preset.ppo, rng=inputs.rng, playing=inputs.preset.explore_rollout
        )

    def iterate(self, tasks: Sequence[Task]) -> dict[str, float]:
        return self.trainer.iterate(self.inputs.environment, tasks, self.reward)

    def state(self) -> LearnerState:
        facts = {
            "iteration": self.trainer.iteration,
            "rng": random_state(self.inputs.rng),
            "generator": self.inputs.generator.bit_generator.state,
        }
        return merge_states(
            {
                "learner": LearnerState(facts=facts),
                "policy": weights_state(self.policy.model),
                "value_head": weights_state(self.trainer.value_head),
                "optimizer": self.trainer.optimizer.state(),
            }
        )

    def load_state(self, state: LearnerState) -> None:
        load_weights(self.policy.model, split_state(state, "policy"))
        load_weights(self.trainer.value_head, split_state(state, "value_head"))
        self.trainer.optimizer.load_state(split_state(state, "optimizer"))
        facts = split_state(state, "learner").facts
        self.trainer.iteration = facts["iteration"]
        set_random_state(self.inputs.rng, facts["rng"])
        self.inputs.generator.bit_generator.state = facts["generator"]

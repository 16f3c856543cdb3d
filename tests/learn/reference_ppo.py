"""PPO as it was before it was taken apart: one straightforward file, for the golden test.

Each iteration plays fresh episodes, places every step's reward on the step's last token, estimates advantages
over the written tokens or the steps by GAE, and makes clipped updates with a value head and a KL to the
cloned policy. Seeds of episodes, order of updates and weights of the value head come from the seed of the
run, each by a name of its own.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.learn.batches import token_batches

Rewards = Callable[[Sequence[Episode]], list[np.ndarray]]


class ReferencePPO:
    """The same weights as the learner under test."""

    def __init__(self, policy: Policy, config: PPOConfig, seed: int, play: RolloutConfig) -> None:
        self.policy, self.config, self.seed = policy, config, seed
        self.order = random.Random(f"{seed}/update order")
        self.play = replace(play, temperature=config.temperature)
        self.reference = copy_policy(policy, name="reference").model
        d = policy.model.config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random.Random(f"{seed}/critic head").randrange(2**31))
            self.value_head = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, 1))
        self.weights = [*policy.model.parameters(), *self.value_head.parameters()]
        self.adamw = torch.optim.AdamW(self.weights, lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0)
        self.iteration = self.updates = 0

    def iterate(self, environment: Environment, tasks: Sequence[Task], reward: Rewards) -> None:
        name, number = self.policy.name, self.iteration
        specs = [
            EpisodeSpec(
                f"{name}/{number:03d}/{i:04d}",
                tasks[i % len(tasks)],
                random.Random(f"{self.seed}/episode/{number}/{i}").randrange(2**31),
            )
            for i in range(self.config.episodes)
        ]
        episodes = rollout(self.policy, environment, specs, self.play)
        step_rewards = reward(episodes)
        paid = [self.token_rewards(*pair) for pair in zip(episodes, step_rewards, strict=True)]
        if self.iteration == 0:
            self.fit_value_head(episodes, paid)
        self.update(episodes, *self.prepare(episodes, paid))
        self.iteration += 1

    def token_rewards(self, episode: Episode, step_rewards: np.ndarray) -> np.ndarray:
        step = np.array(episode.row.step)
        paid = np.zeros(len(step))
        for t, reward in enumerate(step_rewards):
            paid[np.flatnonzero(step == t)[-1]] = reward
        return paid

    def of_steps(self, episode: Episode, paid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T,) rewards of the steps, and (n,) the step of each written token."""
        step = np.array(episode.row.step)
        written = step[step >= 0]
        return np.array([paid[step == t].sum() for t in range(written[-1] + 1)]), written

    def gae(self, rewards: np.ndarray, values: np.ndarray, lam: float) -> np.ndarray:
        advantages, following, next_value = np.zeros(len(rewards)), 0.0, 0.0
        for i in reversed(range(len(rewards))):
            delta = rewards[i] + self.config.gamma * next_value - values[i]
            following = advantages[i] = delta + self.config.gamma * lam * following
            next_value = values[i]
        return advantages

    def fit_value_head(self, episodes: Sequence[Episode], paid: Sequence[np.ndarray]) -> None:
        features, targets = [], []
        for start in range(0, len(episodes), 16):
            ids, written = self.batch(episodes[start : start + 16])
            with torch.no_grad():
                hidden = self.policy.model.base_model(input_ids=ids).last_hidden_state
            features.append(hidden[:, :-1][written[:, 1:]])
        for episode, rewards in zip(episodes, paid, strict=True):
            step = np.array(episode.row.step)
            if self.config.gae_level == "step":
                per_step, written_steps = self.of_steps(episode, rewards)
                targets.append(self.gae(per_step, np.zeros(len(per_step)), 1.0)[written_steps])
            else:
                used = (step >= 0) | (self.config.gae_over == "all_tokens")
                returns = self.gae(rewards[used], np.zeros(int(used.sum())), 1.0)
                targets.append(returns[step[used] >= 0])
        x, y = torch.cat(features), torch.from_numpy(np.concatenate(targets)).float()
        optimizer = torch.optim.AdamW(self.value_head.parameters(), lr=3e-3)
        for _ in range(40):
            loss = ((self.value_head(x).squeeze(-1) - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.inference_mode()
    def prepare(
        self, episodes: Sequence[Episode], paid: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """(n_i,) of each episode's written tokens: values of its action, reference log-probs, advantages."""
        values: dict[int, np.ndarray] = {}
        reference: dict[int, np.ndarray] = {}
        lengths = [len(episode.row.ids) for episode in episodes]
        for rows in token_batches(lengths, budget=self.config.batch_tokens, rng=random.Random(0)):
            ids, written = self.batch([episodes[i] for i in rows])
            hidden = self.policy.model.base_model(input_ids=ids).last_hidden_state
            value = self.value_head(hidden[:, :-1][written[:, 1:]]).squeeze(-1)
            logprob = self.logprobs(self.reference, ids, written)
            counts = written.sum(1).tolist()
            for i, v, p in zip(rows, value.split(counts), logprob.split(counts), strict=True):
                values[i], reference[i] = v.double().numpy(), p.double().numpy()
        order = range(len(episodes))
        advantages = []
        for i in order:
            if self.config.gae_level == "step":
                per_step, step = self.of_steps(episodes[i], paid[i])
                before = values[i][[list(step).index(t) for t in range(len(per_step))]]
                values[i] = before[step]
                advantages.append(self.gae(per_step, before, self.config.lam)[step])
                continue
            written_ = np.array(episodes[i].row.step) >= 0
            use = written_ if self.config.gae_over == "action_tokens" else np.ones_like(written_)
            full = np.zeros(len(written_))
            full[written_] = values[i]
            estimate = np.zeros(len(written_))
            estimate[use] = self.gae(paid[i][use], full[use], self.config.lam)
            advantages.append(estimate[written_])
        return [values[i] for i in order], [reference[i] for i in order], advantages

    def update(
        self,
        episodes: Sequence[Episode],
        values: Sequence[np.ndarray],
        reference: Sequence[np.ndarray],
        advantages: Sequence[np.ndarray],
    ) -> None:
        config = self.config
        every = np.concatenate(advantages)
        mean, std = float(every.mean()), float(every.std()) + 1e-8
        sampled = [np.array(e.logprobs)[np.array(e.row.step) >= 0] for e in episodes]
        lengths = [len(episode.row.ids) for episode in episodes]
        self.policy.model.train()
        for _ in range(config.epochs):
            for rows in token_batches(
                lengths, budget=config.batch_tokens, rng=self.order, similar_lengths=config.similar_lengths
            ):
                ids, written = self.batch([episodes[i] for i in rows])
                old, ref, estimate, value = (
                    torch.from_numpy(np.concatenate([arrays[i] for i in rows])).float()
                    for arrays in (sampled, reference, advantages, values)
                )
                hidden = self.policy.model.base_model(input_ids=ids).last_hidden_state
                before = hidden[:, :-1][written[:, 1:]]
                logits = self.policy.model.get_output_embeddings()(before).float() / config.temperature
                new = torch.log_softmax(logits, dim=-1).gather(1, ids[written][:, None]).squeeze(1)
                ratio, normalised = (new - old).exp(), (estimate - mean) / std
                clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
                policy_loss = -torch.minimum(ratio * normalised, clipped * normalised).mean()
                value_loss = ((self.value_head(before).squeeze(-1) - (estimate + value)) ** 2).mean()
                kl = 0.5 * ((new - ref) ** 2).mean()
                loss = policy_loss + config.vf_coef * value_loss + config.kl_coef * kl
                loss.backward()
                nn.utils.clip_grad_norm_(self.weights, 1.0)
                self.adamw.param_groups[0]["lr"] = config.lr * min(1.0, (self.updates + 1) / 10)
                self.adamw.step()
                self.adamw.zero_grad(set_to_none=True)
                self.updates += 1
        self.policy.model.eval()

    def logprobs(self, model: nn.Module, ids: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
        hidden = model.base_model(input_ids=ids).last_hidden_state  # type: ignore[operator, union-attr]
        logits = model.get_output_embeddings()(hidden[:, :-1][written[:, 1:]]).float()  # type: ignore[operator]
        scaled = torch.log_softmax(logits / self.config.temperature, dim=-1)
        return scaled.gather(1, ids[written][:, None]).squeeze(1)

    def batch(self, episodes: Sequence[Episode]) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, L) token ids, padded on the right, and the mask of written tokens."""
        longest = max(len(episode.row.ids) for episode in episodes)
        ids = torch.full((len(episodes), longest), self.policy.codec.pad_id)
        written = torch.zeros(len(episodes), longest, dtype=torch.bool)
        for b, episode in enumerate(episodes):
            ids[b, : len(episode.row.ids)] = torch.tensor(episode.row.ids)
            written[b, : len(episode.row.ids)] = torch.tensor(episode.row.step) >= 0
        return ids, written

"""The loop of every on-policy method: play episodes, estimate advantages, update the policy.

Departs from SPA-RL's released code: online, on the policy's own fresh episodes with the log-probabilities
they were sampled at (there: one offline pass, log-probabilities recomputed); KL enters the loss, not the
reward.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from spa_lab.agent.memory import release_memory
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.envs.base import Task
from spa_lab.learn.checkpoint import LearnerState, Stateful, load_training_state, training_state
from spa_lab.learn.collect import Collected, Filter, collect, keep_all
from spa_lab.learn.critic import Critic
from spa_lab.learn.drift import drift_metrics
from spa_lab.learn.estimates import Estimate
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.optimizer import Optimizer
from spa_lab.learn.policy_gradient import Objective, update
from spa_lab.learn.reading import read_written
from spa_lab.learn.recorded import RecordedEpisodes
from spa_lab.learn.update_batch import UpdateBatch, make_update_batch
from spa_lab.types import FloatArray

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EstimateAdvantages = Callable[[Collected], list[Estimate]]
"""Episodes -> the estimate of each, in order."""


class OnPolicyLearner:
    """A policy under training; its state covers the policy, the critic, the optimiser and the random streams.

    Seeds of episodes, the order of updates and the critic's first weights come from streams of the run's seed
    that all methods share, so that two methods differ in nothing but what they are.

    Args:
        inputs: of the method. `preset.ppo` gives episodes, passes, rates and temperature,
            `preset.explore_rollout` the limits of an episode.
        estimate: makes the advantages of the episodes of an iteration.
        objective: what the update optimises; None: that of `preset.ppo`.
        critic: trained with the policy, on the returns of the estimates.
        group_size: G, episodes of the same task.
        keep: chooses the episodes that are learnt from.
        explored: what the source of the estimates' credits gave the explorations that it was fitted to, or a
            function that knows it once estimates were made; with it, every iteration reports the signs of
            `learn.drift`.
        stateful: further objects whose state changes during training, by name.
        recorded: episodes to learn from instead of playing some.
        extra: counts what making the estimates costs; reported in the metrics of every iteration.

    Raises:
        ValueError: `group_size` does not divide `preset.ppo.episodes`.
    """

    def __init__(
        self,
        inputs: TrainingInputs,
        estimate: EstimateAdvantages,
        *,
        objective: Objective | None = None,
        critic: Critic | None = None,
        group_size: int = 1,
        keep: Filter = keep_all,
        explored: ContributionRange | Callable[[], ContributionRange | None] | None = None,
        stateful: Mapping[str, Stateful] | None = None,
        recorded: RecordedEpisodes | None = None,
        extra: ExtraCost | None = None,
    ) -> None:
        self.inputs, self.policy, self.config = inputs, inputs.policy, inputs.preset.ppo
        if group_size < 1 or self.config.episodes % group_size:
            raise ValueError(
                f"ppo.episodes: expected a multiple of the group size {group_size}, "
                f"got {self.config.episodes}"
            )
        self.estimate, self.critic = estimate, critic
        self.objective = objective or Objective.of(self.config)
        self.group_size, self.keep, self.stateful = group_size, keep, dict(stateful or {})
        self.explored, self.recorded, self.extra = explored, recorded, extra
        self.rollout_config = replace(inputs.preset.explore_rollout, temperature=self.config.temperature)
        self.order = inputs.stream("update order")
        self.reference = self._reference()
        trained: list[nn.Module] = [self.policy.model, *([critic.head] if critic else [])]
        self.optimizer = Optimizer(nn.ModuleList(trained), lr=self.config.lr)
        self.iteration = 0

    def iterate(self, tasks: Sequence[Task]) -> dict[str, float]:
        """Play `preset.ppo.episodes` episodes of `tasks` and update once over them.

        Returns:
            Means over the played episodes: `success`, `outcome`, `grounding` (share of steps), `length`
            (steps); `reward` (per episode that was learnt from); the signs of `learn.drift` where the credit
            was fitted; the parts of the loss, 0 if `keep` dropped every episode; and the extra cost. The KL
            to the reference is among them only where it is paid: else the reference reads nothing.
        """
        played = self.play(tasks)
        release_memory()
        kept = self.keep(played)
        metrics = played_metrics(played)
        if kept.episodes:
            batch = self.prepare(kept)
            release_memory()
            metrics |= {"reward": _mean_reward(batch), **batch.drift, **self.update(batch)}
        else:
            names = ["reward", "loss", "policy", "value", "clip_fraction", "approx_kl"]
            names += ["kl"] if self.reference is not None else []
            names += ["entropy"] if self.objective.entropy_coef else []
            metrics |= dict.fromkeys(names, 0.0)
        release_memory()
        self.iteration += 1
        return metrics | (self.extra.taken() if self.extra else {})

    def play(self, tasks: Sequence[Task]) -> Collected:
        """The episodes of an iteration."""
        if self.recorded is not None:
            return self.recorded(self.policy, self.iteration)
        return collect(
            self.policy,
            self.inputs.environment,
            tasks,
            self.rollout_config,
            episodes=self.config.episodes,
            group_size=self.group_size,
            prefix=f"{self.policy.name}/{self.iteration:03d}",
            seed=self.inputs.seed,
            iteration=self.iteration,
            keep_hidden=self.critic is not None,
        )

    def prepare(self, collected: Collected) -> UpdateBatch:
        """Everything that the update reads of these episodes.

        Raises:
            ValueError: there is no episode.
        """
        episodes = collected.episodes
        if not episodes:
            raise ValueError("an update needs at least 1 episode, got 0")
        rows = [episode.row for episode in episodes]
        estimates = self.estimate(collected)
        return make_update_batch(
            self.policy.codec.batch(rows, limit=self.policy.context),
            episodes,
            estimates,
            self._reference_logprobs(self.reference, episodes) if self.reference else None,
            normalise=self.objective.normalise,
            mean_over=self.objective.mean_over,
            drift=self._drift(episodes, estimates),
        )

    def update(self, batch: UpdateBatch) -> dict[str, float]:
        """Update the policy; returns the mean parts of the loss."""
        return update(
            self.policy,
            self.optimizer,
            batch,
            self.objective,
            critic=self.critic,
            epochs=self.config.epochs,
            budget=self.config.batch_tokens,
            temperature=self.config.temperature,
            rng=self.order,
            similar_lengths=self.config.similar_lengths,
            micro_tokens=self.config.micro_tokens,
        )

    @torch.inference_mode()
    def _reference_logprobs(
        self, reference: "PreTrainedModel", episodes: Sequence[Episode]
    ) -> list[FloatArray]:
        """(L,) of each episode: log-probability of each written token under the reference policy, nats."""
        return read_written(
            lambda batch: logprobs_under(
                reference, batch.ids, batch.action_mask, temperature=self.config.temperature
            ),
            self.policy.codec,
            [episode.row for episode in episodes],
            limit=self.policy.context,
            budget=self.config.batch_tokens,
        )

    def state(self) -> LearnerState:
        """Weights, moments, random streams and the number of iterations; the reference does not change."""
        return training_state(
            self.policy.model,
            self._parts(),
            self._streams(),
            iteration=self.iteration,
            generator=self.inputs.generator.bit_generator.state,
        )

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`, of a learner that was made with the same inputs.

        Raises:
            ValueError: the state is of another kind or shape.
        """
        facts = load_training_state(state, self.policy.model, self._parts(), self._streams())
        self.iteration = int(facts["iteration"])
        self.inputs.generator.bit_generator.state = facts["generator"]
        if self.extra:
            self.extra.taken()  # what making the learner again has cost was counted before

    def _reference(self) -> "PreTrainedModel | None":
        """A frozen copy of the policy, if its distance is paid."""
        if not self.objective.kl_coef:
            return None
        return copy_policy(self.policy, name="reference").model.requires_grad_(False)

    def _drift(self, episodes: Sequence[Episode], estimates: Sequence[Estimate]) -> dict[str, float]:
        """The signs of drift; {} without a fitted credit."""
        credits = [estimate.credit for estimate in estimates if estimate.credit is not None]
        explored = self.explored() if callable(self.explored) else self.explored
        if explored is None or len(credits) < len(episodes):
            return {}
        return drift_metrics([episode.trajectory for episode in episodes], credits, explored)

    def _streams(self) -> dict[str, random.Random]:
        return {"order": self.order, "rng": self.inputs.rng}

    def _parts(self) -> dict[str, Stateful]:
        critic: dict[str, Stateful] = {"critic": self.critic} if self.critic else {}
        return {"optimizer": self.optimizer, **critic, **self.stateful}


def played_metrics(played: Collected) -> dict[str, float]:
    """`episodes`, their number; and means: `success`, `outcome`, `grounding` (by step), `length` (steps)."""
    trajectories = [episode.trajectory for episode in played.episodes]
    n_steps = sum(map(len, trajectories))
    return {
        "episodes": float(len(trajectories)),
        "success": float(np.mean([trajectory.known_success for trajectory in trajectories])),
        "outcome": float(np.mean([trajectory.known_outcome for trajectory in trajectories])),
        "grounding": sum(int(trajectory.grounded.sum()) for trajectory in trajectories) / n_steps,
        "length": n_steps / len(trajectories),
    }


def _mean_reward(batch: UpdateBatch) -> float:
    """Mean sum of rewards of an episode; its outcome where the estimates name no rewards."""
    if batch.rewards is None:
        return float(np.mean([trajectory.known_outcome for trajectory in batch.trajectories]))
    rows = zip(batch.rewards.numpy(), batch.lengths, strict=True)
    return float(np.mean([row[:length].sum() for row, length in rows]))

"""Episodes that were played before training, for methods that learn offline in one pass."""

import random
from collections.abc import Sequence

import torch

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.checks import SettingError
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import Preset
from spa_lab.learn.collect import Collected
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.reading import read_written
from spa_lab.types import Trajectory


class RecordedEpisodes:
    """One pass over recorded trajectories, a share of them in each iteration.

    The log-probabilities of their tokens are computed with the policy of the iteration, as in the released
    code (ppo/step_ppotrainer.py:106-115): those that they were sampled at are not stored, so that the clipped
    ratio starts at 1 although the policy has moved on. They are taken at `config.temperature`, while
    explorations are sampled at `explore_rollout.temperature`.

    Args:
        trajectories: N recorded trajectories.
        config: gives iterations, temperature, and tokens in a batch.
        rng: draws their order.
        rows: the tokens that each was sampled as; without them the text is re-encoded.

    Raises:
        ValueError: there are fewer trajectories than iterations.
    """

    def __init__(
        self,
        trajectories: Sequence[Trajectory],
        config: PPOConfig,
        *,
        rng: random.Random,
        rows: Sequence[TokenRow] | None = None,
    ) -> None:
        if len(trajectories) < config.iterations:
            raise ValueError(
                f"{config.iterations} iterations over recorded trajectories need as many, "
                f"got {len(trajectories)}"
            )
        self.trajectories, self.config = rng.sample(trajectories, len(trajectories)), config
        self.sampled = {row.trajectory_id: row for row in rows or ()}

    def __call__(self, policy: Policy, iteration: int) -> Collected:
        """The episodes of an iteration; further iterations begin the pass again."""
        n, parts = len(self.trajectories), self.config.iterations
        share = iteration % parts
        chosen = self.trajectories[share * n // parts : (share + 1) * n // parts]
        rows = [self.sampled[t.id] if self.sampled else policy.codec.row(t) for t in chosen]
        with torch.inference_mode():
            logprobs = read_written(
                lambda batch: logprobs_under(
                    policy.model, batch.ids, batch.action_mask, temperature=self.config.temperature
                ),
                policy.codec,
                rows,
                limit=policy.context,
                budget=self.config.batch_tokens,
            )
        episodes = [
            Episode(trajectory, row, tuple(values.tolist()))
            for trajectory, row, values in zip(chosen, rows, logprobs, strict=True)
        ]
        return Collected(episodes, range(len(episodes)))


def check_explorations(preset: Preset) -> None:
    """Check that there will be an exploration for each iteration.

    Raises:
        SettingError: there will be fewer.
    """
    n_explored = preset.fitted_tasks * preset.rollouts_per_task
    if n_explored < preset.ppo.iterations:
        allowed = f"at most the number of explorations that are not held out, {n_explored}"
        raise SettingError("ppo.iterations", allowed, preset.ppo.iterations)


def recorded_explorations(inputs: TrainingInputs) -> RecordedEpisodes:
    """The explorations, in an order that all offline methods of a run share.

    Raises:
        ValueError: there are fewer of them than iterations.
    """
    order, rows = inputs.stream("recorded episodes"), inputs.explored_rows
    return RecordedEpisodes(inputs.explored, inputs.preset.ppo, rng=order, rows=rows)

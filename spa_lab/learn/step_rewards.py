"""Step rewards: what an episode's steps are paid, before any advantage is estimated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.configs.reward import RewardConfig
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.types import Credit, FloatArray, Trajectory

StepReward = Callable[[Sequence[Episode]], list[FloatArray]]
"""N finished episodes -> for each its (T,) step rewards, outcome units."""


class CreditSource(Protocol):
    """A function that gives credit, such as `ProgressEstimator.credit`."""

    def __call__(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        """N trajectories, and the tokens that each was sampled as, if known -> N credits, in order."""


def checked_rewards(paid: Sequence[ArrayLike], episodes: Sequence[Episode]) -> list[FloatArray]:
    """The step rewards of each episode as (T,) float64; one that is not finite would destroy the policy.

    Raises:
        ValueError: another number of episodes or steps, or a reward that is not finite (names the episode).
    """
    if len(paid) != len(episodes):
        raise ValueError(f"step rewards: got those of {len(paid)} episodes for {len(episodes)}")
    checked = []
    for given, episode in zip(paid, episodes, strict=True):
        numbers, trajectory = np.asarray(given, dtype=np.float64), episode.trajectory
        if numbers.shape != (len(trajectory),):
            raise ValueError(
                f"step rewards of {trajectory.id!r}: expected one for each of {len(trajectory)} steps, "
                f"got shape {numbers.shape}"
            )
        if not np.isfinite(numbers).all():
            raise ValueError(f"step rewards of {trajectory.id!r}: expected finite numbers, got {numbers}")
        checked.append(numbers)
    return checked


def credits_of(source: CreditSource, episodes: Sequence[Episode]) -> list[Credit]:
    """The credit of each episode."""
    trajectories = [episode.trajectory for episode in episodes]
    return source(trajectories, rows=[episode.row for episode in episodes])


@dataclass(frozen=True, eq=False)
class FusedReward:
    """A `StepReward` that fuses the credits of a source with grounding, see `rewards.fuse`."""

    config: RewardConfig
    source: CreditSource
    explored: ContributionRange | None = None
    """What the source gave the explorations that it was fitted to; None: it was not fitted to any."""

    def __call__(self, episodes: Sequence[Episode]) -> list[FloatArray]:
        """(T,) step rewards of each episode, outcome units."""
        return self.pay(episodes, self.credits(episodes))

    def credits(self, episodes: Sequence[Episode]) -> list[Credit]:
        """The credit of each episode as the source gives it."""
        return credits_of(self.source, episodes)

    def pay(self, episodes: Sequence[Episode], credits: Sequence[Credit]) -> list[FloatArray]:
        """(T,) step rewards of each episode from its credit, clipped first if the settings say so."""
        if self.config.clip and self.explored is not None:
            credits = [self.explored.clip(credit) for credit in credits]
        return [
            rewards.fuse(episode.trajectory, credit, self.config)
            for episode, credit in zip(episodes, credits, strict=True)
        ]


def fused(
    config: RewardConfig,
    source: CreditSource,
    *,
    explored: Sequence[Trajectory] | None = None,
    rows: Sequence[TokenRow] | None = None,
) -> FusedReward:
    """Step rewards of a credit source and grounding.

    Args:
        config: weights, and what happens to the error of the credit.
        source: of the credits.
        explored: trajectories that the source was fitted to, for `config.clip` and the alarms of
            `learn.drift`; None for a source that was not fitted.
        rows: the tokens that each of them was sampled as, if known.

    Raises:
        ValueError: `explored` is empty.
    """
    if explored is None:
        return FusedReward(config, source)
    return FusedReward(config, source, ContributionRange.of(source(explored, rows=rows)))


def outcome(config: RewardConfig) -> FusedReward:
    """The outcome at the last step and grounding: what every method without a credit of its own is paid."""
    return FusedReward(config, _at_the_last_step)


def paid_as_it_is(config: RewardConfig, source: CreditSource) -> FusedReward:
    """A credit whose sum is not meant to be the outcome, such as values, and grounding; its error is kept."""
    return FusedReward(replace(config, residual="kept", clip=False), source)


def _at_the_last_step(
    trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
) -> list[Credit]:
    return [rewards.terminal(trajectory) for trajectory in trajectories]

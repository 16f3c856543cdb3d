"""Step rewards: what an episode's steps are paid, before any advantage is estimated."""

from collections.abc import Callable, Sequence
from typing import Protocol

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.configs.reward import RewardConfig
from spa_lab.types import Credit, FloatArray, Trajectory

StepReward = Callable[[Sequence[Episode]], list[FloatArray]]
"""N finished episodes -> for each its (T,) step rewards, outcome units."""


class CreditSource(Protocol):
    """A function that gives credit, such as `ProgressEstimator.credit`."""

    def __call__(self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow]) -> list[Credit]:
        """N trajectories, and the tokens that each was sampled as -> N credits, in order."""


def credits_of(source: CreditSource, episodes: Sequence[Episode]) -> list[Credit]:
    """The credit of each episode."""
    trajectories = [episode.trajectory for episode in episodes]
    return source(trajectories, rows=[episode.row for episode in episodes])


def fused(config: RewardConfig, source: CreditSource) -> StepReward:
    """Step rewards that fuse the credits of `source` with grounding, see `rewards.fuse`."""

    def reward(episodes: Sequence[Episode]) -> list[FloatArray]:
        return [
            rewards.fuse(episode.trajectory, credit, config)
            for episode, credit in zip(episodes, credits_of(source, episodes), strict=True)
        ]

    return reward

"""PPO on the outcome alone, paid at the last step (Schulman et al. 2017)."""

from collections.abc import Sequence

from spa_lab import rewards
from spa_lab.agent.rollout import Episode
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo
from spa_lab.types import FloatArray


def step_rewards(episodes: Sequence[Episode]) -> list[FloatArray]:
    """(T,) for each episode: R at the last step, 0 before."""
    return [rewards.terminal(episode.trajectory).contributions for episode in episodes]


def make(inputs: TrainingInputs) -> Learner:
    """PPO on `step_rewards`."""
    return ppo(inputs, step_rewards)


METHOD = TrainingMethod(name="terminal", title="terminal reward", origin="PPO, arXiv:1707.06347", make=make)

"""PPO with all of R on the first step. `spa-lab run --method tests.examples.first_step:FIRST_STEP`"""

from collections.abc import Sequence

import numpy as np

from spa_lab.agent.rollout import Episode
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo
from spa_lab.types import FloatArray


def reward(episodes: Sequence[Episode]) -> list[FloatArray]:
    """(T,) for each episode: R, 0, 0, ..."""
    trajectories = [episode.trajectory for episode in episodes]
    return [trajectory.outcome * np.eye(1, len(trajectory))[0] for trajectory in trajectories]


def make(inputs: TrainingInputs) -> Learner:
    return ppo(inputs, reward)


FIRST_STEP = TrainingMethod(
    name="first_step", title="R on the first step", origin="tests/examples", make=make
)

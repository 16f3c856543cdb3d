"""Continuations by the plain implementation: reset, replay, and generate from the whole text at each step.

Branching is compared with it, in the benchmark and in tests.
"""

import random

import numpy as np
import torch

from benchmarks.plain_rollout import PlainEpisode, play_side_by_side
from spa_lab.agent.rollout import Policy
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.types import FloatArray, Trajectory


def plain_outcomes(
    policy: Policy,
    environment: Environment,
    trajectory: Trajectory,
    task: Task,
    config: RolloutConfig,
    *,
    branches: int,
    rng: random.Random,
) -> tuple[FloatArray, ...]:
    """Outcomes of continuations from every history of one trajectory; those of a history side by side.

    Args:
        policy: continues.
        environment: its step limit is the step cap.
        trajectory: T steps.
        task: its task.
        config: temperature > 0 and longest step.
        branches: continuations from each history.
        rng: gives the seeds of torch's generator, which `model.generate` draws from.

    Returns:
        T vectors (branches,) float64.
    """
    return tuple(
        _outcomes_from(policy, environment, trajectory, task, step, config, branches, rng.getrandbits(60))
        for step in range(len(trajectory))
    )


def _outcomes_from(
    policy: Policy,
    environment: Environment,
    trajectory: Trajectory,
    task: Task,
    start: int,
    config: RolloutConfig,
    branches: int,
    seed: int,
) -> FloatArray:
    """(branches,) outcomes of continuations from one step."""
    episodes = [PlainEpisode(policy, environment, task) for _ in range(branches)]
    for episode in episodes:
        episode.replay(policy, trajectory.steps[:start])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        play_side_by_side(policy, episodes, config)
    return np.array([episode.running.outcome for episode in episodes])

"""Continuations by the plain implementation: reset, replay, and generate from the whole text at each step.

Branching is compared with it, in the benchmark and in tests.
"""

import random

import numpy as np
import torch

from benchmarks.plain_generation import generate_step
from spa_lab.agent.rollout import Policy
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode
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
    rules = policy.token_rules(config)
    episodes = [_replayed(policy, environment, trajectory, task, start) for _ in range(branches)]
    active = list(episodes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        while active:
            steps = generate_step(
                policy,
                [ids for _, ids in active],
                max_new_tokens=config.max_new_tokens,
                temperature=config.temperature,
            )
            for (episode, ids), written in zip(active, steps, strict=True):
                reply = episode.take(rules.codec.decode(written))
                ids += [*written, *rules.after_step(written, reply.observation)]
                if episode.ended is None and not rules.fits(len(ids)):
                    episode.stop()
            active = [(episode, ids) for episode, ids in active if episode.ended is None]
    return np.array([episode.outcome for episode, _ in episodes])


def _replayed(
    policy: Policy, environment: Environment, trajectory: Trajectory, task: Task, start: int
) -> tuple[RunningEpisode, list[int]]:
    """An episode of its own at h_start, and the text up to there as token ids."""
    episode, codec = RunningEpisode(environment, task), policy.codec
    ids = list(codec.opening_ids(episode.initial_observation))
    for step in trajectory.steps[:start]:
        reply = episode.take(step.text)
        ids += [*codec.text_ids(step.text), codec.end_id, *codec.reply_ids(reply.observation)]
    return episode, ids

"""Trajectories with one decisive step, and a policy whose tokens are their phrases."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY
from spa_lab.configs.reward import RewardConfig
from spa_lab.envs.base import Environment
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods import find_method
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.types import Step, Trajectory

STEP = (-1, 0, 0, -1, 1)
"""An opening, a step of two tokens, an observation, a step of one token."""
WORLD = Environment(name="none", make_world=lambda: None, tasks=lambda split, n: [], step_limit=4)  # type: ignore[arg-type, return-value]


@pytest.fixture(scope="session")
def make_fork_policy(make_policy: Callable[..., Policy]) -> Callable[..., Policy]:
    """(spread, ...) -> a policy for `forks`."""
    texts = ("Action: left", "Action: right", "Action: wait", "noted", "You see a door.")
    return partial(make_policy, *texts, hidden=32, layers=2)


@pytest.fixture(scope="session")
def forks() -> list[Trajectory]:
    """Four steps of eight tasks; the second step decides, "right" wins."""

    def fork(i: int) -> Trajectory:
        won = i % 2 == 0
        actions = ("wait", "right" if won else "left", "wait", "wait")
        steps = tuple(Step(f"Action: {action}", "", action, "noted", True) for action in actions)
        facts = (f"t{i}", f"f{i // 4}", "fork", "train", "", "You see a door.", steps)
        return Trajectory(*facts, float(won), won, "done", "x", 0)

    return [fork(i) for i in range(32)]


@pytest.fixture(scope="session")
def build(make_trajectory: Callable[..., Trajectory]) -> Callable[..., Episode]:
    """(outcome, id) -> an episode of two steps, of two tokens and one; the second step is refused."""

    def make(outcome: float = 1.0, id: str = "a") -> Episode:
        trajectory = make_trajectory(outcome, [True, False], id=id)
        return Episode(trajectory, TokenRow(id, tuple(range(5)), STEP), (0.0,) * 5)

    return make


@pytest.fixture
def inputs_of(make_policy: Callable[..., Policy]) -> Callable[..., TrainingInputs]:
    """(explored, reward, other settings of PPO) -> inputs of a method, without grounding."""

    def make(
        explored: Sequence[Trajectory] = (), reward: RewardConfig | None = None, **ppo: object
    ) -> TrainingInputs:
        config = replace(PPOConfig(iterations=1, episodes=4, group_size=2), **ppo)  # type: ignore[arg-type]
        preset = replace(TINY, ppo=config, reward=reward or RewardConfig(beta=0.0, residual="last"))
        policy = make_policy("You see a door.", "Action: act")
        return TrainingInputs(policy, WORLD, preset, random.Random(0), explored=explored)

    return make


@pytest.fixture
def learner_of() -> Callable[[str, TrainingInputs], OnPolicyLearner]:
    """(method, inputs) -> its learner."""

    def make(name: str, inputs: TrainingInputs) -> OnPolicyLearner:
        learner = find_method(name).make(inputs)
        assert isinstance(learner, OnPolicyLearner)
        return learner

    return make

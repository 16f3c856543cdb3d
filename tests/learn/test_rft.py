"""Rejection sampling: which episodes are cloned, and that nothing else is."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY
from spa_lab.envs.base import Demonstration, Environment
from spa_lab.learn.cloning import marked_loss
from spa_lab.learn.collect import Collected
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods.rft import RFTLearner, distinct_successes
from spa_lab.types import Step, Trajectory

WORLD = Environment(name="none", make_world=lambda: None, tasks=lambda split, n: [], step_limit=4)  # type: ignore[arg-type, return-value]


@pytest.fixture
def three(make_trajectory: Callable[..., Trajectory]) -> list[Trajectory]:
    """A success, the same one again, and a failure."""
    step = Step("Action: act", "", "act", "You see a door.", True)
    base = replace(make_trajectory(1.0, [True]), initial_observation="You see a door.", steps=(step,))
    lost = replace(base, id="c", outcome=0.0, success=False, steps=(replace(step, text="Action: wait"),))
    return [replace(base, id="a"), replace(base, id="b"), lost]


@pytest.fixture
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy("You see a door.", "Action: act", "Action: wait", spread=0.3)


def _episode(policy: Policy, trajectory: Trajectory) -> Episode:
    row: TokenRow = policy.codec.row(trajectory)
    return Episode(trajectory, row, (0.0,) * len(row.ids))


def test_each_success_is_kept_once_a_task(policy: Policy, three: list[Trajectory]) -> None:
    elsewhere = replace(three[1], id="d", task_id="another")
    episodes = [_episode(policy, trajectory) for trajectory in (*three, elsewhere)]
    kept = distinct_successes(Collected(episodes, [0, 0, 0, 1]))
    assert [episode.trajectory.id for episode in kept] == ["a", "d"]


def test_one_update_is_a_cloning_step_on_successes_and_demonstrations(
    policy: Policy, three: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is the mean over the tokens of the distinct success and the demonstration's own steps."""
    shown = replace(three[2], id="shown", steps=three[0].steps * 2)
    preset = replace(
        TINY, clone=CloneConfig(epochs=1, muon_lr=None), ppo=PPOConfig(iterations=1, episodes=3, group_size=3)
    )
    inputs = TrainingInputs(
        policy=copy_policy(policy, name="rft"), environment=WORLD, preset=preset, rng=random.Random(0),
        demonstrations=[Demonstration(shown, (False, True))],
    )  # fmt: skip
    learner = RFTLearner(inputs)
    played = Collected([_episode(policy, trajectory) for trajectory in three], [0, 0, 0])
    monkeypatch.setattr(learner, "_play", lambda tasks: played)
    metrics = learner.iterate([])
    rows = [played.episodes[0].row, policy.codec.row(shown)]
    marks = [[t >= 0 for t in rows[0].step], [t == 1 for t in rows[1].step]]
    expected = marked_loss(policy, rows, marks)
    assert metrics["loss"] == pytest.approx(float(expected.loss.detach()), rel=1e-5)
    assert metrics["kept"] == pytest.approx(1 / 3) and metrics["success"] == pytest.approx(2 / 3)
    with torch.no_grad():
        assert marked_loss(learner.policy, rows, marks).loss < expected.loss
    before = list(policy.model.parameters())
    for frozen, weight in zip(learner.sampler.model.parameters(), before, strict=True):
        assert torch.equal(frozen, weight), "the sampler stays the cloned policy"


def test_it_needs_demonstrations(policy: Policy) -> None:
    inputs = TrainingInputs(policy=policy, environment=WORLD, preset=TINY, rng=random.Random(0))
    with pytest.raises(ValueError, match="method 'rft' needs demonstrations, got 0"):
        RFTLearner(inputs)

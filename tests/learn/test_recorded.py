"""Offline episodes: one pass, under the policy of the iteration."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.configs.ppo import PPOConfig
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.ppo import GAEOnRewards
from spa_lab.learn.recorded import RecordedEpisodes
from spa_lab.pipeline.judged import judged
from spa_lab.types import Trajectory

STEP = (-1, -1, 0, 0, -1, 1, 1, -1, 2)
CONFIG = PPOConfig(iterations=3, temperature=0.5, batch_tokens=200)


def test_every_trajectory_is_used_once_in_a_pass(
    make_policy: Callable[..., Policy], make_trajectory: Callable[..., Trajectory]
) -> None:
    trajectories = [make_trajectory(id=f"t{i}") for i in range(7)]
    policy = make_policy("You see a door.", "Action: act")
    recorded = RecordedEpisodes(trajectories, CONFIG, rng=random.Random(0))
    shares = [recorded(policy, k) for k in range(4)]
    used = [[episode.trajectory.id for episode in share.episodes] for share in shares]
    assert sorted(name for share in used[:3] for name in share) == [f"t{i}" for i in range(7)]
    assert used[0] != ["t0", "t1"] and used[3] == used[0]
    assert {len(share) for share in used} == {2, 3}


def test_sampled_tokens_are_updated_on_as_they_were_sampled(
    make_policy: Callable[..., Policy], make_trajectory: Callable[..., Trajectory]
) -> None:
    """Other tokens of the same text; each episode gets its own, whatever the order of the pass."""
    trajectories = [make_trajectory(id=f"t{i}") for i in range(7)]
    policy = make_policy("You see a door.", "Action: act")
    rows = [
        replace(policy.codec.row(t), ids=tuple(range(i, i + 9)), step=STEP)
        for i, t in enumerate(trajectories)
    ]
    recorded = RecordedEpisodes(trajectories, CONFIG, rng=random.Random(0), rows=rows)
    again = RecordedEpisodes(trajectories, CONFIG, rng=random.Random(0))
    for k in range(3):
        episodes = recorded(policy, k).episodes
        assert [episode.row for episode in episodes] == [
            rows[trajectories.index(episode.trajectory)] for episode in episodes
        ]
        assert [e.trajectory for e in again(policy, k).episodes] == [e.trajectory for e in episodes]


def test_log_probabilities_are_those_of_the_policy_of_the_iteration(
    make_policy: Callable[..., Policy], trajectory: Trajectory
) -> None:
    policy = make_policy("You see a door.", "Action: act")
    recorded = RecordedEpisodes([trajectory], replace(CONFIG, iterations=1), rng=random.Random(0))
    (before,) = recorded(policy, 0).episodes
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.mul_(1.5)
        batch = policy.codec.batch([before.row], limit=policy.context)
        expected = logprobs_under(policy.model, batch.ids, batch.action_mask, temperature=0.5)
    (after,) = recorded(policy, 1).episodes
    written = [value for value, step in zip(after.logprobs, after.row.step, strict=True) if step >= 0]
    assert written == pytest.approx(expected.tolist(), abs=1e-5)
    assert after.logprobs != before.logprobs and after.row == before.row


def test_fewer_trajectories_than_iterations(trajectory: Trajectory) -> None:
    with pytest.raises(ValueError, match="3 iterations over recorded trajectories need as many, got 1"):
        RecordedEpisodes([trajectory], CONFIG, rng=random.Random(0))


def test_the_numbers_of_a_judge_pay_the_steps(
    inputs_of: Callable[..., TrainingInputs], make_trajectory: Callable[..., Trajectory], tmp_path: Path
) -> None:
    explored = [make_trajectory(id=name) for name in "ab"]
    file = tmp_path / "judge.jsonl"
    rows = [{"id": name, "scores": [0.5, -1.0, last]} for name, last in (("a", 1.0), ("b", 2.0))]
    file.write_text("\n".join(map(json.dumps, rows)))
    learner = judged(file).make(inputs_of(explored))
    assert isinstance(learner, OnPolicyLearner) and learner.recorded is not None
    assert isinstance(learner.estimate, GAEOnRewards)
    episodes = learner.recorded(learner.policy, 0).episodes
    rewards = learner.estimate.reward(episodes)
    paid = {episode.trajectory.id: r.tolist() for episode, r in zip(episodes, rewards, strict=True)}
    assert paid == {"a": [0.5, -1.0, 1.0], "b": [0.5, -1.0, 2.0]}
    file.write_text(json.dumps(rows[0]))
    with pytest.raises(ValueError, match="no scores for 1 of 2 trajectories, the first is 'b'"):
        judged(file).make(inputs_of(explored))

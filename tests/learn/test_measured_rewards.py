"""Measured values and log-ratios as step rewards, by hand on three episodes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.reward import RewardConfig
from spa_lab.learn.collect import Collected
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods.progress_advantage import log_ratios
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.ppo import GAEOnRewards
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory

Build = Callable[..., Episode]
Make = Callable[[str, TrainingInputs], OnPolicyLearner]


def test_log_ratios_of_steps(
    make_policy: Callable[..., Policy], make_trajectory: Callable[..., Trajectory]
) -> None:
    """Three episodes that were sampled as the reference samples, but for known differences."""
    policy = make_policy("You see a door.", "Action: act", spread=0.3)
    trajectories = [
        make_trajectory(o, [True, True], id=name) for o, name in ((1.0, "a"), (0.0, "b"), (1.0, "c"))
    ]
    rows = [policy.codec.row(trajectory) for trajectory in trajectories]
    batch = policy.codec.batch(rows, limit=policy.context)
    with torch.no_grad():
        same = torch.zeros(batch.ids.shape)
        same[batch.action_mask] = logprobs_under(policy.model, batch.ids, batch.action_mask, temperature=0.5)
    episodes = []
    for trajectory, row, known, change in zip(trajectories, rows, same, (0.0, 0.5, -1.0), strict=True):
        logprobs = [float(p) + (change if t == 1 else 0) for p, t in zip(known, row.step, strict=False)]
        episodes.append(Episode(trajectory, row, tuple(logprobs)))
    n = rows[0].step.count(1)
    for ratios, expected in zip(log_ratios(policy, episodes, temperature=0.5), (0, 0.5 * n, -n), strict=True):
        np.testing.assert_allclose(ratios, [0, expected], atol=1e-5)


def test_progress_advantage_is_corrected_to_the_outcome(
    learner_of: Make, build: Build, inputs_of: Callable[..., TrainingInputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """b = 0.02: ratios 5 and 9 pay 0.1 and R - 0.1, whatever the last ratio is."""
    learner = learner_of("progress_advantage", inputs_of(reward=RewardConfig(beta=0.0, residual="kept")))
    assert isinstance(learner.estimate, GAEOnRewards)
    path = "spa_lab.learn.methods.progress_advantage.log_ratios"
    monkeypatch.setattr(path, lambda *a, **k: [np.array([5.0, 9.0]), np.array([-5.0, 9.0]), np.zeros(2)])
    paid = learner.estimate.reward([build(1.0, "a"), build(0.0, "b"), build(0.5, "c")])
    np.testing.assert_allclose(paid, [[0.1, 0.9], [-0.1, 0.1], [0, 0.5]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mc_value", [[0.5, 1], [0, 0], [0.25, 0.5]]),
        ("mc_difference", [[0.25, 0.5], [-0.25, 0], [0, 0.25]]),
    ],
)
def test_measured_values_as_step_rewards(
    learner_of: Make,
    build: Build,
    inputs_of: Callable[..., TrainingInputs],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    expected: list[list[float]],
) -> None:
    """V(h_0) = 1/4 of all; V(h_1) = 1/2, 0 and 1/4; outcomes 1, 0 and 1/2."""
    before = np.array([0.0, 0.0, 0.0, 1.0])
    after = ([0.0, 1.0], [0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    outcomes = (1.0, 0.0, 0.5)
    measured = [
        BranchOutcomes(id, outcome, (before, np.array(later)), "cloned", 4)
        for id, outcome, later in zip("abc", outcomes, after, strict=True)
    ]
    monkeypatch.setattr("spa_lab.learn.continued.branch_outcomes", lambda *a, **k: measured)
    learner = learner_of(name, inputs_of(gae_level="step"))
    assert learner.critic is not None and learner.extra is not None
    monkeypatch.setattr(learner.critic, "values", lambda episodes, *, budget: [np.zeros(5)] * 3)
    learner.critic.is_fitted = True
    episodes = [build(outcome, id) for id, outcome in zip("abc", outcomes, strict=True)]
    estimates = learner.estimate(Collected(episodes, [0, 1, 2]))
    rewards = [estimate.rewards for estimate in estimates]
    assert [[r[2], r[4]] for r in rewards if r is not None] == expected
    assert learner.extra.taken()["extra_rollouts"] == 3 * 4 + 2 + 2 + 4

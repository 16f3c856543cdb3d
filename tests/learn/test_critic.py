"""The critic: values before tokens, a first fit that reaches the returns, and its state."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Episode, Policy
from spa_lab.learn import critic as critic_module
from spa_lab.learn.checkpoint import LearnerState
from spa_lab.learn.critic import Critic
from spa_lab.types import Trajectory


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(hidden=32, spread=0.3)


@pytest.fixture
def episodes(policy: Policy, make_trajectory: Callable[..., Trajectory]) -> list[Episode]:
    """20 episodes, more than are read at once."""
    trajectories = [make_trajectory(1.0, [True] * (1 + i % 4), id=f"t{i}") for i in range(20)]
    rows = [policy.codec.row(trajectory) for trajectory in trajectories]
    return [Episode(t, row, (0.0,) * len(row.ids)) for t, row in zip(trajectories, rows, strict=True)]


def test_values_are_those_of_the_hidden_state_before_each_token(
    policy: Policy, episodes: list[Episode]
) -> None:
    critic = Critic(policy, seed=0)
    for episode, values in zip(episodes, critic.values(episodes, budget=200), strict=True):
        written = np.array(episode.row.step) >= 0
        with torch.no_grad():
            hidden = policy.model.base_model(torch.tensor([episode.row.ids])).last_hidden_state[0]
            expected = critic.head(hidden).squeeze(-1).numpy()  # (L,)
        np.testing.assert_allclose(values[written], expected[np.flatnonzero(written) - 1], atol=1e-5)
        assert not values[~written].any() and values.dtype == np.float64


def test_hidden_states_that_playing_computed_are_not_read_again(
    policy: Policy, episodes: list[Episode], monkeypatch: pytest.MonkeyPatch
) -> None:
    returns = [np.ones(len(episode.row.ids)) for episode in episodes]
    reading, keeping = Critic(policy, seed=0), Critic(policy, seed=0)
    reading.fit(episodes, returns)
    expected = reading.values(episodes, budget=200)
    with torch.no_grad():
        kept = [
            replace(episode, hidden=hidden[np.flatnonzero(np.array(episode.row.step) >= 0) - 1])
            for episode in episodes
            for hidden in policy.model.base_model(torch.tensor([episode.row.ids])).last_hidden_state
        ]
    monkeypatch.setattr("spa_lab.learn.critic.hidden_states", None)
    keeping.fit(kept, returns)
    for values, others in zip(keeping.values(kept, budget=200), expected, strict=True):
        np.testing.assert_allclose(values, others, atol=1e-4)


def test_the_first_fit_comes_near_to_the_returns(policy: Policy, episodes: list[Episode]) -> None:
    """A return that each step's index gives away."""
    before = [weight.detach().clone() for weight in policy.model.parameters()]
    returns = [np.maximum(np.array(episode.row.step), 0) / 4.0 + 0.5 for episode in episodes]
    critic = Critic(policy, seed=0)
    assert not critic.is_fitted
    critic.fit(episodes, returns, passes=200)
    assert critic.is_fitted
    fitted = critic.values(episodes, budget=999)
    errors = [
        (values - target)[np.array(episode.row.step) >= 0]
        for episode, values, target in zip(episodes, fitted, returns, strict=True)
    ]
    assert np.sqrt(np.mean(np.concatenate(errors) ** 2)) < 0.1
    assert all(torch.equal(*pair) for pair in zip(before, policy.model.parameters(), strict=True))


def test_the_first_fit_in_parts_is_the_same(
    policy: Policy, episodes: list[Episode], monkeypatch: pytest.MonkeyPatch
) -> None:
    returns = [np.maximum(np.array(episode.row.step), 0) / 4.0 + 0.5 for episode in episodes]
    heads = []
    for numbers in (2**24, 32 * 7):
        monkeypatch.setattr(critic_module, "_FIT_NUMBERS", numbers)
        critic = Critic(policy, seed=0)
        critic.fit(episodes, returns, passes=5)
        heads.append(list(critic.head.parameters()))
    for one, other in zip(*heads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_state_of_a_critic(policy: Policy, episodes: list[Episode]) -> None:
    first, other = Critic(policy, seed=0), Critic(policy, seed=1)
    first.fit(episodes, [np.ones(len(episode.row.ids)) for episode in episodes])
    other.load_state(first.state())
    assert other.is_fitted
    both = zip(first.values(episodes, budget=99), other.values(episodes, budget=99), strict=True)
    assert all(ours.tolist() == theirs.tolist() for ours, theirs in both)
    with pytest.raises(ValueError, match=r"state: the trained weights differ in 0\.bias"):
        other.load_state(LearnerState({}, {"is_fitted": True}))


def test_the_seed_decides_and_the_global_generator_is_left_alone(policy: Policy) -> None:
    state = torch.random.get_rng_state()
    first, same, other = (Critic(policy, seed=seed).head[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)

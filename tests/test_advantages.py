"""Advantages against the double sum that they abbreviate; step rewards on their tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.advantages import (
    discounted_sums,
    first_tokens,
    gae,
    on_tokens,
    step_gae,
    token_gae,
    token_rewards,
)

_SHARE = st.floats(0, 1)
_NUMBER = st.floats(-10, 10, allow_subnormal=False)


def test_by_hand() -> None:
    """gamma 1/2, lam 1/2: deltas 1 + 2/2 - 4 = -2, 0 + 8/2 - 2 = 2, 4 - 8 = -4, weighed 1, 1/4, 1/16."""
    result = gae(np.array([1.0, 0.0, 4.0]), np.array([4.0, 2.0, 8.0]), gamma=0.5, lam=0.5)
    assert result.tolist() == [-2 + 2 / 4 - 4 / 16, 2 - 4 / 4, -4]
    assert result.dtype == np.float64


def test_lam_one_is_what_came_less_what_was_expected() -> None:
    rewards, values = np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 30.0])
    assert gae(rewards, values, gamma=1.0, lam=1.0).tolist() == [7 - 10, 6 - 20, 4 - 30]


def test_lam_zero_looks_one_action_ahead() -> None:
    rewards, values = np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 30.0])
    assert gae(rewards, values, gamma=1.0, lam=0.0).tolist() == [1 + 20 - 10, 2 + 30 - 20, 4 - 30]


@given(st.lists(st.tuples(_NUMBER, _NUMBER), min_size=1, max_size=12), _SHARE, _SHARE)
def test_the_double_sum(pairs: list[tuple[float, float]], gamma: float, lam: float) -> None:
    rewards, values = np.array(pairs).T
    n = len(pairs)
    following = [*values[1:], 0.0]
    delta = [rewards[i] + gamma * following[i] - values[i] for i in range(n)]
    slow = [sum((gamma * lam) ** (j - i) * delta[j] for j in range(i, n)) for i in range(n)]
    result = gae(rewards, values, gamma=gamma, lam=lam)
    np.testing.assert_allclose(result, slow, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((2, 2), (2, 2)), ((), ())])
def test_shapes_that_do_not_match(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"got .* and "):
        gae(np.zeros(shapes[0]), np.zeros(shapes[1]), gamma=1.0, lam=1.0)


def test_no_actions() -> None:
    assert gae(np.zeros(0), np.zeros(0), gamma=1.0, lam=1.0).shape == (0,)


def test_a_reward_lies_on_the_last_token_of_its_step() -> None:
    steps = np.array([-1, -1, 0, 0, -1, 1, 2, 2, 2])
    assert token_rewards(np.array([3.0, 5.0, 7.0]), steps).tolist() == [0, 0, 0, 3, 0, 5, 0, 0, 7]


def test_tokens_of_the_world_behind_the_last_step_get_nothing() -> None:
    assert token_rewards(np.array([3.0]), np.array([-1, 0, -1, -1])).tolist() == [0, 3, 0, 0]


@given(st.lists(st.tuples(_NUMBER, st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=8))
def test_nothing_is_lost_on_the_way_to_tokens(steps: list[tuple[float, int, int]]) -> None:
    rewards = np.array([reward for reward, _, _ in steps])
    owner = [-1]
    for t, (_, n_written, n_read) in enumerate(steps):
        owner += [t] * n_written + [-1] * n_read
    result = token_rewards(rewards, np.array(owner))
    assert result.shape == (len(owner),)
    assert result.sum() == pytest.approx(rewards.sum())
    for t, reward in enumerate(rewards):
        assert result[np.array(owner) == t][-1] == reward
        assert not result[np.array(owner) == t][:-1].any()


@pytest.mark.parametrize(
    ("n_steps", "owner", "covered"),
    [(2, [-1, 0, 0], r"\[0\]"), (1, [0, 1], r"\[0, 1\]"), (2, [0, 2], r"\[0, 2\]"), (1, [-1, -1], r"\[\]")],
)
def test_steps_without_tokens(n_steps: int, owner: list[int], covered: str) -> None:
    with pytest.raises(ValueError, match=rf"cover steps {covered}, expected 0 ... {n_steps - 1}"):
        token_rewards(np.ones(n_steps), np.array(owner))


STEP = np.array([-1, 0, 0, -1, -1, 1, -1])
"""An opening, a step of two tokens, two tokens of observation, a step of one token, and an end token."""


def test_discounted_sums_by_hand() -> None:
    assert discounted_sums(np.array([1.0, 2.0, 4.0]), 0.5).tolist() == [1 + 1 + 1, 2 + 2, 4]
    assert discounted_sums(np.zeros(0), 0.5).shape == (0,)


def test_token_advantages_over_the_written_tokens() -> None:
    """gamma 1, lam 1/2: deltas 0 + 2 - 1, 0 + 4 - 2, 8 - 4 at columns 1, 2 and 5."""
    rewards, values = np.zeros((2, 7))
    rewards[5], values[[1, 2, 5]] = 8.0, [1.0, 2.0, 4.0]
    result = token_gae(rewards, values, STEP, gamma=1.0, lam=0.5)
    assert result.tolist() == [0, 1 + 0.5 * (2 + 0.5 * 4), 2 + 0.5 * 4, 0, 0, 4, 0]


def test_token_advantages_over_all_tokens_fade_over_observations() -> None:
    """The two tokens between the steps count, with value 0: deltas 0 + 2 - 1, 0 - 2, 0, 0 + 4 and 8 - 4."""
    rewards, values = np.zeros((2, 7))
    rewards[5], values[[1, 2, 5]] = 8.0, [1.0, 2.0, 4.0]
    result = token_gae(rewards, values, STEP, gamma=1.0, lam=0.5, over="all_tokens")
    third = -2 + 0.5 * (0 + 0.5 * (4 + 0.5 * 4))
    assert result.tolist() == [0, 1 + 0.5 * third, third, 0, 0, 4, 0]


def test_step_advantages_by_hand() -> None:
    """Values before the steps 1 and 4: deltas 3 + 4/2 - 1 = 4 and 5 - 4 = 1; A_0 = 4 + 1/2 * 1/2 * 1."""
    values = np.array([0.0, 1.0, 99.0, 0.0, 0.0, 4.0, 0.0])
    result = step_gae(np.array([3.0, 5.0]), values, STEP, gamma=0.5, lam=0.5)
    assert result.tolist() == [0, 4.25, 4.25, 0, 0, 1, 0]
    with pytest.raises(ValueError, match=r"cover steps \[0, 1\], expected 0 ... 2"):
        step_gae(np.zeros(3), values, STEP, gamma=1.0, lam=1.0)


def test_from_steps_to_tokens_and_back() -> None:
    assert first_tokens(STEP, 2).tolist() == [1, 5]
    assert on_tokens(np.array([3.0, 5.0]), STEP).tolist() == [0, 3, 3, 0, 0, 5, 0]

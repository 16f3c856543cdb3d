"""Advantage estimates by hand: GAE per token and per step, group-relative outcomes, a step's own credit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import gae, group_relative, step_credit, steps_of
from spa_lab.learn.step_rewards import checked_rewards
from spa_lab.types import Credit, Trajectory

STEP = (-1, 0, 0, -1, 1)
"""An opening, a step of two tokens, an observation, a step of one token."""
WRITTEN = np.array(STEP) >= 0
VALUES = np.array([0.0, 1.0, 2.0, 0.0, 4.0])
Build = Callable[..., Episode]


@pytest.fixture
def build(make_trajectory: Callable[..., Trajectory]) -> Build:
    """(outcome, id) -> an episode of two steps."""

    def make(outcome: float = 1.0, id: str = "a") -> Episode:
        trajectory = make_trajectory(outcome, [True, False], id=id)
        return Episode(trajectory, TokenRow(id, tuple(range(5)), STEP), (0.0,) * 5)

    return make


def test_gae_with_tokens_as_actions(build: Build) -> None:
    """gamma 1, lam 1/2: deltas 0 + 2 - 1, 3 + 4 - 2 and 8 - 4; the returns are advantage plus value."""
    estimate = gae(build(), np.array([3.0, 8.0]), VALUES, gamma=1.0, lam=0.5)
    last, middle = 4.0, 5.0 + 0.5 * 4.0
    first = 1.0 + 0.5 * middle
    assert estimate.advantage.tolist() == [0, first, middle, 0, last]
    assert estimate.rewards is not None and estimate.rewards.tolist() == [0, 0, 3, 0, 8]
    assert estimate.returns is not None and estimate.returns.tolist() == [
        0,
        first + 1,
        middle + 2,
        0,
        last + 4,
    ]
    assert estimate.values is VALUES and estimate.weight is None


def test_gae_with_steps_as_actions(build: Build) -> None:
    """Values 1 and 4 before the steps: deltas 3 + 4/2 - 1 = 4 and 8 - 4 = 4; A_0 = 4 + 1/4 * 4."""
    estimate = gae(build(), np.array([3.0, 8.0]), VALUES, gamma=0.5, lam=0.5, level="step")
    assert estimate.advantage.tolist() == [0, 5, 5, 0, 4]
    assert estimate.returns is not None and estimate.returns.tolist() == [0, 6, 6, 0, 8]


def test_leave_one_out_by_hand(build: Build) -> None:
    """Group 0: 1, 0, 0.5; group 7: 1, 1; the first step of the last episode costs 0.25."""
    outcomes, group = [1.0, 1.0, 0.0, 1.0, 0.5], [0, 7, 0, 7, 0]
    episodes = [build(outcome, f"e{i}") for i, outcome in enumerate(outcomes)]
    costs = [0.0, 0.0, 0.0, 0.0, -0.25]
    paid = [np.array(pair) for pair in zip(costs, outcomes, strict=True)]
    estimates = group_relative(Collected(episodes, group), paid, kind="rloo")
    expected = [1 - 0.25 / 2, 0, 0 - 1.25 / 2, 0, 0.25 - 1 / 2]
    for estimate, advantage, cost, outcome in zip(estimates, expected, costs, outcomes, strict=True):
        np.testing.assert_allclose(estimate.advantage, advantage * WRITTEN)
        assert estimate.returns is None
        assert estimate.rewards is not None and estimate.rewards.tolist() == [0, 0, cost, 0, outcome]


def test_grpo_by_hand(build: Build) -> None:
    """Outcomes 1, 0, 0: mean 1/3, variance (4/9 + 1/9 + 1/9) / 2 = 1/3; equal outcomes give 0."""
    outcomes = [1.0, 0.0, 0.0, 1.0, 1.0]
    episodes = [build(outcome, f"e{i}") for i, outcome in enumerate(outcomes)]
    paid = [np.array([0.0, outcome]) for outcome in outcomes]
    estimates = group_relative(Collected(episodes, [0, 0, 0, 1, 1]), paid, kind="grpo")
    expected = [2 / 3 * 3**0.5, -1 / 3 * 3**0.5, -1 / 3 * 3**0.5, 0, 0]
    for estimate, advantage in zip(estimates, expected, strict=True):
        np.testing.assert_allclose(estimate.advantage, advantage * WRITTEN, atol=1e-5)


def test_groups_that_cannot_be_compared(build: Build) -> None:
    with pytest.raises(ValueError, match="group 3 has 1 episode"):
        group_relative(Collected([build(), build(), build()], [0, 3, 0]), [np.zeros(2)] * 3, kind="rloo")
    with pytest.raises(ValueError, match="kind must be 'rloo' or 'grpo', got 'ppo'"):
        group_relative(Collected([build()], [0]), [np.zeros(2)], kind="ppo")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("paid", "message"),
    [
        ([[0.0, 1.0]], "got those of 1 episodes for 2"),
        ([[0.0, 1.0], [1.0]], r"of 'b': expected one for each of 2 steps, got shape \(1,\)"),
        ([[0.0, 1.0], [np.nan, 1.0]], r"of 'b': expected finite numbers, got \[nan +1"),
    ],
)
def test_step_rewards_that_fit_no_episode_name_it(build: Build, paid: Any, message: str) -> None:
    """A reward of NaN would make every weight of the policy NaN, and no later stage would say so."""
    episodes = [build(id="a"), build(id="b")]
    with pytest.raises(ValueError, match=message):
        checked_rewards(paid, episodes)
    with pytest.raises(ValueError, match=message):
        group_relative(Collected(tuple(episodes), (0, 0)), paid, kind="rloo")
    good = checked_rewards([[0, 1], (2, 3)], episodes)
    assert [numbers.dtype for numbers in good] == [np.float64] * 2


def test_credit_is_the_advantage_of_its_own_step(build: Build) -> None:
    """Not summed over later steps, and not centred."""
    episodes = [build(1.0, "a"), build(0.0, "b")]
    credits = [Credit("a", "by hand", [0.75, 0.25]), Credit("b", "by hand", [0.0, -0.5])]
    collected = Collected(episodes, [0, 0])
    estimates = step_credit(collected, credits, weight=2.0)
    assert [estimate.advantage.tolist() for estimate in estimates] == [
        [0, 1.5, 1.5, 0, 0.5],
        [0, 0, 0, 0, -1],
    ]
    assert estimates[0].rewards is not None and estimates[0].rewards.tolist() == [0, 0, 0.75, 0, 0.25]
    base = group_relative(collected, [np.array([0.0, 1.0]), np.zeros(2)], kind="rloo")
    both = step_credit(collected, credits, add_to=base)
    assert both[1].advantage.tolist() == [0, -1, -1, 0, -1.5]
    assert both[1].rewards is base[1].rewards


def test_credit_of_another_episode_is_refused(build: Build) -> None:
    for credit in (Credit("b", "x", [0.0, 0.0]), Credit("a", "x", [0.0])):
        with pytest.raises(ValueError, match="does not belong to 'a' with 2 steps"):
            step_credit(Collected([build()], [0]), [credit])


def test_steps_of_an_episode(build: Build) -> None:
    assert steps_of(build()).tolist() == list(STEP)

"""From log-ratios to values: the line through log odds, and contributions that sum to the outcome."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize

from spa_lab.credit.hindsight import OddsLine, fit_odds_line, hindsight_credit
from spa_lab.types import Trajectory


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_values_by_hand() -> None:
    """logit V = -1 + 0.5 * (0, 2, -1)."""
    values = OddsLine(-1.0, 0.5).values(np.array([2.0, -3.0]))
    assert values == pytest.approx([sigmoid(-1), sigmoid(0), sigmoid(-1.5)])


def test_the_line_minimises_its_loss() -> None:
    """Against a general optimiser: mean cross-entropy of each episode, the prior, half of each outcome."""
    rng = np.random.default_rng(0)
    outcomes = [float(rng.random() < 0.4) for _ in range(40)]
    ratios = [rng.normal(outcome - 0.4, 1.5, size=rng.integers(1, 9)) for outcome in outcomes]

    def loss(line: np.ndarray) -> float:
        total = np.logaddexp(0, line[0]) - 0.5 * line[0] + (line[1] - 1) ** 2 / 2
        for each, outcome in zip(ratios, outcomes, strict=True):
            z = line[0] + line[1] * np.concatenate([[0], np.cumsum(each)])
            total += (np.logaddexp(0, z) - outcome * z).mean()
        return float(total)

    line = fit_odds_line(ratios, outcomes)
    assert line == pytest.approx(minimize(loss, [0.0, 0.0], tol=1e-12).x, abs=1e-4)
    assert 0 < line.slope < 1


def test_a_line_is_found_where_ratios_are_far_too_large() -> None:
    """Sums of hundreds of nats that hardly tell outcomes apart: slope near 0, and the share of successes."""
    rng = np.random.default_rng(1)
    ratios = [rng.normal(0.5 if i % 4 == 0 else -0.5, 40.0, size=30) for i in range(400)]
    line = fit_odds_line(ratios, [float(i % 4 == 0) for i in range(400)])
    assert 0 <= line.slope < 0.02 and sigmoid(line.offset) == pytest.approx(0.25, abs=0.06)


def test_ratios_that_are_the_wrong_way_round_give_no_credit() -> None:
    ratios = [np.full(3, -3.0 if i % 2 else 3.0) for i in range(50)]
    line = fit_odds_line(ratios, [float(i % 2) for i in range(50)])
    assert line.slope == 0.0
    assert line.values(ratios[0]) == pytest.approx([0.5] * 4)


def test_without_a_slope_every_value_is_the_mean_outcome() -> None:
    """Failures look like successes: 12 of 48 and half of one succeed."""
    ratios = [np.full(3, -3.0 if i % 4 == 0 else 3.0) for i in range(48)]
    line = fit_odds_line(ratios, [float(i % 4 == 0) for i in range(48)])
    assert line.values(ratios[0]) == pytest.approx([12.5 / 49] * 4)


def test_contributions_sum_to_the_outcome(make_trajectory: Callable[..., Trajectory]) -> None:
    """Three episodes; the last contribution takes what is missing to R, or what the model says of it."""
    trajectories = [
        make_trajectory(outcome, [True] * n, id=name)
        for outcome, n, name in ((1.0, 2, "a"), (0.0, 3, "b"), (0.5, 1, "c"))
    ]
    ratios, line = [np.array([1.0, 2.0]), np.array([0.0, -1.0, -1.0]), np.array([3.0])], OddsLine(0.0, 1.0)
    closed = hindsight_credit(trajectories, ratios, line)
    assert closed[0].contributions == pytest.approx([sigmoid(1) - 0.5, 1 - sigmoid(1)])
    assert closed[1].contributions == pytest.approx([0, sigmoid(-1) - 0.5, -sigmoid(-1)])
    for credit, trajectory in zip(closed, trajectories, strict=True):
        assert credit.base_value + credit.contributions.sum() == pytest.approx(trajectory.known_outcome)
    read = hindsight_credit(trajectories, ratios, line, close=False)
    assert read[0].contributions[1] == pytest.approx(sigmoid(3) - sigmoid(1))


def test_no_episode() -> None:
    with pytest.raises(ValueError, match="at least 1 episode, got 0"):
        fit_odds_line([], [])

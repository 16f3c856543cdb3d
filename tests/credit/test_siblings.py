"""Sibling statistics against sums by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.credit.siblings import BANDWIDTHS, N_HINDSIGHT, N_STATISTICS, Histories, sibling_statistics
from spa_lab.types import FloatArray

STATES = np.random.default_rng(0).normal(size=(6, 8))
"""Points that a trajectory may visit."""


def history(
    outcome: float, points: Sequence[int], *, task: str = "task", logprobs: FloatArray | None = None
) -> Histories:
    zeros = np.zeros((len(points), 2))
    return Histories(task, outcome, STATES[list(points)], zeros if logprobs is None else logprobs)


def rate(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def standardised(points: Sequence[int]) -> FloatArray:
    joined = STATES[list(points)]
    scaled = (joined - joined.mean(axis=0)) / (joined.std(axis=0) + 1e-6)
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def test_outcomes_at_similar_points() -> None:
    """The first history of `a` against b and c; `d` plays another task."""
    visited = {"a": [0, 1], "b": [0, 2], "c": [3, 4], "d": [5]}
    outcomes = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0}
    others = [history(outcomes[name], visited[name]) for name in "bc"]
    own, other_task = history(1.0, visited["a"]), history(0.0, visited["d"], task="another")
    table = sibling_statistics([own, *others, other_task])[0]
    assert table.shape == (2, N_STATISTICS)
    task = (0 + 1 + 0.5) / 3  # outcomes of b and c, and the mean of all four
    np.testing.assert_allclose([rate(x) for x in table[:, 0]], task)
    unit = dict(zip(range(7), standardised([0, 1, 0, 2, 3, 4, 5]), strict=True))
    closest_of_c = max(float(unit[0] @ unit[4]), float(unit[0] @ unit[5]))
    for k, bandwidth in enumerate(BANDWIDTHS):
        weights = (1.0, math.exp((closest_of_c - 1) / bandwidth))  # b stood at the same point
        expected = (weights[1] + task) / (sum(weights) + 1)
        assert rate(table[0, 1 + 2 * k]) == pytest.approx(expected)
        assert math.expm1(table[0, 2 + 2 * k]) == pytest.approx(sum(weights))


def test_its_own_outcome_is_not_used() -> None:
    """Beyond the mean of all trajectories, which is the same in both sets."""
    siblings = [history(float(i % 2), [0, 1]) for i in range(4)]
    won, lost = (
        sibling_statistics([history(own, [0, 1]), history(1 - own, [2], task="another"), *siblings])[0]
        for own in (1.0, 0.0)
    )
    np.testing.assert_array_equal(won, lost)


def test_a_point_that_is_visited_twice_counts_a_sibling_once() -> None:
    table = sibling_statistics([history(1.0, [0, 1]), history(0.0, [1, 1, 1, 2])])[0]
    np.testing.assert_allclose(np.expm1(table[1, 2 : 1 + 2 * len(BANDWIDTHS) : 2]), 1.0)


def test_surprise_of_the_last_step() -> None:
    logprobs = np.array([[-1.0, -0.8], [-40.0, -2.0], [-0.5, -0.4]])
    table = sibling_statistics([history(1.0, [0, 1, 2], logprobs=logprobs), history(0.0, [3])])[0]
    expected = [[0, 0, 0], [-1 / 5, -0.8 / 4, -0.8 / 4], [-10 / 5, -2 / 4, -2 / 4]]
    np.testing.assert_allclose(table[:, -3:], expected)


def test_alone_in_its_task() -> None:
    table = sibling_statistics([history(1.0, [0, 1])])[0]
    assert np.isfinite(table).all()
    np.testing.assert_array_equal(table[:, 2 : 1 + 2 * len(BANDWIDTHS) : 2], 0.0)
    assert sibling_statistics([]) == []


def test_hindsight_of_the_steps_before() -> None:
    """The last step's log-ratio and half the sum so far, cut off at 3; only where all histories have them."""
    known = replace(history(1.0, [0, 1, 2, 3]), ratios=np.array([1.0, -9.0, 2.0, 5.0]))
    first, second = sibling_statistics([known, replace(known, task="another")])
    assert first.shape == (4, N_STATISTICS + N_HINDSIGHT)
    np.testing.assert_allclose(first[:, -2], [0, 1, -3, 2])
    np.testing.assert_allclose(first[:, -1], [0, 0.5, -1, 0])
    np.testing.assert_array_equal(first[:, -2:], second[:, -2:])
    without = sibling_statistics([known, history(1.0, [0], task="another")])[0]
    assert without.shape == (4, N_STATISTICS)

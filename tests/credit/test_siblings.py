"""Sibling statistics against sums by hand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.credit.siblings import N_STATISTICS, sibling_statistics
from spa_lab.types import Step, Trajectory

Make = Callable[..., Trajectory]


@pytest.fixture
def rollout(make_trajectory: Make) -> Make:
    """(id, outcome, (thought, action, reply) of each step, task) -> a trajectory."""

    def make(
        id: str, outcome: float, written: Sequence[tuple[str, str, str]], task: str = "task"
    ) -> Trajectory:
        steps = tuple(
            Step(f"Thought: {thought}\nAction: {action}", thought, action, reply, True)
            for thought, action, reply in written
        )
        return replace(make_trajectory(outcome, id=id, task_id=task), steps=steps, success=outcome == 1.0)

    return make


def rate(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def test_outcomes_at_each_point(rollout: Make) -> None:
    """Siblings of a: b read the same reply after another thought, c wrote the same first step."""
    a = rollout("a", 1.0, [("mug", "go", "shelf"), ("take", "take", "ok")])
    b = rollout("b", 0.0, [("pen", "go", "shelf"), ("take", "take", "ok")])
    c = rollout("c", 1.0, [("mug", "go", "shelf"), ("x", "y", "z")])
    other = rollout("d", 0.0, [("mug", "go", "shelf")], task="another")
    table = sibling_statistics([a, b, c, other])[0]
    assert table.shape == (2, N_STATISTICS)
    task = (0 + 1 + 0.5) / 3  # outcomes of b and c, and the mean of all four
    np.testing.assert_allclose([rate(x) for x in table[:, 0]], [task, task])
    assert [rate(x) for x in table[0, 1::2]] == pytest.approx([(1 + task) / 3] * 3)  # all start alike
    same_text, same_step, same_thought = (rate(x) for x in table[1, 1::2])
    assert same_text == pytest.approx((1 + task) / 3)  # b and c stood before "shelf"
    assert same_step == same_thought == pytest.approx((1 + task) / 2)  # c alone wrote the same
    np.testing.assert_allclose(np.expm1(table[1, 2::2]), [2, 1, 1])


def test_its_own_outcome_is_not_used(rollout: Make) -> None:
    """Beyond the mean of all trajectories, which is the same in both sets."""
    written = [("mug", "go", "shelf"), ("take", "take", "ok")]
    siblings = [rollout(f"s{i}", float(i % 2), written) for i in range(4)]
    won, lost = rollout("a", 1.0, written), rollout("a", 0.0, written)
    won_and_lost = [rollout("x", 0.0, written, "another"), rollout("x", 1.0, written, "another")]
    first, second = (
        sibling_statistics([own, balance, *siblings])[0]
        for own, balance in zip((won, lost), won_and_lost, strict=True)
    )
    np.testing.assert_array_equal(first, second)


def test_a_point_that_is_visited_twice_counts_a_sibling_once(rollout: Make) -> None:
    a = rollout("a", 1.0, [("x", "look", "room"), ("y", "look", "room"), ("z", "go", "end")])
    b = rollout("b", 0.0, [("x", "look", "room"), ("y", "look", "room"), ("z", "go", "end")])
    assert np.expm1(sibling_statistics([a, b])[0][2, 2]) == pytest.approx(1.0)


def test_a_pool_is_known_by_its_ids(rollout: Make) -> None:
    a, b = (rollout(name, outcome, [("x", "go", "y")]) for name, outcome in (("a", 1.0), ("b", 0.0)))
    np.testing.assert_array_equal(sibling_statistics([a], [a, b])[0], sibling_statistics([a, b])[0])


def test_alone_in_its_task(rollout: Make) -> None:
    table = sibling_statistics([rollout("a", 1.0, [("x", "go", "y")])])[0]
    assert np.isfinite(table).all()
    np.testing.assert_array_equal(table[0, 2::2], 0.0)

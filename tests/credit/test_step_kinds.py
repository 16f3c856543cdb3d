"""Counts of kinds of steps, by hand, and as statistics of histories."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spa_lab.credit.siblings import N_STATISTICS, Histories, sibling_statistics
from spa_lab.credit.step_kinds import N_KINDS, StepKinds
from spa_lab.types import Step, Trajectory

Make = Callable[..., Trajectory]


def played(make_trajectory: Make, *actions: tuple[str, bool | None], id: str = "a") -> Trajectory:
    steps = tuple(Step(action, "", action, "seen", grounded) for action, grounded in actions)
    return replace(make_trajectory(grounded=[True] * len(steps), id=id), steps=steps)


def test_steps_before_each_one_are_counted_by_their_first_word(make_trajectory: Make) -> None:
    """Capitals do not matter: "Take" is the word "take"; refused steps are one kind."""
    trajectory = played(
        make_trajectory,
        ("go to shelf 1", True), ("Take mug 1", None), ("take mug", False), ("go to sink", True),
        ("look", True),
    )  # fmt: skip
    kinds = StepKinds.of([trajectory])
    assert kinds.words == ("go", "take", "look")
    counts = np.expm1(kinds.counts(trajectory))
    refused, go, take, look = counts[:, [0, 2, 3, 4]].T
    np.testing.assert_allclose(refused, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(go, [0, 1, 1, 1, 2])
    np.testing.assert_allclose(take, [0, 0, 1, 1, 1])
    assert not look.any()
    assert counts.shape == (5, N_KINDS)
    np.testing.assert_allclose(counts.sum(axis=1), np.arange(5))


def test_unknown_and_rare_words_are_one_kind(make_trajectory: Make) -> None:
    many = played(make_trajectory, *((f"w{i} x", True) for i in range(20)), ("w0", True), ("[]", True))
    kinds = StepKinds.of([many])
    assert len(kinds.words) == N_KINDS - 2 and kinds.words[0] == "w0"
    other = played(make_trajectory, ("new", True), ("w19", True), ("[]", True), ("w0", True))
    np.testing.assert_allclose(np.expm1(kinds.counts(other))[:, 1], [0, 1, 2, 3])


def test_counts_are_statistics_where_all_histories_have_them() -> None:
    history = Histories("t", 1.0, np.zeros((2, 4)), np.zeros((2, 2)), counts=np.ones((2, N_KINDS)))
    table = sibling_statistics([history, replace(history, task="u")])[0]
    assert table.shape == (2, N_STATISTICS + N_KINDS)
    np.testing.assert_array_equal(table[:, N_STATISTICS:], 1.0)
    assert sibling_statistics([history, replace(history, counts=None)])[0].shape == (2, N_STATISTICS)

"""Blocks of steps: sums stay, alike neighbours are joined, and what counts as different."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.blocks import block_table
from spa_lab.view.tables.trajectory import MEASURED, as_credit


def test_a_short_episode_has_a_block_per_step(make_trajectory: Callable[..., Trajectory]) -> None:
    trajectory = make_trajectory(1.0, [True, False, True])
    credit = Credit(trajectory.id, "by hand", [0.5, -0.25, 0.5], 0.25, [0.0, 0.3, 0.4])
    truth = ValueTruth(trajectory.id, [0.2, 0.5, 0.6, 1.0], [0.04, 0.03, 0.04, 0.0], 128, "p", 9)
    table = block_table(trajectory, credit, truth)
    assert table[["first", "last"]].to_numpy().tolist() == [[0, 0], [1, 1], [2, 2]]
    np.testing.assert_allclose(table["contribution"], [0.5, -0.25, 0.5])
    np.testing.assert_allclose(table["progress"], [0.3, 0.1, 0.4])
    np.testing.assert_allclose(table["progress_error"], [0.05, 0.05, 0.04])
    np.testing.assert_allclose(table["excess"], [0.2, -0.35, 0.1])
    # 0.2 > 2 * 0.05; 0.35 < 2 * hypot(0.3, 0.05); 0.1 < 2 * hypot(0.4, 0.04)
    assert table["differs"].tolist() == [True, False, False]
    assert table["refused"].tolist() == [0, 1, 0]


def test_what_is_exact_differs_from_the_least_difference_on(
    make_trajectory: Callable[..., Trajectory],
) -> None:
    trajectory = make_trajectory(1.0, [True, True])
    truth = ValueTruth(trajectory.id, [0.0, 0.5, 1.0], [0.0, 0.0, 0.0], 0, "p", 9)
    table = block_table(trajectory, Credit(trajectory.id, "c", [0.54, 0.56]), truth)
    assert table["differs"].tolist() == [False, True]


def test_alike_neighbours_are_joined(make_trajectory: Callable[..., Trajectory]) -> None:
    trajectory = make_trajectory(1.0, [True] * 9)
    credit = Credit(trajectory.id, "c", [0.0, 0.01, 0.0, 0.5, 0.02, 0.02, 0.03, 0.02, 0.4])
    table = block_table(trajectory, credit, most=4)
    assert table[["first", "last"]].to_numpy().tolist() == [[0, 2], [3, 3], [4, 7], [8, 8]]
    np.testing.assert_allclose(table["contribution"], [0.01, 0.5, 0.09, 0.4])
    assert table[["progress", "excess"]].isna().all(axis=None) and not table["differs"].any()


@pytest.mark.parametrize("most", [1, 3, 7, 40])
def test_sums_are_those_of_the_steps(
    drawn: Callable[[int], Trajectory], opinion: Callable[..., Credit],
    measured: Callable[[Trajectory], ValueTruth], most: int,
) -> None:  # fmt: skip
    trajectory = drawn(33)
    credit, truth = opinion(trajectory), measured(trajectory)
    table = block_table(trajectory, credit, truth, most=most)
    assert len(table) == min(most, 33)
    assert table["first"].iloc[0] == 0 and table["last"].iloc[-1] == 32
    assert (table["first"].to_numpy()[1:] == table["last"].to_numpy()[:-1] + 1).all()
    assert table["contribution"].sum() == pytest.approx(credit.contributions.sum())
    assert table["progress"].sum() == pytest.approx(trajectory.known_outcome - truth.offset)
    assert table["refused"].sum() == len(trajectory.ungrounded)
    errors = credit.standard_error
    assert errors is not None
    single = table["first"] == table["last"]
    np.testing.assert_array_equal(table.loc[single, "contribution_error"], errors[table.loc[single, "first"]])
    assert table.loc[~single, "contribution_error"].isna().all()


def test_errors_of_the_values_within_a_block_cancel(
    drawn: Callable[[int], Trajectory], measured: Callable[[Trajectory], ValueTruth]
) -> None:
    trajectory = drawn(33)
    truth = measured(trajectory)
    for source in ("mc_difference_8", "Monte Carlo, 5 branches", MEASURED):
        table = block_table(trajectory, replace(as_credit(truth), source=source), truth, most=5)
        np.testing.assert_allclose(table["contribution_error"], table["progress_error"])


def test_a_block_of_unknown_error_differs_only_beyond_what_it_can_be(
    make_trajectory: Callable[..., Trajectory],
) -> None:
    trajectory = make_trajectory(1.0, [True] * 4)
    truth = ValueTruth(trajectory.id, [0.0, 0.0, 0.0, 0.5, 1.0], [0.0] * 5, 0, "p", 9)
    for error, differs in (
        (0.06, True),
        (0.2, False),
    ):  # the block is 0.3 from the truth
        credit = Credit(trajectory.id, "heads", [0.15, 0.15, 0.5, 0.5], 0.0, [error] * 4)
        table = block_table(trajectory, credit, truth, most=3)
        assert table["last"].tolist() == [1, 2, 3] and np.isnan(table.loc[0, "contribution_error"])
        assert bool(table.loc[0, "differs"]) is differs


def test_what_does_not_fit_is_refused(
    drawn: Callable[[int], Trajectory], opinion: Callable[..., Credit]
) -> None:
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        block_table(drawn(3), opinion(drawn(3)), most=0)
    with pytest.raises(ValueError, match="t4"):
        block_table(drawn(3), opinion(drawn(4)))

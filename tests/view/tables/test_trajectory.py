from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.trajectory import (
    as_credit,
    contribution_table,
    disagreement,
    pivotal_step,
    running_sum,
    running_sum_table,
    waterfall_table,
)


@pytest.fixture
def truth() -> ValueTruth:
    """Progress 0.25, -0.25 and 0.5."""
    return ValueTruth("t1", [0.5, 0.75, 0.5, 1.0], [0.3, 0.4, 0.0, 0.0], 16, "clone", 40)


def test_a_row_per_step_with_every_source_and_the_measured_values(
    trajectory: Trajectory, credit: Credit, truth: ValueTruth
) -> None:
    certain = Credit("t1", "certain", [1.0, 0.0, 0.0], standard_error=[0.1, 0.0, 0.0])
    table = contribution_table(trajectory, [credit, certain], truth)
    assert table["step"].tolist() == [0, 1, 2] and table["action"].tolist() == ["act 0", "act 1", "act 2"]
    np.testing.assert_array_equal(table["contribution[by hand]"], credit.contributions)
    np.testing.assert_array_equal(table["sum[by hand]"], [0.75, 0.5, 1.0])
    np.testing.assert_array_equal(table["standard_error[certain]"], [0.1, 0.0, 0.0])
    assert "standard_error[by hand]" not in table
    np.testing.assert_array_equal(table["progress"], [0.25, -0.25, 0.5])
    np.testing.assert_array_equal(table["value"], [0.75, 0.5, 1.0])  # after the step
    np.testing.assert_array_equal(table["value_error"], [0.4, 0.0, 0.0])
    assert not {"progress", "value"} & set(contribution_table(trajectory, [credit]))


def test_a_row_per_boundary_between_steps(trajectory: Trajectory, credit: Credit, truth: ValueTruth) -> None:
    table = running_sum_table(trajectory, [credit], truth)
    assert table["steps_taken"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(table["sum[by hand]"], [0.25, 0.75, 0.5, 1.0])
    np.testing.assert_array_equal(table["sum[by hand]"], running_sum(credit))
    np.testing.assert_array_equal(table["value"], truth.values)
    assert set(table["outcome"]) == {trajectory.outcome}


def test_every_column_is_documented(trajectory: Trajectory, credit: Credit, truth: ValueTruth) -> None:
    certain = Credit("t1", "certain", [1.0, 0.0, 0.0], standard_error=[0.1, 0.0, 0.0])
    for function in (contribution_table, running_sum_table):
        for column in function(trajectory, [credit, certain], truth).columns:
            assert column.partition("[")[0] in (function.__doc__ or ""), column


def test_disagreement_is_the_mean_absolute_difference(credit: Credit, truth: ValueTruth) -> None:
    assert disagreement(credit, truth) == pytest.approx((0.25 + 0.0 + 0.0) / 3)


@pytest.mark.parametrize(("success", "of_truth", "of_credit"), [(True, 2, 0), (False, 1, 1), (None, 2, 1)])
def test_the_pivotal_step_is_the_best_of_a_success_and_the_worst_of_a_failure(
    trajectory: Trajectory, truth: ValueTruth, success: bool | None, of_truth: int, of_credit: int
) -> None:
    episode = replace(trajectory, success=success)
    first, second = Credit("t1", "a", [0.5, -0.9, 0.2]), Credit("t1", "b", [5.0, 0.0, 9.0])
    assert pivotal_step(episode, [second, first], truth) == of_truth, "the truth comes first"
    assert pivotal_step(episode, [first, second], None) == of_credit, "then the first credit"


def test_no_step_is_pivotal_where_none_stands_out(
    make_trajectory: Callable[..., Trajectory], trajectory: Trajectory
) -> None:
    unknown = replace(trajectory, success=None)
    assert pivotal_step(unknown, [Credit("t1", "even", [0.5, -0.5, 0.5])], None) is None
    assert pivotal_step(trajectory, [Credit("t1", "even", [0.5, 0.5, 0.5])], None) is None
    assert pivotal_step(make_trajectory(grounded=[True]), [Credit("t1", "one step", [0.5])], None) == 0
    assert pivotal_step(trajectory, [], None) is None


def test_a_waterfall_leads_from_the_base_value_to_the_outcome(
    trajectory: Trajectory, truth: ValueTruth
) -> None:
    table = waterfall_table(trajectory, Credit("t1", "spa", [0.5, -0.25, 0.25], base_value=0.125))
    assert table["kind"].tolist() == ["base", "step", "step", "step", "unexplained", "outcome"]
    assert table["step"].dropna().tolist() == [0, 1, 2]
    assert table["start"].tolist() == [0, 0.125, 0.625, 0.375, 0.625, 0]
    moving = table[table["kind"] != "outcome"]
    assert moving["change"].sum() == trajectory.outcome == table["change"].iloc[-1]
    measured = waterfall_table(trajectory, as_credit(truth))
    assert "unexplained" not in set(measured["kind"]) and measured["change"].iloc[0] == 0.5
    with pytest.raises(ValueError, match="does not belong to"):
        waterfall_table(trajectory, Credit("other", "spa", [0.5, -0.25, 0.25]))

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from spa_lab.types import Credit, ValueTruth


def test_trajectory_knows_its_length_and_grounding(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False, True))
    assert len(trajectory) == 3
    assert trajectory.grounded.tolist() == [True, False, True]
    assert trajectory.grounded.dtype == bool


def test_trajectory_keeps_steps_as_a_tuple(make_trajectory):
    trajectory = make_trajectory()
    steps = list(trajectory.steps)
    copied = replace(trajectory, steps=steps)
    steps.clear()
    assert isinstance(copied.steps, tuple) and len(copied) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": ()}, "at least 1 step, got 0"),
        ({"outcome": 1.5}, r"\[0, 1\], got 1.5"),
        ({"outcome": -0.1}, r"\[0, 1\], got -0.1"),
        ({"outcome": float("nan")}, r"\[0, 1\], got nan"),
        ({"ended": "bored"}, "got 'bored'"),
    ],
)
def test_bad_trajectory_stops_at_the_door(make_trajectory, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        replace(make_trajectory(), **change)
    assert "'t1'" in str(caught.value)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_outcome_may_be_at_the_ends(make_trajectory, outcome):
    assert make_trajectory(outcome).outcome == outcome


def test_types_are_frozen(make_trajectory):
    trajectory = make_trajectory()
    with pytest.raises(FrozenInstanceError):
        trajectory.outcome = 0.0
    with pytest.raises(FrozenInstanceError):
        trajectory.steps[0].action = "other"


def test_credit_sums_by_hand():
    credit = Credit("t1", "hand", [1, -2, 4], base_value=0.5)
    assert credit.predicted_outcome == 3.5  # 0.5 + 1 - 2 + 4
    assert credit.cumulative.tolist() == [1.5, -0.5, 3.5]
    assert len(credit) == 3
    assert credit.contributions.dtype == np.float64
    assert credit.standard_error is None


def test_credit_copies_and_locks_its_arrays():
    values, error = np.array([1.0, 2.0]), np.array([0.1, 0.2])
    credit = Credit("t1", "hand", values, standard_error=error)
    values[0] = error[0] = 99
    assert credit.contributions[0] == 1.0 and credit.standard_error[0] == 0.1
    for array in (credit.contributions, credit.standard_error):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contributions": []}, r"shape \(0,\)"),
        ({"contributions": 1.0}, r"shape \(\)"),
        ({"contributions": [[1.0, 2.0]]}, r"shape \(1, 2\)"),
        ({"contributions": [1.0, float("nan")]}, "value 1 of 2 is nan"),
        ({"contributions": [float("inf")]}, "value 0 of 1 is inf"),
        ({"contributions": [1.0], "base_value": float("nan")}, "base_value must be finite, got nan"),
        ({"contributions": [1.0, 2.0], "standard_error": [0.1]}, "1 values, expected 2"),
        ({"contributions": [1.0], "standard_error": [-0.1]}, "smallest is -0.1"),
        ({"contributions": [1.0], "standard_error": [float("nan")]}, "value 0 of 1 is nan"),
    ],
)
def test_bad_credit_stops_at_the_door(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        Credit("t1", "hand", **arguments)
    assert "'t1'" in str(caught.value)


def _truth(values, standard_error=None):
    error = np.zeros(len(values)) if standard_error is None else standard_error
    return ValueTruth("t1", values, error, branches=0, policy="p", step_cap=10)


def test_progress_sums_to_outcome_less_offset():
    truth = _truth([0.25, 0.5, 0.125, 1.0])
    assert truth.progress.tolist() == [0.25, -0.375, 0.875]
    assert truth.offset == 0.25
    assert truth.progress.sum() == truth.values[-1] - truth.offset


@pytest.mark.parametrize(
    ("values", "standard_error", "message"),
    [
        ([1.0], None, "at least 2 values"),
        ([0.5, 1.0], [0.0], "1 values, expected 2"),
        ([0.5, float("nan")], None, "value 1 of 2 is nan"),
        ([[0.5, 1.0]], [[0.0, 0.0]], r"shape \(1, 2\)"),
        ([0.5, 1.0], [-0.25, 0.0], "standard_error and branches must be >= 0, got -0.25"),
    ],
)
def test_bad_truth_stops_at_the_door(values, standard_error, message):
    with pytest.raises(ValueError, match=message) as caught:
        _truth(values, standard_error)
    assert "'t1'" in str(caught.value)


def test_truth_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        _truth([0.5, 1.0]).values[0] = 1.0


@pytest.mark.parametrize("wrong", [["a", "b"], (one for one in (0.1, 0.2)), [[0.1], [0.1, 0.2]]])
def test_a_credit_that_is_no_vector_of_numbers_names_its_source(wrong: Any) -> None:
    with pytest.raises(ValueError, match="credit of 't' by 'mine': expected a vector of numbers, got"):
        Credit("t", "mine", wrong)

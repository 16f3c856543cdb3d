from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spa_lab.matching import check_match
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.frames import (
    credits_frame,
    progress_error,
    steps_frame,
    trajectories_frame,
    truths_frame,
)

Make = Callable[..., Trajectory]


def test_one_row_per_step_with_the_facts(trajectory: Trajectory) -> None:
    frame = steps_frame([trajectory])
    assert list(frame.columns) == [
        "trajectory_id", "task_id", "step", "text", "thought", "action", "observation", "grounded",
    ]  # fmt: skip
    assert frame["step"].tolist() == [0, 1, 2]
    assert frame["action"].tolist() == ["act 0", "act 1", "act 2"]
    assert frame["thought"].tolist() == ["think 0", "think 1", "think 2"]
    assert frame["text"].tolist() == [step.text for step in trajectory.steps]
    assert frame["observation"].tolist() == ["reply 0", "reply 1", "reply 2"]
    assert frame["grounded"].tolist() == [True, False, True]
    assert set(frame["trajectory_id"]) == {"t1"} and set(frame["task_id"]) == {"task"}


def test_sources_and_truth_stand_beside_the_steps(make_trajectory: Make) -> None:
    first, other = make_trajectory(id="a"), make_trajectory(id="b", grounded=(True,))
    credits = [Credit("b", "spa", [0.5]), Credit("a", "mean", [1, 2, 3]), Credit("b", "mean", [4])]
    truth = ValueTruth("b", [0.25, 1.0], [0.3, 0.4], 16, "clone", 40)
    frame = steps_frame([first, other], credits, [truth])
    # missing estimates are NaN, not zero
    np.testing.assert_array_equal(frame["contribution[spa]"], [np.nan, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(frame["contribution[mean]"], [1, 2, 3, 4])
    np.testing.assert_array_equal(frame["progress"], [np.nan, np.nan, np.nan, 0.75])
    np.testing.assert_allclose(frame["progress_error"], [np.nan, np.nan, np.nan, 0.5])
    assert list(frame.columns[-4:-2]) == ["contribution[spa]", "contribution[mean]"]


def test_credits_in_long_form(trajectory: Trajectory, credit: Credit) -> None:
    sure = Credit("t1", "sure", [1, 0, 0], standard_error=[0.1, 0, 0])
    frame = credits_frame([trajectory], [credit, sure])
    assert frame["source"].tolist() == ["by hand"] * 3 + ["sure"] * 3
    assert frame["step"].tolist() == [0, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(frame["contribution"], [0.5, -0.25, 0.5, 1, 0, 0])
    np.testing.assert_array_equal(frame["standard_error"], [np.nan, np.nan, np.nan, 0.1, 0, 0])
    np.testing.assert_array_equal(frame["cumulative"], [0.75, 0.5, 1.0, 1, 1, 1])


def test_truths_in_long_form(trajectory: Trajectory) -> None:
    truth = ValueTruth("t1", [0.5, 0.25, 0.75, 1.0], [0.3, 0.4, 0.0, 0.0], 16, "clone", 40)
    frame = truths_frame([trajectory], [truth])
    np.testing.assert_array_equal(frame["value"], [0.5, 0.25, 0.75])
    np.testing.assert_array_equal(frame["value_error"], [0.3, 0.4, 0.0])
    np.testing.assert_array_equal(frame["progress"], [-0.25, 0.5, 0.25])
    np.testing.assert_allclose(frame["progress_error"], [0.5, 0.4, 0.0])  # 3-4-5
    assert frame["progress"].sum() == truth.values[-1] - truth.offset
    np.testing.assert_allclose(progress_error(truth), frame["progress_error"])


def test_one_row_per_trajectory(make_trajectory: Make) -> None:
    first = make_trajectory(id="a", task_id="known")
    other = make_trajectory(0.5, (False,), id="b", task_id="new")
    frame = trajectories_frame([first, other], expert_length={"known": 7})
    assert frame["n_steps"].tolist() == [3, 1]
    assert frame["outcome"].tolist() == [1.0, 0.5]
    assert frame["success"].tolist() == [True, False]
    assert frame["grounding"].tolist() == [2 / 3, 0.0]
    assert frame["expert_length"].tolist() == [7, pd.NA]
    assert (frame.loc[0, "env"], frame.loc[0, "split"]) == ("toy", "train")
    assert (frame.loc[0, "policy"], frame.loc[0, "seed"], frame.loc[0, "ended"]) == ("scripted", 7, "done")
    assert trajectories_frame([first], expert_length=None)["expert_length"].isna().all()


def test_every_column_is_documented(trajectory: Trajectory, credit: Credit) -> None:
    truth = ValueTruth("t1", [0, 0, 0, 1], [0, 0, 0, 0], 0, "clone", 40)
    for function, frame in (
        (steps_frame, steps_frame([trajectory], [], [truth])),
        (credits_frame, credits_frame([trajectory], [credit])),
        (truths_frame, truths_frame([trajectory], [truth])),
        (trajectories_frame, trajectories_frame([trajectory], expert_length=None)),
    ):
        for column in frame.columns:
            assert column in (function.__doc__ or ""), column


def test_empty_input_gives_the_same_columns_and_types(trajectory: Trajectory, credit: Credit) -> None:
    for empty, full in (
        (steps_frame([]), steps_frame([trajectory])),
        (credits_frame([], []), credits_frame([trajectory], [credit])),
        (trajectories_frame([], expert_length=None), trajectories_frame([trajectory], expert_length={})),
    ):
        assert len(empty) == 0
        pd.testing.assert_series_equal(empty.dtypes, full.dtypes)


def test_text_that_cannot_be_encoded_is_kept(hostile: Trajectory) -> None:
    assert steps_frame([hostile])["action"].tolist() == [step.action for step in hostile.steps]


@pytest.mark.parametrize(
    ("credit", "message"),
    [
        (Credit("t1", "spa", [1.0]), r"credit of 't1' by 'spa' has 1 steps, the trajectory has 3"),
        (Credit("t2", "spa", [1.0]), r"credit of 't2' by 'spa': .* not among the 1 given"),
    ],
)
def test_a_credit_that_does_not_fit_is_refused(trajectory: Trajectory, credit: Credit, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        steps_frame([trajectory], [credit])
    with pytest.raises(ValueError, match=message):
        credits_frame([trajectory], [credit])


def test_a_truth_that_does_not_fit_is_refused(trajectory: Trajectory) -> None:
    with pytest.raises(ValueError, match=r"truth of 't1' has 2 steps, the trajectory has 3"):
        truths_frame([trajectory], [ValueTruth("t1", [0, 0, 1], [0, 0, 0], 0, "clone", 40)])


def test_duplicates_are_refused(trajectory: Trajectory, credit: Credit) -> None:
    with pytest.raises(ValueError, match=r"duplicate credit of 't1' by 'by hand'"):
        steps_frame([trajectory], [credit, credit])
    with pytest.raises(ValueError, match=r"duplicate trajectory id 't1'"):
        steps_frame([trajectory, replace(trajectory, seed=8)], [credit])
    assert len(steps_frame([trajectory, trajectory])) == 6  # without credits: one row per step
    check_match([trajectory], [credit])

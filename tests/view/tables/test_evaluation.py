from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spa_lab.stats import clustered_wilson, wilson
from spa_lab.types import Trajectory
from spa_lab.view.tables.evaluation import bin_label, differences_table, success_by_length, success_table
from spa_lab.view.tables.frames import trajectories_frame

BINS = ((1, 4), (5, 9), (10, None))


def _frame(lengths: list[int | None], successes: list[bool], policy: str = "p") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trajectory_id": [f"{policy}/{number}" for number in range(len(lengths))],
            "task_id": [f"task {number}" for number in range(len(lengths))],
            "policy": policy,
            "expert_length": pd.Series(lengths, dtype="Int64"),
            "success": successes,
        }
    )


def test_counts_and_intervals_by_bin() -> None:
    frame = _frame([1, 4, 4, 5, 40, 10], [True, False, True, False, True, True])
    table = success_by_length(frame, bins=BINS)
    assert table["bin"].tolist() == ["1–4", "5–9", "10+"]
    assert table["k"].tolist() == [2, 0, 2]
    assert table["n"].tolist() == [3, 1, 2]
    assert set(table["by"]) == {"expert_length"}
    for row in table.itertuples():
        interval = wilson(row.k, row.n)
        assert (row.low, row.success, row.high) == (interval.low, interval.point, interval.high)


def test_empty_bins_are_there_and_undefined() -> None:
    table = success_by_length(_frame([1, 12], [True, True]), bins=BINS)
    assert table["n"].tolist() == [1, 0, 1]
    np.testing.assert_array_equal(table.loc[1, ["success", "low", "high"]].astype(float), [np.nan] * 3)


def test_policies_keep_their_order() -> None:
    frame = pd.concat([_frame([1], [True], "z"), _frame([1, 7], [False, True], "a")])  # index not unique
    table = success_by_length(frame, bins=BINS)
    assert table["policy"].tolist() == ["z"] * 3 + ["a"] * 3
    assert table["k"].tolist() == [1, 0, 0, 0, 1, 0]
    assert table["n"].tolist() == [1, 0, 0, 1, 1, 0]


def test_default_bins_hold_every_length() -> None:
    table = success_by_length(_frame(list(range(1, 100)), [True] * 99))
    assert table["n"].tolist() == [4, 5, 5, 5, 5, 5, 70]
    assert table["bin"].tolist()[-2:] == ["25–29", "30+"]


def test_bins_of_episode_lengths(trajectory: Trajectory) -> None:
    frame = trajectories_frame([trajectory], expert_length=None)
    table = success_by_length(frame, bins=BINS, by="n_steps")
    assert table["n"].tolist() == [1, 0, 0] and set(table["by"]) == {"n_steps"}


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, None], r"1 of 2 trajectories are in no bin, the first is 'p/1' with expert_length = <NA>"),
        ([0, 99], r"1 of 2 trajectories are in no bin, the first is 'p/0' with expert_length = 0"),
    ],
)
def test_no_trajectory_is_dropped(lengths: list[int | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        success_by_length(_frame(lengths, [True, True]), bins=BINS)


@pytest.mark.parametrize("bins", [((1, 4), (4, 9)), ((5, 9), (1, 4)), ((4, 1),), ((1, None), (5, 9))])
def test_bins_ascend_and_do_not_overlap(bins: tuple[tuple[int, int | None], ...]) -> None:
    with pytest.raises(ValueError, match="bins must ascend and not overlap"):
        success_by_length(_frame([1], [True]), bins=bins)


def test_unknown_length_is_refused() -> None:
    with pytest.raises(ValueError, match="by must be one of"):
        success_by_length(_frame([1], [True]), by="seed")  # type: ignore[arg-type]


def test_bin_labels() -> None:
    assert [bin_label(edges) for edges in ((1, 4), (7, 7), (30, None))] == ["1–4", "7", "30+"]


def test_one_row_per_policy(make_trajectory: Callable[..., Trajectory]) -> None:
    long = make_trajectory(0.0, (True, True, False, False), id="a")  # 2 of 4
    short = make_trajectory(1.0, (False,), id="b")  # 0 of 1
    other = replace(make_trajectory(1.0, (True, True), id="c"), policy="other")
    table = success_table(trajectories_frame([long, short, other], expert_length=None))
    assert table["policy"].tolist() == ["scripted", "other"]
    assert table["k"].tolist() == [1, 1] and table["n"].tolist() == [2, 1]
    np.testing.assert_allclose(table["grounding"], [2 / 5, 1.0])  # of steps, not the mean of 1/2 and 0
    np.testing.assert_allclose(table["mean_steps"], [2.5, 2.0])
    interval = clustered_wilson([1], [2])  # two episodes of one task
    assert (table.loc[0, "low"], table.loc[0, "high"]) == (interval.low, interval.high)
    assert table["outcome"].tolist() == [0.5, 1.0] and table["n_seeds"].tolist() == [1, 1]


def test_an_episode_without_a_task_is_of_a_task_of_its_own() -> None:
    frame = _frame([1, 1, 1, 1], [True, False, True, True]).assign(task_id=["a", "a", None, "b"], n_steps=1)
    table = success_table(frame.assign(outcome=1.0, grounding=1.0))
    rate = clustered_wilson([1, 1, 1], [2, 1, 1])
    assert table.loc[0, ["k", "n"]].tolist() == [3, 4] and table.loc[0, "success"] == rate.point == 0.75
    assert (table.loc[0, "low"], table.loc[0, "high"]) == (rate.low, rate.high)


def _trained(policy: str, won: dict[int, list[bool]]) -> pd.DataFrame:
    """`won`: seed of the training run -> success on each task, all of expert length 3."""
    return pd.concat(
        _frame([3] * len(successes), successes, policy).assign(
            task_id=[f"task {index}" for index in range(len(successes))], run_seed=seed,
            outcome=np.array(successes, dtype=float), grounding=1.0, n_steps=2,
        )
        for seed, successes in won.items()
    )  # fmt: skip


def test_several_runs_give_one_rate_over_seeds_and_tasks() -> None:
    """Seeds that disagree widen the interval beyond that of as many independent trajectories."""
    agree = {seed: [True, False] * 20 for seed in range(3)}
    differ = {0: [True] * 40, 1: [False] * 40, 2: [True, False] * 20}
    frame = pd.concat([_trained("agree", agree), _trained("differ", differ)])
    table = success_table(frame, rng=np.random.default_rng(0)).set_index("policy")
    assert table["n_seeds"].tolist() == [3, 3] and table["n"].tolist() == [120, 120]
    np.testing.assert_allclose(table["success"], 0.5)
    width = table["high"] - table["low"]
    alike = wilson(20, 40)  # three seeds that agree know no more of tasks than one
    assert width["agree"] == pytest.approx(alike.high - alike.low, abs=0.05)
    assert width["differ"] > 0.6
    by_length = success_by_length(frame, bins=((1, 4),), rng=np.random.default_rng(0))
    assert by_length["n_seeds"].tolist() == [3, 3] and by_length["k"].tolist() == [60, 60]


def test_equal_scores_of_several_runs_have_a_wilson_interval() -> None:
    table = success_table(_trained("p", {0: [True] * 10, 1: [True] * 10}), rng=np.random.default_rng(0))
    interval = wilson(10, 10)
    assert (table.loc[0, "low"], table.loc[0, "high"]) == (interval.low, 1.0)


def test_runs_must_share_their_tasks() -> None:
    with pytest.raises(ValueError, match=r"'p': the run with seed 1 lacks task 'task 2'"):
        success_table(_trained("p", {0: [True] * 3, 1: [True] * 2}), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="'p' has 2 training runs: pass rng"):
        success_table(_trained("p", {0: [True], 1: [True]}))


def test_differences_pair_tasks_and_shared_runs() -> None:
    ours = _trained("ours", {0: [True, True], 1: [True, False], 7: [False, False]})
    theirs = _trained("theirs", {0: [True, False], 1: [False, False]})
    frame = pd.concat([ours, theirs])
    pairs = [("ours", "theirs"), ("ours", "nobody")]
    (row,) = differences_table(frame, pairs, rng=np.random.default_rng(0)).to_dict("records")
    assert (row["ours"], row["theirs"], row["n"], row["n_seeds"]) == ("ours", "theirs", 2, 2)
    assert row["point"] == 0.5 and row["method"] == "paired bootstrap over tasks and 2 seeds, 95 %"
    with pytest.raises(ValueError, match="'ours' and 'theirs' share no training run"):
        differences_table(frame[frame["run_seed"] != 1].iloc[2:], pairs, rng=np.random.default_rng(0))


def test_the_interval_of_a_pair_does_not_depend_on_the_pairs_before_it() -> None:
    rng = np.random.default_rng(1)
    frame = pd.concat(
        _trained(policy, {seed: list(rng.random(40) < 0.5) for seed in range(3)}) for policy in "abc"
    )
    for seed in range(8):  # bounds are on a grid, on which two may agree by chance
        both, (alone,) = (
            differences_table(frame, pairs, rng=np.random.default_rng(seed)).to_dict("records")
            for pairs in ([("b", "a"), ("c", "a")], [("c", "a")])
        )
        assert both[1] == alone

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from spa_lab.view.tables.scoreboard import (
    Z,
    fewer_trajectories,
    metric_rows,
    pooled_scoreboard,
    sample_sizes,
    sources_and_titles,
    without_interval,
)

Board = Callable[[float, float], pd.DataFrame]


def test_scoreboards_of_several_runs(board: Board) -> None:
    """By hand: values 0.4 and 0.6 have s^2 / K = 0.01; each interval of +- Z e has e = 0.05."""
    pooled = pooled_scoreboard([board(-0.1, 0.05 * Z), board(0.1, 0.05 * Z)])
    row = pooled.set_index(["source", "outcome", "metric"]).loc["spa", "success", "spearman"]
    half = Z * (0.02 / 2 + 0.05**2) ** 0.5
    np.testing.assert_allclose([row["low"], row["value"], row["high"]], [0.5 - half, 0.5, 0.5 + half])
    assert row["n_seeds"] == 2 and row["ceiling"] == pytest.approx(0.9) and row["chance"] == 0.5
    assert np.isnan(pooled.set_index("source").loc["mean", "value"]).all()
    more = board(0.1, 0.05 * Z).assign(n_tasks=7, n_trajectories=9)
    assert sample_sizes(pooled_scoreboard([board(0.0, 0.1), more])) == (
        "mean of 2 seeds, normal intervals over seeds and tasks, trajectories: 14 successes (at most 7 tasks "
        "a seed), 14 failures (at most 7 tasks a seed)"
    )
    single = board(0.0, 0.1)
    pd.testing.assert_frame_equal(pooled_scoreboard([single]), single.assign(n_seeds=1))
    with pytest.raises(ValueError, match="at least 1 scoreboard"):
        pooled_scoreboard([])


def test_intervals_of_width_0_say_nothing_of_the_error_over_tasks(board: Board) -> None:
    """Of two runs of which one has no spread, the error of the other counts; of none, nothing is known."""
    flat, wide = board(0.0, 0.0), board(0.0, 0.05 * Z)
    row = (
        pooled_scoreboard([flat, wide])
        .set_index(["source", "outcome", "metric"])
        .loc["spa", "success", "spearman"]
    )
    np.testing.assert_allclose([row["low"], row["high"]], [0.5 - 0.05 * Z, 0.5 + 0.05 * Z])
    pooled = pooled_scoreboard([flat, flat])
    row = pooled.set_index(["source", "outcome", "metric"]).loc["spa", "success", "spearman"]
    assert row["value"] == 0.5 and np.isnan([row["low"], row["high"]]).all()
    assert without_interval(flat) == "where the resamples do not differ"
    pooled_too = "where the resamples do not differ or a seed has too few tasks"
    assert without_interval(pooled) == pooled_too
    assert without_interval(wide) == without_interval(pooled_scoreboard([wide, wide])) == ""
    few = pooled_scoreboard([wide.assign(low=np.nan, high=np.nan), wide])
    assert without_interval(few) == pooled_too
    assert sample_sizes(few).startswith("mean of 2 seeds without intervals, trajectories: ")


def test_rows_of_a_metric_in_the_order_of_the_sources(board: Board) -> None:
    table = board(0.0, 0.1)
    assert sources_and_titles(table, ["sum_rmse"]) == (["spa", "mean"], ["title of sum_rmse"])
    rows = metric_rows(table, "spearman", "failure", ["unknown", "mean", "spa"])
    assert rows["source"].tolist() == ["unknown", "mean", "spa"]  # none is dropped
    np.testing.assert_array_equal(rows["value"], [np.nan, np.nan, 0.5])
    assert sample_sizes(table) == (
        "trajectories: 5 successes (4 tasks), 5 failures (4 tasks); bootstrap intervals over tasks"
    )
    with pytest.raises(ValueError, match=r"no metric \['beauty'\]; the table has: spearman, sum_rmse"):
        sources_and_titles(table, ["beauty"])


def test_metrics_that_fewer_trajectories_define_are_named() -> None:
    rows = [
        ("a", "rmse", "RMSE", "success", 0.1, 8), ("a", "rmse", "RMSE", "failure", 0.1, 6),
        ("a", "pair", "pairs", "success", 0.5, 5), ("b", "pair", "pairs", "failure", 0.5, 6),
        ("b", "pair", "pairs", "success", 0.6, 3), ("b", "hit", "pivot", "success", np.nan, 0),
    ]  # fmt: skip
    columns = ["source", "metric", "title", "outcome", "value", "n_trajectories"]
    table = pd.DataFrame(rows, columns=columns)
    assert fewer_trajectories(table) == "defined in fewer: pairs (n = 3 to 5)"
    assert fewer_trajectories(table[table["metric"] == "rmse"]) == ""

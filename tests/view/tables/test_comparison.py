"""Tables of a comparison: numbers by hand, agreement with `stats`, and what is left undefined."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from spa_lab.stats import holm, paired_difference, probability_of_improvement
from spa_lab.view import paper
from spa_lab.view.tables.comparison import (
    comparison_table,
    cost_table,
    kind_scores,
    kind_table,
    ordered,
    power_table,
    profile_table,
    seed_table,
)
from spa_lab.view.tables.comparison_rows import comparison_rows, group_rows, number, power_rows
from spa_lab.view.tables.learning import learning_table, with_seconds

OUTCOMES: Mapping[str, Mapping[int, str]] = {
    "base": {0: "00000000", 1: "00000000"},
    "plain": {0: "11000100", 1: "10000101"},
    "better": {0: "11110111", 1: "11010111"},
    "single": {0: "11000101"},
}
"""Policy -> seed -> outcomes of 8 tasks; the first 4 are of kind "short", the others "long"."""


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rows = [
        {"policy": policy, "run_seed": seed, "task_id": f"t{i}", "kind": "short" if i < 4 else "long"}
        | {"success": won == "1", "outcome": float(won), "n_steps": 10 + i, "grounding": 0.5}
        for policy, seeds in OUTCOMES.items()
        for seed, outcomes in seeds.items()
        for i, won in enumerate(outcomes)
    ]
    return pd.DataFrame(rows)


def test_scores_are_rates_of_a_seed_on_a_kind(frame: pd.DataFrame) -> None:
    scores = kind_scores(frame[frame["policy"] == "plain"])
    np.testing.assert_array_equal(scores, [[0.25, 0.5], [0.5, 0.25]])  # long, short
    unknown = frame.assign(kind=pd.NA)
    np.testing.assert_array_equal(kind_scores(unknown[unknown["policy"] == "plain"]), [[3 / 8], [3 / 8]])


def test_comparison_by_hand(frame: pd.DataFrame) -> None:
    table = comparison_table(frame, "plain", rng=_rng(), apart=("base",)).set_index("policy")
    assert list(table.index) == list(OUTCOMES)
    better = table.loc["better"]
    assert (better["success"], better["n"], better["n_seeds"]) == (13 / 16, 16, 2)
    assert better["difference"] == 13 / 16 - 6 / 16
    assert better["iqm"] == (0.75 + 0.75) / 2  # of .75 .75 .75 1
    assert better["improvement"] == 1.0 and better["shared_seeds"] == 2
    first, second = (
        np.array([[int(won) for won in row] for row in OUTCOMES[name].values()], dtype=float)
        for name in ("better", "plain")
    )
    made = paired_difference(first, second, rng=_rng())
    assert better["p"] == pytest.approx(made.p, abs=0.01)
    assert better["difference_low"] == pytest.approx(made.interval.low, abs=0.07)
    compared = table["p"].dropna()
    assert list(compared.index) == ["better", "single"]
    assert list(table["p_holm"].dropna()) == holm(list(compared))
    assert math.isnan(table.loc["base", "p"]) and math.isnan(table.loc["plain", "difference"])
    assert math.isnan(table.loc["single", "iqm_low"]) and math.isnan(table.loc["single", "improvement"])
    assert table.loc["single", "difference"] == 1 / 8 and table.loc["single", "shared_seeds"] == 1


def test_resamples_that_do_not_differ_are_no_interval(frame: pd.DataFrame) -> None:
    """All seeds alike: a bootstrap over them knows nothing of the uncertainty, which is not 0."""
    table = comparison_table(frame, "plain", rng=_rng()).set_index("policy")
    base = table.loc["base"]
    assert (base["iqm"], base["improvement"], base["low"]) == (0.0, 0.0, 0.0) and base["high"] > 0.2
    assert base[["iqm_low", "iqm_high", "improvement_low", "improvement_high"]].isna().all()
    assert table.loc["plain", "iqm_low"] < table.loc["plain", "iqm_high"]
    heads, rows = comparison_rows(table.reset_index(), "plain")
    assert rows[0][heads.index("IQM (%)") :][:2] == ["0.0", "–"]
    caption = paper.aggregates_figure(table.reset_index(), "plain").caption
    assert "no interval of one seed, or where the resamples do not differ" in caption
    assert "up to 2 seeds, Wilson's of one seed or where all end alike;" in caption
    single = frame[frame["policy"] == "single"]
    caption = paper.aggregates_figure(comparison_table(single, "single", rng=_rng()), "single").caption
    assert "95 % Wilson intervals over tasks (1 seed); " in caption
    assert caption.endswith("success rates of seeds on types of tasks, without intervals over seeds.")


def test_a_missing_reference_leaves_the_comparison_undefined(frame: pd.DataFrame) -> None:
    table = comparison_table(frame, "nobody", rng=_rng())
    assert table["p_holm"].isna().all() and table["success"].notna().all()
    cells = comparison_rows(table, "nobody").rows[1]
    assert cells[0] == "plain" and cells[7:11] == ["–", "–", "–", "–"]


def test_seeds_that_only_one_side_has_are_seen(frame: pd.DataFrame) -> None:
    """The difference is over the shared ones, and not that of the two rates beside it."""
    seeds = {
        row[0]: row[3] for row in comparison_rows(comparison_table(frame, "plain", rng=_rng()), "plain")[1]
    }
    assert seeds == {"base": "2", "plain": "2", "better": "2", "single": "1 (1)"}
    table = comparison_table(frame, "single", rng=_rng())
    assert {row[3] for row in comparison_rows(table, "single").rows} == {"1", "2 (1)"}


def test_the_probability_is_that_of_stats(frame: pd.DataFrame) -> None:
    table = comparison_table(frame, "better", rng=_rng()).set_index("policy")
    ours, theirs = (kind_scores(frame[frame["policy"] == name]) for name in ("plain", "better"))
    assert table.loc["plain", "improvement"] == probability_of_improvement(ours, theirs) == 0.0


def test_by_seed(frame: pd.DataFrame) -> None:
    table = seed_table(frame, "plain")
    assert list(zip(table["policy"], table["run_seed"], strict=True)) == [
        (policy, seed) for policy, seeds in OUTCOMES.items() for seed in seeds
    ]
    better = table[table["policy"] == "better"]
    assert list(better["success"]) == [7 / 8, 6 / 8] and list(better["n"]) == [8, 8]
    assert list(better["difference"]) == [4 / 8, 3 / 8]
    assert table.loc[table["policy"] == "plain", "difference"].isna().all()
    assert seed_table(frame, "none")["difference"].isna().all()
    overall = comparison_table(frame, "plain", rng=_rng()).set_index("policy")["difference"]
    means = table.groupby("policy")["difference"].mean()
    pd.testing.assert_series_equal(overall, means[overall.index])
    heads, rows = group_rows(table[::-1], "run_seed")
    assert heads == ["policy", "0", "1"] and rows[0] == ["single", "50.0 (8)", "–"]


def test_by_kind(frame: pd.DataFrame) -> None:
    table = kind_table(frame, rng=_rng())
    heads, rows = group_rows(table, "kind")
    assert heads == ["policy", "long", "short"]
    assert list(rows[1]) == ["plain", "37.5 (8)", "37.5 (8)"]


def test_profiles(frame: pd.DataFrame) -> None:
    table = profile_table(frame, rng=_rng())
    assert list(table["policy"].unique()) == ["base", "plain", "better"]  # one seed has no band
    plain = table[table["policy"] == "plain"].set_index("threshold")
    assert plain.loc[0.0, "value"] == 1.0 and plain.loc[0.5, "value"] == 0.0
    assert plain["value"].iloc[15] == 0.5  # two of four rates are above .3
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()


def test_power(frame: pd.DataFrame) -> None:
    table = power_table(frame, "plain")
    assert list(table["policy"]) == ["base", "better"]
    row = table.iloc[1]
    assert (row["seeds"], row["tasks"], row["margin"]) == (2, 8, 0.015)
    assert row["detectable"] > row["margin"] and row["tasks_needed"] > 8
    cells = power_rows(table).rows[1]
    assert cells[:3] == ["better", "2", "8"]
    assert power_rows(table.iloc[:0]).rows == []


def test_costs_are_means_over_seeds() -> None:
    costs = pd.DataFrame(
        {"env": "toy", "policy": ["a", "a", "b"], "run_seed": [0, 1, 0], "seconds": [1.0, 3.0, 5.0]}
    )
    table = cost_table(costs).set_index("policy")
    assert table.loc["a", "seconds"] == 2.0 and table.loc["a", "n_seeds"] == 2
    assert table.loc["b", "seconds"] == 5.0


def test_learning_curves_leave_out_what_a_seed_lacks() -> None:
    curves = pd.DataFrame(
        [("a", 0, 0, 8.0, 0.2), ("a", 1, 0, 8.0, 0.4), ("a", 0, 1, 16.0, 0.6)],
        columns=["policy", "run_seed", "iteration", "episodes", "success"],
    )
    (row,) = learning_table(curves, rng=_rng()).to_dict("records")
    assert (row["policy"], row["episodes"], row["n_seeds"]) == ("a", 8.0, 2)
    assert row["value"] == pytest.approx(0.3) and math.isnan(row["low"]), "two seeds make no band"
    three = pd.concat([curves, pd.DataFrame([("a", 2, 0, 8.0, 0.9)], columns=curves.columns)])
    (row,) = learning_table(three, rng=_rng()).to_dict("records")
    assert 0.2 <= row["low"] < row["value"] < row["high"] <= 0.9


def test_wall_time_is_spread_over_the_episodes() -> None:
    curves = pd.DataFrame(
        [("w", "a", 0, 0, 8.0, 0.2), ("w", "a", 0, 1, 16.0, 0.6), ("w", "b", 0, 0, 8.0, 0.1)],
        columns=["env", "policy", "run_seed", "iteration", "episodes", "success"],
    )
    costs = pd.DataFrame({"env": ["w"], "policy": ["a"], "run_seed": [0], "seconds": [30.0]})
    timed = with_seconds(curves, costs)
    assert timed["seconds"].tolist()[:2] == [15.0, 30.0] and math.isnan(timed["seconds"].iloc[2])
    assert learning_table(timed, "seconds", rng=_rng())["policy"].tolist() == ["a", "a"]
    still = with_seconds(curves.assign(episodes=0.0), costs)  # methods that count no episodes
    assert still["seconds"].isna().all()


def test_order(frame: pd.DataFrame) -> None:
    shown = ordered(frame, ["better", "plain", "single"])["policy"].unique()
    assert list(shown) == ["base", "better", "plain", "single"]


def test_numbers_as_text() -> None:
    assert [number(x, 1) for x in (-0.25, math.nan, math.inf)] == ["−0.2", "–", "no number"]


def test_power_is_unknown_where_all_pairs_differ_alike(frame: pd.DataFrame) -> None:
    """Not "detects 0.0 points with 1 task", as a variance of 0 would have it."""
    same = frame[frame["policy"] == "plain"]
    table = power_table(pd.concat([same, same.assign(policy="twin")]), "plain")
    (row,) = power_rows(table).rows
    assert row[:6] == ["twin", "2", "8", "–", "–", "–"]


def test_numbers_of_a_policy_do_not_depend_on_which_others_there_are(frame: pd.DataFrame) -> None:
    whole = comparison_table(frame, "plain", rng=_rng()).set_index("policy")
    pair = frame[frame["policy"].isin(["plain", "better"])]
    alone = comparison_table(pair, "plain", rng=_rng()).set_index("policy")
    same = [name for name in whole.columns if name != "p_holm"]
    pd.testing.assert_frame_equal(whole.loc[["plain", "better"], same], alone[same])
    assert whole.loc["better", "low"] < whole.loc["better", "high"]

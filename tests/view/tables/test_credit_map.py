"""The map of when credit helps, from curves written by hand: paired differences, in a table and a chart."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from spa_lab.view.charts.credit_map import credit_map_chart
from spa_lab.view.tables.credit_map import COLUMNS, credit_map_table, render_credit_map

GAIN = {"terminal": 0.0, "published": -0.2, "exact": 0.3}


@pytest.fixture
def curves() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for seed, task in product(range(3), "abc"):
        base = 0.4 + 0.1 * rng.random()
        for tokens, (arm, gain), iteration in product((1, 25), GAIN.items(), (0, 2)):
            if arm == "exact" and tokens == 25:
                continue  # trained once
            row = {"arm": arm, "length": 4, "episodes": 16, "tokens": 0 if arm == "exact" else tokens}
            row |= {"gamma_lambda": 0.9405**tokens, "seed": seed, "task": task, "iteration": iteration}
            rows.append(row | {"value": base + gain * iteration / 2})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_areas_are_compared_with_those_of_the_terminal_reward(curves: pd.DataFrame) -> None:
    table = credit_map_table(curves)
    assert len(table) == 4  # two arms at two values of gamma * lambda
    for row in table.to_dict("records"):
        assert row["difference"] == pytest.approx(GAIN[row["arm"]] / 2)  # the mean over a straight line
        assert row["low"] == pytest.approx(row["high"])  # every pair differs by the same
        assert (row["n_seeds"], row["n_tasks"]) == (3, 3)
    assert sorted(table["gamma_lambda"].unique()) == pytest.approx([0.9405**25, 0.9405])


def test_a_setting_is_compared_on_the_seeds_that_both_arms_have(curves: pd.DataFrame) -> None:
    unfinished = credit_map_table(curves[(curves["arm"] != "published") | (curves["seed"] < 2)])
    assert dict(zip(unfinished["arm"], unfinished["n_seeds"], strict=True)) == {"published": 2, "exact": 3}
    assert "2 to 3 seeds, all" in render_credit_map(unfinished)
    apart = curves.assign(seed=curves["seed"] + 3 * (curves["arm"] == "published"))
    assert set(credit_map_table(apart)["arm"]) == {"exact"}
    assert credit_map_table(curves[curves["arm"] == "exact"]).empty
    assert render_credit_map(pd.DataFrame()) == "no setting is finished"


def test_the_text_marks_what_is_settled(curves: pd.DataFrame) -> None:
    lines = render_credit_map(credit_map_table(curves)).splitlines()
    assert "3 seeds, all 3 tasks" in lines[0] and len(lines) == 4
    assert "-0.10 [-0.10, -0.10]*" in lines[2] and "+0.15 [+0.15, +0.15]*" in lines[2] and "–" in lines[2]


def test_the_chart_has_a_panel_for_each_arm(curves: pd.DataFrame) -> None:
    chart = credit_map_chart(credit_map_table(curves))
    published, exact = chart.traces
    np.testing.assert_allclose(np.array(published["z"]), [[-0.1, -0.1]])
    assert exact["text"] == [["<b>+0.15</b>", "<b>+0.15</b>"]]
    assert "[−0.10, −0.10], 3 seeds, 3 tasks" in published["customdata"][0][0]
    assert len(chart.to_figure().data) == 2
    with pytest.raises(ValueError, match="no rows"):
        credit_map_chart(pd.DataFrame())

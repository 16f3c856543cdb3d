"""Tables of positive controls from curves written by hand."""

import pandas as pd
import pytest

from spa_lab.stats import Interval
from spa_lab.view.paper.controls import controls_figure
from spa_lab.view.tables.controls import (
    COLUMNS,
    Prediction,
    controls_table,
    paired_areas,
    predictions_table,
    render_controls,
    verdict,
)


def _curve(arm: str, seed: int, values: list[float]) -> list[tuple[object, ...]]:
    """Of two tasks, the second 0.1 above the first, after 0, 2 and 6 iterations."""
    return [
        ("gates", arm, seed, task, iteration, value + shift)
        for task, shift in (("a", 0.0), ("b", 0.1))
        for iteration, value in zip((0, 2, 6), values, strict=True)
    ]


@pytest.fixture
def curves() -> pd.DataFrame:
    rows = [
        row
        for seed in (0, 1, 2)
        for row in (
            *_curve("exact", seed, [0.1, 0.5, 0.8 + 0.01 * seed]),
            *_curve("rloo", seed, [0.1, 0.2, 0.4]),
        )
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_areas_by_hand(curves: pd.DataFrame) -> None:
    """(2 * (0.1 + 0.2) / 2 + 4 * (0.2 + 0.4) / 2) / 6 = 0.25, and 0.05 more as the mean of both tasks."""
    exact, rloo = controls_table(curves).to_dict("records")
    assert rloo["area"] == pytest.approx(0.30) and rloo["final"] == pytest.approx(0.45)
    assert rloo["start"] == pytest.approx(0.15) and (rloo["n_seeds"], rloo["n_tasks"]) == (3, 2)
    assert rloo["low"] <= rloo["area"] <= rloo["high"]
    assert exact["area"] == pytest.approx((0.6 + 4 * (0.5 + 0.81) / 2) / 6 + 0.05)


def test_predictions_are_paired(curves: pd.DataFrame) -> None:
    asked = [Prediction("gates", "exact", "above", "rloo"), Prediction("gates", "rloo", "not below", "exact")]
    table = predictions_table(curves, [*asked, Prediction("gates", "exact", "above", "spa")])
    assert table["verdict"].tolist() == ["holds", "fails"], "an arm that was not trained is left out"
    assert table["difference"].iloc[0] == pytest.approx(-table["difference"].iloc[1])
    text = render_controls(controls_table(curves), table)
    assert "gates: exact above rloo" in text and "3 seeds, all 2 tasks" in text


def test_arms_are_paired_on_the_seeds_that_both_have(curves: pd.DataFrame) -> None:
    asked = [Prediction("gates", "exact", "above", "rloo")]
    exact = curves["arm"] == "exact"
    assert predictions_table(curves.assign(seed=curves["seed"] + 3 * exact), asked).empty
    assert predictions_table(curves.assign(seed=curves["seed"] + exact), asked)["n_seeds"].item() == 2
    with pytest.raises(ValueError, match=r"has the tasks a, c, 'rloo' has a, b"):
        predictions_table(
            curves.assign(task=curves["task"].where(~exact | (curves["task"] == "a"), "c")), asked
        )
    assert predictions_table(curves[exact | (curves["seed"] < 2)], asked)["n_seeds"].item() == 2
    assert predictions_table(curves[exact | (curves["task"] == "a")], asked).empty, "not finished"
    arms = {arm: curves[curves["arm"] == arm].sample(frac=1, random_state=0) for arm in ("exact", "rloo")}
    ours, theirs = paired_areas(arms) or pytest.fail("they are pairs")
    assert ours.shape == theirs.shape == (3, 2) and ours[2, 0] > ours[0, 0]


@pytest.mark.parametrize(
    ("relation", "low", "high", "expected"),
    [
        ("above", 0.01, 0.2, "holds"),
        ("above", -0.01, 0.2, "open"),
        ("above", -0.2, -0.01, "fails"),
        ("not below", -0.04, 0.2, "holds"),
        ("not below", -0.06, 0.2, "open"),
        ("not below", -0.2, -0.01, "fails"),
    ],
)
def test_verdicts(relation: str, low: float, high: float, expected: str) -> None:
    assert verdict(relation, Interval(low, (low + high) / 2, high, 5, "by hand")) == expected  # type: ignore[arg-type]


def test_the_figure_shows_every_arm(curves: pd.DataFrame) -> None:
    more = curves.assign(probe="last")
    figure = controls_figure(controls_table(pd.concat([curves, more])))
    assert [axes.get_title() for axes in figure.figure.axes] == ["gates", "last"]
    assert "3 seeds" in figure.caption and len(figure.numbers) == 4
    assert figure.caption.endswith("dashed: exact credit. Tasks: gates 2, last 2.")
    titled = controls_figure(controls_table(curves), titles={"exact": "exact credit"})
    names = [label.get_text() for label in titled.figure.axes[0].get_yticklabels()]
    assert names == ["exact credit", "rloo"] and list(titled.numbers["arm"]) == ["exact", "rloo"]
    with pytest.raises(ValueError, match="no rows"):
        controls_figure(pd.DataFrame())

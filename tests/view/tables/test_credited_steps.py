"""Tables of the credit of many episodes, by hand."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.paper import kind_figure
from spa_lab.view.tables.credit_heat import credit_heat
from spa_lab.view.tables.credit_truth import agreement_table, truth_pairs
from spa_lab.view.tables.credited_steps import credited_steps
from spa_lab.view.tables.folding import folded
from spa_lab.view.tables.positions import position_table
from spa_lab.view.tables.reliability import reliability_table
from spa_lab.view.tables.step_kinds import kind_table
from spa_lab.view.tables.task_means import task_means

Make = Callable[..., Trajectory]


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def steps(make_trajectory: Make) -> pd.DataFrame:
    """A success of 2 steps that was measured, and failures of 3 and 4 steps; contributions 0.1 (t + 1)."""
    lengths = {"won": (1.0, 2), "lost": (0.0, 3), "long": (0.0, 4)}
    trajectories = [make_trajectory(R, [True] * n, id=name) for name, (R, n) in lengths.items()]
    credits = [Credit(one.id, "spa", 0.1 * np.arange(1, len(one) + 1)) for one in trajectories]
    truth = ValueTruth("won", np.array([0.2, 0.5, 1.0]), np.full(3, 0.1), 8, "clone", 40)
    second = ValueTruth("won", np.array([0.2, 0.9, 1.0]), np.full(3, 0.1), 8, "clone", 40)
    return credited_steps(trajectories, credits, {"won": truth}, {"won": second})


def test_a_row_a_step(steps: pd.DataFrame) -> None:
    assert len(steps) == 9 and steps["verdict"].tolist() == ["success"] * 2 + ["failure"] * 7
    won = steps[steps["trajectory_id"] == "won"]
    np.testing.assert_allclose(won[["progress", "again"]], [[0.3, 0.7], [0.5, 0.1]])
    assert won["predicted"].tolist() == pytest.approx([0.3, 0.3])
    assert steps["progress"].isna().sum() == 7


def test_what_does_not_fit_is_refused(make_trajectory: Make) -> None:
    one = make_trajectory(1.0, [True, True], id="a")
    with pytest.raises(ValueError, match="credit of 'a' by 'spa' has 3 steps, the trajectory has 2"):
        credited_steps([one], [Credit("a", "spa", [1, 2, 3])])
    with pytest.raises(ValueError, match="credit of 'b' by 'spa' has 1 steps, the trajectory has none"):
        credited_steps([one], [Credit("b", "spa", [1])])
    short = ValueTruth("a", np.array([0.0, 1.0]), np.zeros(2), 8, "clone", 40)
    with pytest.raises(ValueError, match="truth of 'a' has 1 steps, the trajectory 2"):
        credited_steps([one], [Credit("a", "spa", [1, 2])], {"a": short})


def test_rows_of_a_heat_map_are_aligned(steps: pd.DataFrame) -> None:
    start, end = (credit_heat(steps, "spa", align) for align in ("start", "end"))
    assert start.episodes["trajectory_id"].tolist() == ["won", "lost", "long"]
    nan = math.nan
    np.testing.assert_allclose(start.values[0], [0.1, 0.2, nan, nan])
    np.testing.assert_allclose(end.values[0], [nan, nan, 0.1, 0.2])
    one = credit_heat(steps, "spa", most=1)
    assert one.episodes["trajectory_id"].tolist() == ["won", "lost"] and one.total["failure"] == 2


def test_means_are_over_rows_and_intervals_over_tasks() -> None:
    frame = pd.DataFrame(
        {
            "task_id": ["a", "a", *"bcdef", *"wxyz"], "kind": ["x"] * 7 + ["y"] * 4,
            "value": [0.0, 0.0, *[1.4] * 5, *[1.0] * 4],
        }
    )  # fmt: skip
    x, y = task_means(frame, ["kind"], "value", rng=_rng()).to_dict("records")
    assert (x["kind"], x["value"], x["n"], x["n_tasks"]) == ("x", pytest.approx(1.0), 7, 6)
    # task a weighs twice; 3 or more of 6 draws are a with probability 0.062, 4 or more with 0.009
    assert (x["low"], x["high"]) == pytest.approx((4.2 / 9, 1.4))
    assert y["value"] == 1.0 and y["n_tasks"] == 4 and math.isnan(y["low"]), "too few tasks"


def test_positions(steps: pd.DataFrame) -> None:
    again = pd.concat([steps.assign(trajectory_id=steps["trajectory_id"] + str(i)) for i in range(3)])
    table = position_table(again.reset_index(drop=True), rng=_rng())
    absolute = table[(table["by"] == "absolute") & (table["source"] == "spa")]
    lost = absolute[absolute["verdict"] == "failure"].set_index("position")
    assert lost["value"].to_dict() == pytest.approx({0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4})
    assert lost["n"].to_dict() == {0: 6, 1: 6, 2: 6, 3: 3}
    relative = table[(table["by"] == "relative") & (table["verdict"] == "success")]
    truth = relative[relative["source"] == "truth"].set_index("position")
    assert truth["value"].to_dict() == pytest.approx({0.05: 0.3, 0.95: 0.5})
    assert position_table(steps, rng=_rng())["n"].min() >= 3 or position_table(steps, rng=_rng()).empty


def test_agreement_with_the_truth_and_its_ceiling(steps: pd.DataFrame) -> None:
    pairs = truth_pairs(steps)
    assert pairs["source"].tolist() == ["spa"] * 2 + ["second measurement"] * 2
    table = agreement_table(pairs, rng=_rng()).set_index("source")
    assert table["value"].to_dict() == pytest.approx({"spa": 1.0, "second measurement": -1.0})
    assert truth_pairs(steps.assign(progress=np.nan)).empty


def test_reliability(steps: pd.DataFrame) -> None:
    table = reliability_table(steps, rng=_rng(), bins=5)
    assert table["n"].tolist() == [1, 1, 1] and table["value"].tolist() == [1.0, 0.0, 0.0]
    assert table["predicted"].tolist() == pytest.approx([0.3, 0.6, 1.0])
    assert ((table["left"] <= table["predicted"]) & (table["predicted"] <= table["right"] + 1e-12)).all()
    assert (0 < table["low"].iloc[0] < 1) and table["high"].iloc[0] == 1.0, "Wilson's, with a task as trial"
    exact = steps.assign(predicted=steps["outcome"])
    assert reliability_table(exact, rng=_rng()).empty


def test_kinds(steps: pd.DataFrame) -> None:
    kinds = steps.assign(kind=["go", "go", "go", "take", "take", "look", "go", "open", "use"])
    table = kind_table(kinds, rng=_rng(), most=3)
    assert list(dict.fromkeys(table["kind"])) == ["go", "take", "other"]
    go = table[(table["kind"] == "go") & (table["source"] == "spa")].iloc[0]
    assert go["n"] == 4 and go["value"] == pytest.approx((0.1 + 0.2 + 0.1 + 0.2) / 4)
    assert table.loc[table["source"] == "truth", "value"].tolist() == pytest.approx([0.4])


def test_kinds_of_sources_that_credit_different_episodes(steps: pd.DataFrame) -> None:
    kinds = steps.assign(kind="go")
    later = steps.assign(kind=["take"] * (len(steps) - 1) + ["go"], source="later", trajectory_id="other")
    table = kind_table(pd.concat([kinds, later], ignore_index=True), rng=_rng())
    assert list(dict.fromkeys(table["kind"])) == ["go", "take"]
    figure = kind_figure(table)
    names = [label.get_text() for label in figure.figure.axes[0].get_yticklabels()]
    assert names == [f"go (1 to {len(steps)})", f"take ({len(steps) - 1})"]


def test_folding() -> None:
    credit = Credit("a", "spa", [0.3, -0.04, -0.0401, -0.0399, -0.04, -0.04, 0.3])
    assert folded([credit]) == [range(1), range(1, 2), range(2, 6), range(6, 7)]
    other = Credit("a", "mean", [0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2])
    assert [len(run) for run in folded([credit, other])] == [1] * 7, "runs of three stay as they are"
    values = np.array([0.5, 0.8, 0.8, 0.8, 0.8, 0.8, 0.2, 0.2])
    sure = ValueTruth("a", values, np.full(8, 0.01), 99, "clone", 40)
    assert folded([credit], sure) == [range(1), range(1, 2), range(2, 5), range(5, 6), range(6, 7)]
    noisy = ValueTruth("a", values, np.full(8, 0.5), 4, "clone", 40)
    assert folded([credit], noisy) == folded([credit]), "what differs by no more than noise is equal"

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from spa_lab.stats import wilson
from spa_lab.types import Trajectory
from spa_lab.view.html.branches import values_html
from spa_lab.view.tables.branches import difference_interval, value_interval, values_table
from spa_lab.view.tables.collection import Collection
from spa_lab.widgets import BranchView

Press = Callable[..., None]


def _grow(trajectory: Trajectory, step: int, n: int) -> list[float]:
    """Half of them succeed, three quarters after another action."""
    return [float(i % 4 > (0 if trajectory.id == "other" else 1)) for i in range(n)]


def _what_if(trajectory: Trajectory, step: int, action: str) -> Trajectory:
    steps = (*trajectory.steps[:step], replace(trajectory.steps[step], action=action))
    return replace(trajectory, id="other", steps=(*steps, *trajectory.steps[step + 1 :]))


def test_interval_by_hand() -> None:
    assert value_interval([1, 1, 0, 1]) == (wilson(3, 4).low, 0.75, wilson(3, 4).high)
    low, mean, high = value_interval([0.5, 0.7])
    assert (low, mean, high) == pytest.approx((0.6 - 1.96 * 0.1, 0.6, 0.6 + 1.96 * 0.1))
    with pytest.raises(ValueError, match=r"needs outcomes in \[0, 1\]"):
        value_interval([0.5, 2.0])
    assert "No continuation has been played" in values_html({})


def test_the_interval_of_a_difference() -> None:
    """Newcombe (1998), table II: 56 of 70 against 48 of 80, method 10 without continuity correction."""
    rates = [(rate.low, rate.point, rate.high) for rate in (wilson(56, 70), wilson(48, 80))]
    assert difference_interval(*rates) == pytest.approx((0.0524, 0.2, 0.3339), abs=5e-5)
    table = values_table({"before": [1.0, 0.0], "after": [1.0] * 8}, {"end": 1.0})
    assert table["n"].tolist() == [2, 8, 0] and table["difference"].isna().tolist() == [True, False, False]
    end = table.iloc[2]
    assert end["difference"] == 0.5 and end["difference_high"] == pytest.approx(1 - wilson(1, 2).low)
    page = values_html({"before": [1.0, 0.0, 0.5], "after": [0.0] * 90})
    assert "●○◐" in page and "and 10 more" in page


def test_allowed_actions_are_offered(trajectory: Trajectory) -> None:
    view = BranchView(
        Collection.of([trajectory]), _grow, what_if=_what_if, actions=lambda trajectory, step: ["<b>", "go"]
    )
    assert (
        view.controls.count("<option") == 2
        and "&lt;b&gt;" in view.controls
        and "2 are allowed" in view.controls
    )


def test_growing_shrinks_the_interval(trajectory: Trajectory, press: Press) -> None:
    view = BranchView(Collection.of([trajectory]), _grow, budget=16)
    press(view, grow="")
    first = view.to_frame()
    assert first["n"].tolist() == [16, 16] and first["step"].tolist() == [0, 1]
    press(view, grow="")
    second = view.to_frame()
    assert ((second["high"] - second["low"]) < (first["high"] - first["low"])).all()
    assert "0.500" in view.values and "32" in view.values
    view.selection.step = 2  # the last one: what comes after it is known
    press(view, grow="")
    assert ("t1", 3) not in view.grown and len(view.grown["t1", 2]) == 16
    assert "known" in view.values and view.values.count("●") == 8 + 1  # the head explains the signs


def test_another_action_stands_beside_the_original(trajectory: Trajectory, press: Press) -> None:
    view = BranchView(Collection.of([trajectory]), _grow, what_if=_what_if, budget=8)
    press(view, what_if="")
    assert "choose or type an action first" in view.status
    press(view, action="<b>jump</b>", what_if="")
    assert view.other is not None and view.other.steps[0].action == "<b>jump</b>"
    assert "&lt;b&gt;jump&lt;/b&gt;" in view.beside and "<b>jump" not in view.beside + view.values
    press(view, grow="")
    assert dict(zip(view.to_frame()["trajectory_id"], view.to_frame()["value"], strict=True))["other"] == 0.75
    view.selection.step = 1
    assert view.other is None and view.beside == ""


def test_growing_can_be_stopped_and_bad_outcomes_are_said(trajectory: Trajectory) -> None:
    async def some() -> BranchView:
        view = BranchView(Collection.of([trajectory]), _grow, budget=8000)
        view.start()
        while not view.grown:
            await asyncio.sleep(0.01)
        view.stop()
        return view

    view = asyncio.run(some())
    assert 0 < len(view.grown["t1", 0]) < 8000

    async def bad() -> BranchView:
        view = BranchView(Collection.of([trajectory]), lambda trajectory, step, n: [7.0] * n)
        view.start()
        while not view.status:
            await asyncio.sleep(0.01)
        return view

    view = asyncio.run(bad())
    assert "needs outcomes" in view.status and view.grown == {}
    with pytest.raises(ValueError, match="chunk and budget must be >= 1"):
        BranchView(Collection.of([trajectory]), _grow, chunk=0)

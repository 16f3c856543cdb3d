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
    half = 1.96 * (0.1325 / 2) ** 0.5  # the variance of 0, 0.5, 0.7 and 1
    assert value_interval([0.5, 0.7]) == pytest.approx((0.6 - half, 0.6, 1.0))
    low, _, high = value_interval([0.5, 0.5])
    assert low < 0.1 and high > 0.9, "two equal outcomes are no certainty"
    assert "not told apart" in values_html({"before": [0.5, 0.5], "after": [0.6, 0.6]})
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
    assert "●○◐" in page and "and 10 more" in page and "● R = 1, ○ R = 0, ◐ in between" in page


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


def test_actions_that_begin_alike_have_a_row_each(trajectory: Trajectory) -> None:
    long = "click[red running shoes for women, size {}]"
    steps = (replace(trajectory.steps[0], action=long.format(7)), *trajectory.steps[1:])
    view = BranchView(Collection.of([replace(trajectory, steps=steps)]), _grow, what_if=_what_if, budget=8)
    view.try_action(long.format(9))
    assert view.values.count("<tr") == 1 + 3 and "(1)" in view.values and "(2)" in view.values
    assert view.to_frame()["trajectory_id"].tolist() == ["t1", "t1", "other"]


def test_as_many_are_played_as_the_button_says(trajectory: Trajectory, press: Press) -> None:
    view = BranchView(Collection.of([trajectory]), _grow, budget=10, chunk=8)
    press(view, grow="")
    assert "Play 10 continuations" in view.controls and view.to_frame()["n"].tolist() == [10, 10]


def test_an_error_of_the_users_player_is_said_and_playing_can_begin_again(
    trajectory: Trajectory, press: Press
) -> None:
    def broken(trajectory: Trajectory, step: int, n: int) -> list[float]:
        raise RuntimeError("<server> gone")

    async def play() -> BranchView:
        view = BranchView(Collection.of([trajectory]), broken)
        view.start()
        while not view.status:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        return view

    view = asyncio.run(play())
    assert "RuntimeError: &lt;server&gt; gone" in view.status
    assert "disabled" not in view.controls.split("</button>")[0], "Play"
    sent: list[object] = []
    view.send = sent.append
    with pytest.raises(RuntimeError):
        press(view, grow="")
    assert sent == [{"answered": True}] and "RuntimeError" in view.status

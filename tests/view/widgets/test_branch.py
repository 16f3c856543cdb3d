import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from spa_lab.stats import wilson
from spa_lab.types import Trajectory
from spa_lab.view.html.branches import values_html
from spa_lab.view.tables.branches import value_interval
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


def test_another_action_stands_beside_the_original(trajectory: Trajectory, press: Press) -> None:
    view = BranchView(Collection.of([trajectory]), _grow, what_if=_what_if, budget=8)
    press(view, what_if="")
    assert "type an action first" in view.status
    press(view, action="<b>jump</b>", what_if="")
    assert view.other is not None and view.other.steps[0].action == "<b>jump</b>"
    assert "&lt;b&gt;jump&lt;/b&gt;" in view.beside and "<b>jump" not in view.beside + view.values
    press(view, grow="")
    assert dict(zip(view.to_frame()["trajectory_id"], view.to_frame()["value"], strict=True))["other"] == 0.75
    view.selection.step = 1
    assert view.other is None and view.beside == ""


def test_growing_can_be_stopped_and_bad_outcomes_are_said(trajectory: Trajectory) -> None:
    async def some() -> BranchView:
        view = BranchView(Collection.of([trajectory]), _grow, budget=80)
        view.start()
        await asyncio.sleep(0.05)
        view.stop()
        await asyncio.sleep(0.05)
        return view

    view = asyncio.run(some())
    assert 0 < len(view.grown["t1", 0]) < 80

    async def bad() -> BranchView:
        view = BranchView(Collection.of([trajectory]), lambda trajectory, step, n: [7.0] * n)
        view.start()
        await asyncio.sleep(0.05)
        return view

    view = asyncio.run(bad())
    assert "needs outcomes" in view.status and view.grown == {}
    with pytest.raises(ValueError, match="chunk and budget must be >= 1"):
        BranchView(Collection.of([trajectory]), _grow, chunk=0)

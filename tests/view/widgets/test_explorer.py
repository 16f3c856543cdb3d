import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.configs.reward import RewardConfig
from spa_lab.rewards import fuse
from spa_lab.types import Credit, Trajectory
from spa_lab.view.tables.advantages import AdvantageSettings
from spa_lab.view.tables.collection import Collection
from spa_lab.widgets import Inspector, RewardExplorer, Selection


def test_a_slider_moves_reward_and_advantage(
    trajectory: Trajectory, credit: Credit, press: Callable[..., None]
) -> None:
    selection, rival = Selection(source="by hand"), replace(credit, source="SPA, linear")
    view = RewardExplorer(Collection.of([trajectory], [credit, rival]), selection)
    before, drawn = view.to_frame(), view.chart
    press(view, alpha="2", lam="0.5")
    assert view.settings.alpha == 2 and view.settings.lam == 0.5
    after = view.to_frame()
    np.testing.assert_allclose(after["from_credit"], 2 * before["from_credit"])
    assert not np.allclose(after["advantage"], before["advantage"]) and view.chart != drawn
    press(view, source="terminal")
    assert selection.source == "terminal" and view.to_frame()["contribution"].tolist() == [0, 0, 1]
    press(view, form="published")
    assert view.settings == AdvantageSettings() and selection.source == "SPA, linear"
    press(view, form="terminal")
    assert selection.source == "terminal" and view.settings.granularity == "step"
    press(view, form="spa", beta="0")
    assert selection.source == "SPA, linear" and view.settings.residual == "last" and view.settings.beta == 0
    view.selected_step = 2
    assert selection.step == 2


def test_buttons_of_spa_need_a_source_of_it(
    trajectory: Trajectory, credit: Credit, press: Callable[..., None]
) -> None:
    view = RewardExplorer(Collection.of([trajectory], [credit]))
    press(view, form="published")
    assert view.selection.source == "by hand" and "Terminal reward" in view.controls
    assert "SPA-RL" not in view.controls, "another source's credit is not what SPA-RL pays"
    sparse = RewardExplorer(Collection.of([trajectory], [replace(credit, source="sparse reward")]))
    assert "SPA-RL" not in sparse.controls
    linear = RewardExplorer(Collection.of([trajectory], [replace(credit, source="SPA, linear")]))
    assert "SPA-RL, as published" in linear.controls


def test_spreading_the_error_moves_widget_and_static_page(
    trajectory: Trajectory, credit: Credit, press: Callable[..., None]
) -> None:
    credit = replace(credit, base_value=0.0)  # it lacks 0.25 of R = 1
    view = RewardExplorer(Collection.of([trajectory], [credit]), Selection(source="by hand"))
    kept = view.to_frame()
    press(view, residual="spread")
    spread, config = view.to_frame(), RewardConfig(residual="spread")
    np.testing.assert_array_equal(spread["reward"], fuse(trajectory, credit, config))
    assert abs(spread["reward"] - kept["reward"]).min() > 0.01
    assert '<option value="spread" selected>' in view.controls
    for page in (view.numbers, view.static()):
        rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<summary>the numbers")[2])[1:]
        rewards = [re.findall(r"<td[^>]*>(.*?)</td>", row)[4].replace("−", "-") for row in rows]
        np.testing.assert_allclose([float(cell) for cell in rewards], spread["reward"], atol=5e-3)


def test_knobs_out_of_range_are_said(
    trajectory: Trajectory, credit: Credit, press: Callable[..., None]
) -> None:
    view = RewardExplorer(Collection.of([trajectory], [credit]))
    for moves in ({"gamma": "7"}, {"gamma": "nan"}, {"alpha": "x"}, {"placement": "<b>"}):
        drawn = view.chart
        press(view, **moves)
        assert 'role="alert"' in view.status and "<b>" not in view.status and view.chart == drawn


def test_who_gave_no_credit_is_said(make_trajectory: Callable[..., Trajectory]) -> None:
    first, second = make_trajectory(id="a"), make_trajectory(id="b")
    view = RewardExplorer(Collection.of([first, second], [Credit("b", "<i>spa", [0.0, 0, 1])]))
    view.selection.choose("a")
    assert "&lt;i&gt;spa gave this trajectory no credit" in view.summary and view.chart == ""
    with pytest.raises(ValueError, match="no chart is shown"):
        view.to_figure()
    with pytest.raises(ValueError, match="gave 'a' no credit"):
        view.to_frame()
    view.selection.choose("b")
    assert view.to_frame()["contribution"].tolist() == [0, 0, 1]


def test_what_a_trajectory_lacks_is_said_where_it_is_missing(
    make_trajectory: Callable[..., Trajectory], credit: Credit, press: Callable[..., None]
) -> None:
    known = make_trajectory(id="known")
    blind = replace(known, id="<b>blind", steps=tuple(replace(s, grounded=None) for s in known.steps))
    endless = replace(known, id="endless", outcome=None, success=None)
    credits = [replace(credit, trajectory_id=one.id) for one in (known, blind, endless)]
    collection = Collection.of([known, blind, endless], credits)
    view = RewardExplorer(collection, Selection(trajectory_id="known"))
    inspector = Inspector(collection, view.selection)
    press(inspector, trajectory="1")
    assert inspector.status == "" and inspector.trajectory.id == "<b>blind", "no error of the inspector"
    assert "step 0: whether the world executed the action is unknown" in view.summary
    assert "<b>" not in view.summary and view.chart == view.numbers == ""
    press(view, beta="0")
    assert view.chart and "unknown" not in view.summary and view.to_frame()["grounding"].isna().all()
    press(inspector, trajectory="2")
    assert "its outcome is unknown" in view.summary and view.chart == inspector.status == ""
    press(inspector, trajectory="0")
    assert view.chart and "unknown" not in view.summary


def test_own_token_counts_are_used(trajectory: Trajectory, credit: Credit) -> None:
    view = RewardExplorer(
        Collection.of([trajectory], [credit]), tokens=lambda trajectory: [7] * len(trajectory)
    )
    assert view.to_frame()["n_tokens"].tolist() == [7, 7, 7]
    view.settings = replace(view.settings, critic="truth")  # not measured: drawn without
    assert "✗" not in view.status and view.to_frame() is not None

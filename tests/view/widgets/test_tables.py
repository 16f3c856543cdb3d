"""Views of tables and folders: scoreboard, what the gradient saw, training monitor, run browser."""

import asyncio
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from spa_lab.store import Run
from spa_lab.types import Trajectory
from spa_lab.view import paper
from spa_lab.view.html.gradient import alarms_html
from spa_lab.widgets import GradientInspector, Monitor, RunBrowser, Scoreboard, Selection, browse_runs

Press = Callable[..., None]


@pytest.fixture
def board() -> pd.DataFrame:
    """Two sources and a ceiling; one statistic is undefined."""
    rows = []
    for number, (source, outcome, metric) in enumerate(
        itertools.product(["<b>spa", "mean", "second"], ["success", "failure"], ["spearman", "rmse"])
    ):
        value = np.nan if number == 5 else 0.05 * number
        numbers = {"value": value, "low": value - 0.1, "high": value + 0.1, "ceiling": 0.9}
        rest = {"n_trajectories": 40, "title": metric.title(), "best": 1.0, "chance": 0.0}
        rows.append({"source": source, "outcome": outcome, "metric": metric} | numbers | rest)
    return pd.DataFrame(rows)


def test_checks_that_passed_are_counted_and_folded() -> None:
    alarms = [SimpleNamespace(raised=raised, text=f"<{number}>") for number, raised in enumerate([0, 1, 0])]
    page = alarms_html(alarms)
    assert (
        "2 checks passed" in page
        and page.count("⚠") == 1
        and page.index("&lt;1&gt;") < page.index("<details")
    )


def test_scoreboard_shows_every_number(board: pd.DataFrame, press: Press, tmp_path: Path) -> None:
    view = Scoreboard(board)
    for row in board.itertuples():
        shown = (
            "undefined" if np.isnan(row.value) else f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}], n=40"
        )
        assert shown.replace("-", "−") in view.board
    assert "<b>spa" not in view.board and view.board.count('class="ceiling"') == 12
    press(view, metrics=json.dumps(["Rmse"]), outcomes=json.dumps(["failure"]))
    assert len(view.to_frame()) == 3 and "Spearman" not in view.board
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_results("fidelity", board.assign(chance=np.nan).to_dict("records"))
    assert Scoreboard(run).to_frame()["value"].equals(Scoreboard(board).to_frame()["value"])
    alone = Scoreboard(board.assign(low=np.nan, high=np.nan))
    assert "0.05 no interval, n=40" in alone.board and "whisker" not in alone.board
    flat = board.assign(low=board["value"], high=board["value"])
    assert "0.05 no interval, n=40" in Scoreboard(flat).board, "resamples that do not differ"
    caption = "; no interval where the resamples do not differ."
    assert [paper.scoreboard_figure(one, ["rmse"]).caption.endswith(caption) for one in (flat, board)] == [
        True, False,
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"columns missing: \['ceiling'\]"):
        Scoreboard(board.drop(columns="ceiling"))


class Alarm(NamedTuple):
    name: str
    raised: bool
    share: float
    text: str


@pytest.fixture
def seen(trajectory: Trajectory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tokens a step."""
    tokens = pd.DataFrame(
        [
            {"trajectory_id": "t1", "step": t, "position": 2 * t + i, "token": 10 * t + i, "reward": 0.0,
             "value": 0.5, "advantage": 0.1 * t, "push": t - 1.0, "kl": 0.01, "kl_push": -0.02}
            for t in range(3)
            for i in range(2)
        ]
    )  # fmt: skip
    numbers = ["reward", "advantage", "push", "kl", "kl_push"]
    steps = tokens.groupby(["trajectory_id", "step"], as_index=False)[numbers].mean()
    return steps.assign(n_tokens=2, grounded=trajectory.grounded, success=True), tokens


def test_the_gradients_view_follows_the_selection(
    seen: tuple[pd.DataFrame, pd.DataFrame], trajectory: Trajectory
) -> None:
    selection = Selection()
    alarms = [Alarm("a", False, 0, "all is <well>"), Alarm("b", True, 0.5, "half is lost")]
    view = GradientInspector(*seen, alarms, selection, trajectories=[trajectory], spell=lambda i: f"<tok{i}>")
    assert view.alarms.index("half is lost") < view.alarms.index("all is &lt;well&gt;")
    assert "act 1" in view.steps and "✗ ungrounded" in view.steps
    selection.step = 2
    assert view.selected_step == 2 and "&lt;tok20&gt;" in view.tokens and "tok10" not in view.tokens
    view.selected_step = 1
    assert selection.step == 1 and "&lt;tok11&gt;" in view.tokens
    assert re.findall(r'class="number">([^<]*)', view.steps)[2::4] == ["−1.00", "0", "+1.00"]
    selection.choose("of another view")
    assert view.n_steps == 3
    with pytest.raises(ValueError, match="nothing to show: 0 steps and 6 tokens"):
        GradientInspector(seen[0].iloc[:0], seen[1])


def test_monitor_sees_what_a_run_writes(tmp_path: Path, press: Press) -> None:
    run = Run.create(tmp_path / "r<i>", {}, seed=0)
    view = Monitor(run)
    assert "No metrics yet" in view.stages and view.curves == "" and "no stage is finished yet" in view.stages
    run.save_metrics("clone", [{"loss": 0.5}, {"loss": float("nan")}, {"loss": 0.25}])
    press(view, look="")
    assert view.shown == ["clone"] and view.to_figure().data[0].y[-1] == 0.25
    assert view.to_frame()["loss"].tolist()[::2] == [0.5, 0.25]
    with run.stage("clone"):
        pass
    run.save_metrics("ppo", [{"success": 0.1}])
    run.save_results("fidelity", [{"source": "spa", "value": 0.1}])  # no curve
    press(view, look="")
    assert (
        "1 stage finished" in view.stages
        and "<i>" not in view.stages
        and "success" in view.curves
        and "No metrics" not in view.stages
    )
    assert view.alarms == "" and "limit of the alarm" not in view.curves
    run.save_metrics("ppo-spa", [{"credit_missed": 0.01}, {"credit_missed": 0.4}])
    press(view, look="")
    assert "⚠ alarm" in view.alarms and "in iteration 2 of 2, 40.0% of the episodes" in view.alarms
    assert "limit of the alarm" in view.curves
    press(view, shown="[]")
    assert view.curves == view.alarms == ""
    with pytest.raises(ValueError, match="seconds between two reads must be > 0"):
        Monitor(run, seconds=0)


def test_monitor_opens_on_the_stage_that_runs_with_few_metrics_in_words(tmp_path: Path, press: Press) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_metrics("estimate", [{"loss": 0.5, "bias": 0.0, "share_on_last_step": 0.1, "progress": 0.5}])
    run.save_metrics("clone", [{"loss": 0.5, "accuracy": 0.9}])
    view = Monitor(run)
    assert view.shown == ["estimate"]
    assert _titles(view) == ["loss, squared outcome", "share of |c| on the last step"]
    press(view, all_metrics="")
    assert "predicted minus true outcome" in _titles(view) and "Fewer metrics" in view.controls
    press(view, shown=json.dumps(["clone", "estimate"]))
    assert _titles(view)[0] == "loss"  # in two units
    metrics = dict.fromkeys(("success", "outcome", "length", "reward", "kl", "loss", "value"), 0.5)
    for method in ("spa", "terminal"):
        run.save_metrics(f"ppo-{method}", [metrics], stage="ppo", method=method)
    press(view, look="", all_metrics="")
    assert view.shown == ["ppo-spa", "ppo-terminal"] and len(_titles(view)) == 4
    assert "success, share of episodes" in _titles(view) and '"iteration"' in view.curves
    assert {tuple(trace.x) for trace in view.to_figure().data} == {(1,)}, "as alarms and reports count"


def _titles(view: Monitor) -> list[str]:
    notes = json.loads(view.curves)["layout"]["annotations"]
    return [note["text"].removeprefix("<b>").removesuffix("</b>").replace("<br>", " ") for note in notes]


def test_monitor_watches_by_itself(tmp_path: Path, press: Press) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)

    async def watch() -> Monitor:
        view = Monitor(run, seconds=0.01)
        press(view, live="")
        run.save_metrics("clone", [{"loss": 0.5}])
        await asyncio.sleep(0.1)
        press(view, live="")
        run.save_metrics("later", [{"loss": 0.5}])
        await asyncio.sleep(0.05)
        return view

    view = asyncio.run(watch())
    assert view.shown == ["clone"] and not view.live


def test_monitor_goes_on_watching_after_a_broken_file(tmp_path: Path, press: Press) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_metrics("clone", [{"loss": 0.5}])
    (file,) = (tmp_path / "r").rglob("clone*.jsonl")
    whole = file.read_bytes()

    async def watch() -> list[str]:
        view, said = Monitor(run, seconds=0.01), []
        press(view, live="")
        for content in (b"<b>broken\n", whole):
            file.write_bytes(content)
            await asyncio.sleep(0.1)
            said.append(view.status)
        assert view.live
        press(view, live="")
        return said

    broken, mended = asyncio.run(watch())
    assert "broken JSON" in broken and "<b>" not in broken and mended == ""


def test_runs_are_browsed_with_the_inspector_below(
    tmp_path: Path, trajectory: Trajectory, press: Press
) -> None:
    for name in ("a", "b"):
        Run.create(tmp_path / name, {}, seed=4).save_trajectories("seen", [trajectory])
    box = browse_runs(tmp_path)
    (browser,) = box.children
    press(browser, trajectory="1")
    assert box.children == (browser, browser.inspector)
    first = browser.inspector
    press(browser, ticked=json.dumps(["a", "b"]))
    assert box.children == (browser, browser.inspector) and browser.inspector is not first
    assert browser.found.count("<input") == 2 and "<input" not in browser.static()
    assert "2 found; choose one, or tick two" in browser.found and "2 found</p>" in browser.static()
    assert "trajectory files" in browser.found and browser.to_frame()["trajectory_files"].tolist() == [1, 1]


def test_a_broken_run_is_named_and_the_others_are_listed(tmp_path: Path, press: Press) -> None:
    for name in ("a", "<b>"):
        Run.create(tmp_path / name, {}, seed=4)
    (tmp_path / "<b>/run.json").write_text("{")
    view = RunBrowser(tmp_path)
    assert view.to_frame()["run"].tolist() == ["a"]
    press(view, trajectory="0")
    for page in (view.status, view.static()):
        assert "left out: " in page and "&lt;b&gt;/run.json" in page and "<b>/" not in page
    (tmp_path / "a/run.json").write_text("[]")
    with pytest.raises(ValueError, match=r"<b>/run\.json.*; .*a/run\.json"):
        RunBrowser(tmp_path)


def test_run_browser_opens_what_is_chosen(tmp_path: Path, trajectory: Trajectory, press: Press) -> None:
    for name in ("b", "deep/a"):
        run = Run.create(tmp_path / name, {"env": "<b>toy", "method": "spa", "preset": "tiny"}, seed=4)
        run.save_trajectories("seen", [trajectory])
    row = {"success": 0.25, "low": 0.046, "high": 0.7, "n": 4}
    summary = {"main_panel": "unseen", "titles": {"spa": "<b>SPA"}, "panels": {"unseen": {"spa": row}}}
    (tmp_path / "deep/a/summary.json").write_text(json.dumps(summary), encoding="utf-8")
    opened: list[object] = []
    view = RunBrowser(tmp_path, opened=opened.append)
    assert view.to_frame()["run"].tolist() == ["b", "deep/a"]
    assert view.to_frame()["success"].tolist() == ["–", "<b>SPA 25.0%"] and "&lt;b&gt;SPA 25.0%" in view.found
    assert "&lt;b&gt;toy" in view.found and "<b>toy" not in view.found
    press(view, trajectory="1")
    assert "run a" in view.details and "4.6% – 70.0%" in view.details and opened == [view.inspector]
    press(view, ticked=json.dumps(["b", "nonsense"]))
    assert len(opened) == 1
    press(view, ticked=json.dumps(["b", "deep/a"]))
    assert len(opened) == 2 and view.inspector.beside_set == "a / seen"
    assert "The same actions to the end." in view.inspector.steps
    press(view, trajectory="7")
    assert "no run 7, there are 2" in view.status
    with pytest.raises(ValueError, match="no run"):
        RunBrowser(tmp_path / "deep/a/trajectories")

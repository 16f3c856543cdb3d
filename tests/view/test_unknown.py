"""What nobody knows of a trajectory is shown as unknown, and what needs it refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from spa_lab.configs.reward import RewardConfig
from spa_lab.pipeline.figures import figures
from spa_lab.rewards import fuse, mean, terminal
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory
from spa_lab.view import text
from spa_lab.view.charts.credit import credit_chart
from spa_lab.view.html.steps import steps_html
from spa_lab.view.paper import bars_figure, success_figure
from spa_lab.view.tables.collection import Collection, Query
from spa_lab.view.tables.evaluation import success_table
from spa_lab.view.tables.frames import steps_frame, trajectories_frame
from spa_lab.view.widgets.inspector import Inspector


@pytest.fixture
def unknown(make_trajectory: Callable[..., Trajectory]) -> Trajectory:
    """Three steps, of which nobody knows anything."""
    known = make_trajectory()
    steps = tuple(replace(step, grounded=None) for step in known.steps)
    return replace(known, id="u", steps=steps, outcome=None, success=None)


@pytest.fixture
def both(make_trajectory: Callable[..., Trajectory], unknown: Trajectory) -> list[Trajectory]:
    """A success with one ungrounded step of three, and the unknown one."""
    return [make_trajectory(), unknown]


def test_in_text(both: list[Trajectory]) -> None:
    assert text.facts(both[0]) == "R = 1.00 (success) · 3 steps, 1 ungrounded · t1"
    assert text.facts(both[1]) == "R = unknown · 3 steps, grounding unknown · u"
    partly = replace(both[0], success=None, outcome=0.5, steps=(*both[0].steps[:2], both[1].steps[2]))
    assert text.facts(partly) == "R = 0.50 (success unknown) · 3 steps, 1 ungrounded, 1 unknown · t1"


def test_in_html_and_charts(both: list[Trajectory]) -> None:
    known, unknown = (steps_html(trajectory, []) for trajectory in both)
    assert (known.count("✗ ungrounded"), known.count(">g ?<")) == (1, 0)
    assert (unknown.count("✗ ungrounded"), unknown.count(">g ?<")) == (0, 3)
    drawn, empty = (credit_chart(trajectory, []) for trajectory in both)
    assert [trace["name"] for trace in drawn.traces] == ["action", "R = 1.00"]
    assert [trace["name"] for trace in empty.traces] == ["action"]
    assert all(label.endswith("(grounding unknown)") for label in empty.traces[0]["customdata"])


def test_in_tables(both: list[Trajectory]) -> None:
    steps = steps_frame(both)
    assert steps["grounded"].isna().tolist() == [False] * 3 + [True] * 3
    frame = trajectories_frame(both, expert_length=None).assign(policy="p")
    assert frame["success"].isna().tolist() == [False, True] and np.isnan(frame["outcome"].iat[1])
    assert frame["n_grounding_known"].tolist() == [3, 0]
    (row,) = success_table(frame).itertuples()
    assert (row.k, row.n, row.outcome) == (1, 1, 1.0) and row.grounding == pytest.approx(2 / 3)
    (row,) = success_table(frame.iloc[1:]).itertuples()
    assert (row.k, row.n) == (0, 0) and all(map(np.isnan, (row.success, row.outcome, row.grounding)))


def test_in_the_inspector(both: list[Trajectory], tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_trajectories("e", both)
    assert run.load_trajectories("e") == both
    for collection in (Collection.of(both), Collection.read(run, "e")):
        assert [collection.find(Query(outcome=kind)) for kind in ("success", "failure", "unknown")] == [
            [0], [], [1],
        ]  # fmt: skip
        assert collection.find(Query(order="lowest outcome")) == [0, 1], "unknown goes last"
        assert collection.credits(1, ["terminal", "mean"]) == []
        view = Inspector(collection)
        assert '<td title="R = unknown, unknown">?</td>' in view.found
        view.on_control("trajectory", "1")
        assert "R = unknown" in view.head and "No credit of this trajectory by: terminal, mean" in view.head


def test_in_figures(unknown: Trajectory, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_trajectories("e", [unknown])
    run.save_credits("e", [Credit("u", "judge", np.array([0.1, 0.2, 0.3]))])
    said = figures(runs=[run.path], out=tmp_path / "out")
    names = {path.stem for path in (tmp_path / "out").glob("*.pdf")}
    assert {"contributions-episode", "running-sum-episode"} <= names
    assert "left out: advantages-episode: trajectory 'u', step 0: whether the world executed" in said
    numbers = pd.read_csv(tmp_path / "out/running-sum-episode.csv", comment="#")
    assert numbers["outcome"].isna().all()


def test_a_rate_that_nobody_knows_is_drawn_as_such(both: list[Trajectory]) -> None:
    frame = trajectories_frame(both, expert_length=None).assign(policy=["known", "blind"])
    for make in (success_figure, bars_figure):
        partly, blind = make(success_table(frame)), make(success_table(frame.iloc[1:]))
        written = [words.get_text() for words in partly.figure.findobj(Text)]
        assert "–" in written and "100.0 [20.7, 100.0]" in written
        assert not any("nan" in words for words in written) and "Wilson" in partly.caption
        assert blind.caption == "Strict success in per cent, which is known of no episode."


def test_what_needs_it_refuses(unknown: Trajectory) -> None:
    for needs_outcome in (terminal, mean):
        with pytest.raises(ValueError, match="trajectory 'u': its outcome is unknown, and this needs one"):
            needs_outcome(unknown)
    credit = Credit("u", "judge", np.zeros(3))
    with pytest.raises(ValueError, match="trajectory 'u', step 0: whether the world executed"):
        fuse(unknown, credit, RewardConfig())
    assert fuse(unknown, credit, RewardConfig(beta=0.0)).tolist() == [0.0] * 3
    with pytest.raises(ValueError, match="whether it succeeded is unknown"):
        _ = unknown.known_success

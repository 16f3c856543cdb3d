"""Figures of many episodes and of compared policies: readable at both widths, numbers as in the tables."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from spa_lab.types import Credit, Step, Trajectory, ValueTruth
from spa_lab.view import paper
from spa_lab.view.paper import Page, PaperFigure
from spa_lab.view.paper.fonts import SANS, SERIF
from spa_lab.view.tables.comparison import comparison_table, profile_table
from spa_lab.view.tables.credit_truth import agreement_table, truth_pairs
from spa_lab.view.tables.credited_steps import credited_steps, kind_of_step
from spa_lab.view.tables.learning import learning_table
from spa_lab.view.tables.positions import position_table
from spa_lab.view.tables.reliability import reliability_table
from spa_lab.view.tables.step_kinds import kind_table
from tests.view.paper.readable import assert_readable

NARROW, WIDE = Page(3.25, spans_columns=False, font=SANS), Page(5.5, font=SERIF)
Drawings = Callable[[Page], list[PaperFigure]]
LONG = "a source with quite a long name, <b>$x$</b>"
VERBS = (
    "go to desk 1",
    "take pen 1",
    "open drawer 2",
    "look",
    "use lamp 1",
    "clean pan 1",
    "heat egg 1",
    "cool egg 1",
)


@pytest.fixture(scope="module")
def steps(make_trajectory: Callable[..., Trajectory]) -> pd.DataFrame:
    """24 episodes of 6 tasks and 3 to 12 steps, half of them successes, with two sources, measured twice."""
    rng = np.random.default_rng(3)
    trajectories, credits, truths, again = [], [], {}, {}
    for i in range(24):
        n_steps = 3 + i % 10
        played = make_trajectory(float(i % 2), [t % 5 != 4 for t in range(n_steps)], id=f"e{i}")
        acted = [replace(step, action=VERBS[t % len(VERBS)]) for t, step in enumerate(played.steps)]
        trajectory = replace(played, task_id=f"task {i % 6}", steps=tuple(acted))
        values = np.linspace(0.4, float(i % 2), n_steps + 1) + 0.02 * rng.normal(size=n_steps + 1)
        error = np.full(n_steps + 1, 0.03)
        for into, shift in ((truths, 0.0), (again, 0.02)):
            noisy = np.clip(values + shift * rng.normal(size=n_steps + 1), 0, 1)
            into[trajectory.id] = ValueTruth(trajectory.id, noisy, error, 32, "clone", 40)
        trajectories.append(trajectory)
        credits += [Credit(trajectory.id, "spa", rng.normal(0.05, 0.2, n_steps), 0.1)]
        credits += [Credit(trajectory.id, LONG, rng.normal(0.0, 0.1, n_steps))]
    ordered = [credit for source in ("spa", LONG) for credit in credits if credit.source == source]
    return credited_steps(trajectories, ordered, truths, again)


@pytest.fixture(scope="module")
def compared() -> pd.DataFrame:
    """Three policies of three seeds on 12 tasks of three kinds."""
    rng = np.random.default_rng(0)
    rates = {"base": 0.1, "PPO, terminal reward": 0.5, "SPA-RL, penalty, beta 0.05": 0.75}
    return pd.DataFrame(
        [
            {
                "policy": policy, "run_seed": seed, "task_id": f"t{i}", "kind": "abc"[i % 3],
                "success": bool(rng.random() < rate), "outcome": rate, "n_steps": 9, "grounding": 0.5,
            }
            for policy, rate in rates.items() for seed in range(3) for i in range(12)
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def of_steps(steps: pd.DataFrame) -> Drawings:
    rng, pairs = np.random.default_rng(1), truth_pairs(steps)
    positions, agreement = position_table(steps, rng=rng), agreement_table(pairs, rng=rng)
    reliability, kinds = reliability_table(steps, rng=rng), kind_table(steps, rng=rng)
    return cache(
        lambda page: [
            paper.heat_figure(steps, "spa", columns=page),
            paper.position_figure(positions, columns=page),
            paper.truth_figure(pairs, agreement, columns=page),
            paper.reliability_figure(reliability, columns=page),
            paper.kind_figure(kinds, columns=page),
        ]
    )


@pytest.fixture(scope="module")
def of_policies(compared: pd.DataFrame) -> Drawings:
    rng, reference = np.random.default_rng(2), "PPO, terminal reward"
    table = comparison_table(compared, reference, rng=rng, apart=("base",))
    profiles = profile_table(compared, rng=rng)
    curves = pd.DataFrame(
        [
            (policy, seed, i, 64.0 * (i + 1), 60.0 * i, rate + 0.02 * i * seed)
            for policy, rate in ((reference, 0.4), ("SPA-RL, penalty, beta 0.05", 0.5))
            for seed in range(3)
            for i in range(5)
        ],
        columns=["policy", "run_seed", "iteration", "episodes", "seconds", "success"],
    )
    by_episodes, by_time = (learning_table(curves, against, rng=rng) for against in ("episodes", "seconds"))
    apart = table.assign(ours=table["policy"], theirs=reference, method="bootstrap", point=0.1)
    apart = apart.assign(low=-0.2, high=0.3)
    return cache(
        lambda page: [
            paper.bars_figure(table, columns=page),
            paper.success_figure(table, columns=page),
            paper.differences_figure(apart, columns=page),
            paper.aggregates_figure(table, reference, columns=page),
            paper.profile_figure(profiles, columns=page),
            paper.learning_figure(by_episodes, columns=page),
            paper.learning_figure(by_time, columns=page, name="by-time"),
        ]
    )


@pytest.mark.parametrize("page", [NARROW, WIDE], ids=["narrow", "wide"])
def test_figures_of_steps_are_readable(of_steps: Drawings, page: Page) -> None:
    for printable in of_steps(page):
        # a reliability diagram of two sources needs no more
        most = 5.8 if printable.name == "reliability" else page.width
        assert_readable(printable, width=min(page.width, most))


@pytest.mark.parametrize("page", [NARROW, WIDE], ids=["narrow", "wide"])
def test_figures_of_policies_are_readable(of_policies: Drawings, page: Page) -> None:
    for printable in of_policies(page):
        assert_readable(printable)


@pytest.mark.parametrize("page", [NARROW, WIDE], ids=["narrow", "wide"])
def test_one_episode_as_text_is_readable(
    drawn: Callable[[int], Trajectory],
    opinion: Callable[..., Credit],
    measured: Callable[[Trajectory], ValueTruth],
    hostile: Trajectory,
    page: Page,
) -> None:
    trajectory = drawn(9)
    assert_readable(paper.episode_figure(trajectory, opinion(trajectory), measured(trajectory), columns=page))
    flat = Credit(hostile.id, "<b>$s$</b>", [0.5, *[-0.04] * (len(hostile) - 1)])
    printable = paper.episode_figure(hostile, flat, columns=page)
    assert_readable(printable)
    words = [text.get_text() for axes in printable.figure.axes for text in axes.texts]
    assert "… 5 more steps, each:" in words and words.count("−0.04") == 2
    assert len(printable.numbers) == len(hostile), "the numbers are of all steps"


def _numbers(figure: Figure) -> np.ndarray:
    """What lines, points and bars show."""
    found = [np.zeros(0)]
    for axes in figure.findobj(match=lambda artist: hasattr(artist, "xaxis")):
        found += [np.asarray(data, dtype=float).ravel() for line in axes.lines for data in line.get_data()]
        found += [
            np.array([bar.get_width(), bar.get_height()]) for bar in axes.patches if hasattr(bar, "get_width")
        ]
        found += [np.asarray(image.get_array(), dtype=float).ravel() for image in axes.images]
        assert not any(isinstance(artist, PathCollection) for artist in axes.collections)
    return np.concatenate(found)


def test_the_numbers_are_drawn(of_steps: Drawings, of_policies: Drawings) -> None:
    shown = {
        "credit-heat": ["contribution"], "credit-by-position": ["position", "value"],
        "credit-against-truth": ["progress", "contribution"], "reliability": ["predicted", "value", "n"],
        "credit-by-kind": ["value"], "success-bars": ["success"], "success": ["success"],
        "differences": ["point"], "aggregates": ["success", "iqm", "improvement"],
        "profiles": ["threshold", "value"], "success-by-episodes": ["episodes", "value"],
        "by-time": ["minutes", "value"],
    }  # fmt: skip
    for printable in of_steps(WIDE) + of_policies(WIDE):
        numbers = _numbers(printable.figure)
        for column in shown[printable.name]:
            values = printable.numbers[column].dropna().to_numpy(dtype=float)
            assert len(values), (printable.name, column)
            assert all(np.isclose(numbers, value, atol=1e-12).any() for value in values), (
                printable.name,
                column,
            )


def test_grey_tells_apart_what_colours_do(of_steps: Drawings, of_policies: Drawings) -> None:
    """Series differ in marker or dash, bars in hatching, and negative cells of a heat map are crossed."""
    heat, positions, *_ = of_steps(WIDE)
    for legend in positions.figure.legends:
        keys = [(handle.get_marker(), str(handle.get_linestyle())) for handle in legend.legend_handles]
        assert len(set(keys)) == len(keys)
    image = heat.figure.axes[0].images[0].get_array()
    (crosses,) = heat.figure.axes[0].lines
    assert len(crosses.get_xdata()) == (image < -0.25 * heat.figure.axes[0].images[0].norm.vmax).sum() > 0
    bars = of_policies(WIDE)[0].figure.axes[0].patches
    hatches = [bar.get_hatch() for bar in bars]
    assert len(set(hatches)) == len(hatches) == 3


def test_a_folded_run_is_one_row(drawn: Callable[[int], Trajectory]) -> None:
    trajectory = drawn(30)
    credit = Credit(trajectory.id, "spa", [0.5, 0.25, *[-0.04] * 27, 0.3])
    printable = paper.contributions_figure(trajectory, [credit], columns=NARROW)
    assert_readable(printable)
    sheet, bars, sums = printable.figure.axes
    assert "… 26 more:" in [text.get_text() for text in sheet.texts]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.5, 0.25, 0.3, -0.04, -0.04])
    drawn_sums = next(line.get_xdata() for line in sums.lines if len(line.get_xdata()) == 6)
    np.testing.assert_allclose(drawn_sums, [0, *credit.cumulative[[0, 1, 2, 28, 29]]])
    assert len(printable.numbers) == 30


def test_nothing_to_draw_is_refused(steps: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no episode has credit of 'theirs'"):
        paper.heat_figure(steps, "theirs")
    for make in (paper.position_figure, paper.reliability_figure, paper.kind_figure, paper.bars_figure):
        with pytest.raises(ValueError, match="no rows"):
            make(pd.DataFrame(columns=["source", "policy"]))
    with pytest.raises(ValueError, match="no step was measured"):
        paper.truth_figure(pd.DataFrame(), pd.DataFrame())


def test_kinds_of_steps() -> None:
    step = Step("Action: go", "", "Go to desk 1", "ok", True)
    assert kind_of_step(step) == "go" and kind_of_step(replace(step, grounded=False)) == "refused"
    assert kind_of_step(replace(step, action="search[red shoes]")) == "search"
    assert kind_of_step(replace(step, action="  ")) == "no action"


def _caption_of_truth(steps: pd.DataFrame) -> str:
    pairs = truth_pairs(steps)
    return paper.truth_figure(pairs, agreement_table(pairs, rng=np.random.default_rng(0))).caption


def test_an_interval_is_promised_where_there_is_one(steps: pd.DataFrame) -> None:
    assert "n = 24 episodes of 6 tasks;" in _caption_of_truth(steps)
    assert "mean and 95 % bootstrap interval over tasks; dotted" in _caption_of_truth(steps)
    one = steps[steps["task_id"] == "task 0"]
    assert "mean (fewer than 5 tasks: no interval); dotted" in _caption_of_truth(one)
    constant = (steps["source"] == LONG) & (steps["task_id"] != "task 0")
    partly = steps.assign(contribution=steps["contribution"].mask(constant, 0.1))
    assert "interval over tasks, no interval where it is defined in fewer than 5 tasks;" in _caption_of_truth(
        partly
    )


def test_episodes_are_counted_for_each_source(steps: pd.DataFrame) -> None:
    def caption(of: pd.DataFrame) -> str:
        return paper.reliability_figure(reliability_table(of, rng=np.random.default_rng(0))).caption

    assert "number of episodes, n = 24 for each source." in caption(steps)
    assert "number of episodes, n = 24 in all." in caption(steps[steps["source"] == LONG])
    fewer = steps[(steps["source"] == "spa") | steps["trajectory_id"].isin(["e0", "e1", "e2"])]
    assert "number of episodes, n = 3 to 24 for each source." in caption(fewer)
    table = position_table(steps, rng=np.random.default_rng(0))
    assert "; episodes: n = 12 (success), n = 12 (failure); diamonds" in paper.position_figure(table).caption

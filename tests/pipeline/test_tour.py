from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spa_lab
from spa_lab.paths import tour_folder
from spa_lab.pipeline.tour import TOURS, features, fit_linear, linear_credit, make_tour
from spa_lab.store import Run
from spa_lab.types import Trajectory
from spa_lab.view.tables.collection import Collection

DATA = Path(__file__).resolve().parent.parent.parent / "data"
WORLDS = pytest.mark.parametrize("env", sorted(TOURS))


@WORLDS
def test_the_shipped_run_is_what_the_tour_needs(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(DATA))
    view = spa_lab.inspect(tour_folder(env))
    collection = view.collection
    assert Run.open(tour_folder(env)).config["env"] == env
    assert len(collection) == 24 and int(collection.index["success"].sum()) == 12
    assert set(collection.sources) == {"SPA, linear", "Monte Carlo, 5 branches", "random", "terminal", "mean"}
    for index in range(24):
        truth, trajectory = collection.truth(index), collection.trajectory(index)
        assert truth is not None and truth.values[-1] == trajectory.outcome and truth.branches == 128
    assert not np.isnan(collection.disagreements("SPA, linear")).any()


@WORLDS
def test_the_second_measurement_is_independent(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives what a second measurement scores; the inspector shows the first."""
    monkeypatch.setenv("SPA_LAB_DATA", str(DATA))
    run = Run.open(tour_folder(env))
    truths, repeated = (run.load_truths(name) for name in ("monte-carlo", "monte-carlo-again"))
    shown = Collection.read(run, "careless")
    deviations = []
    for first, second in zip(truths, repeated, strict=True):
        assert first.trajectory_id == second.trajectory_id and second.branches == 128
        truth = shown.truth(shown.position(first.trajectory_id))
        assert truth is not None and truth.values.tolist() == first.values.tolist()
        error = np.hypot(first.standard_error, second.standard_error)[:-1]
        deviations += ((first.values - second.values)[:-1] / error).tolist()
    assert 0.8 < np.std(deviations) < 1.2 and np.max(np.abs(deviations)) < 4.5, (
        "the errors agree with the differences"
    )


@WORLDS
def test_making_it_is_repeatable(env: str, tmp_path: Path) -> None:
    small = replace(TOURS[env], each=1, branches=4, fitted=12)
    runs = tuple(make_tour(tmp_path / name, env, small) for name in ("one", "two"))
    for kind in ("trajectories", "credits", "truths"):
        for name in runs[0].names(kind):  # type: ignore[arg-type]
            files = [run.path / kind / f"{name}.jsonl" for run in runs]
            assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(ValueError, match="1 successes and 0 failures, 1 of each wanted"):
        make_tour(tmp_path / "three", env, replace(small, slips=0.0, step_cap=200))


def test_a_verb_is_the_first_word_of_an_action(make_trajectory: Callable[..., Trajectory]) -> None:
    """Also in the form click[buy now]."""
    (step,) = make_trajectory(1.0, [True]).steps
    verbs = {
        action: features(replace(step, action=action))[1] for action in ("click[buy now]", "go to bed 1", "")
    }
    assert verbs == {"click[buy now]": "click", "go to bed 1": "go", "": ""}


def test_the_linear_estimator_is_the_papers_loss(make_trajectory: Callable[..., Trajectory]) -> None:
    """Two kinds of step; episodes of n refused and m good ones with R = m / 4: the weights can be exact."""
    sizes = [(n, m) for n in range(3) for m in range(5) if n + m]
    episodes = [make_trajectory(m / 4, [False] * n + [True] * m, id=f"{n}{m}") for n, m in sizes]
    weights = fit_linear(episodes, ridge=1e-9)
    for episode in episodes:
        assert linear_credit(episode, weights).predicted_outcome == pytest.approx(episode.outcome, abs=1e-6)
    parts = linear_credit(episodes[-1], weights).contributions
    np.testing.assert_allclose(parts, [0, 0, 0.25, 0.25, 0.25, 0.25], atol=1e-6)

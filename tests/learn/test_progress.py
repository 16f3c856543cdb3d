"""The progress model: learns from siblings, sums to R, and continues from a saved replay."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.configs.progress import ProgressConfig
from spa_lab.learn.progress import ProgressData, ProgressModel, clock_log_odds, fit_progress
from spa_lab.learn.progress_replay import ProgressReplay
from spa_lab.types import Step, Trajectory

CONFIG = ProgressConfig(epochs=40, batch=64)


def _steps(*actions: str) -> tuple[Step, ...]:
    return tuple(Step(f"Action: {action}", "", action, f"did {action}", True) for action in actions)


def rollouts(make_trajectory: Callable[..., Trajectory], tasks: range) -> list[Trajectory]:
    """Eight of each task; those that take "right" at the second step win, the others lose after more steps.

    Which ones is drawn: with as many wins in every task, the siblings' outcomes would give away the own one.
    """
    rng = random.Random(tasks.start)
    won = {(task, i): rng.random() < 0.5 for task in tasks for i in range(8)}
    return [
        replace(
            make_trajectory(float(success), id=f"{task}/{i}", task_id=f"task {task}"),
            steps=_steps("look", "right" if success else "wrong", *"abcd"[: 1 if success else 4]),
        )
        for (task, i), success in won.items()
    ]


@pytest.fixture(scope="module")
def model(make_trajectory: Callable[..., Trajectory]) -> ProgressModel:
    return fit_progress(ProgressData.of(rollouts(make_trajectory, range(12))), CONFIG, rng=random.Random(0))


def test_the_decisive_step_is_found_in_other_tasks(
    model: ProgressModel, make_trajectory: Callable[..., Trajectory]
) -> None:
    held_out = rollouts(make_trajectory, range(20, 23))
    for trajectory, credit in zip(held_out, model.credit(held_out, clock=False), strict=True):
        before_the_end = credit.contributions[:-1]  # the last step also receives the error
        assert np.abs(before_the_end).argmax() == 1
        assert credit.contributions[1] * (1 if trajectory.success else -1) > 0.15
        assert 0.25 < credit.base_value < 0.75


def test_sums_to_the_outcome_within_bounds(
    model: ProgressModel, make_trajectory: Callable[..., Trajectory]
) -> None:
    held_out = rollouts(make_trajectory, range(20, 23))
    for trajectory, credit in zip(held_out, model.credit(held_out), strict=True):
        assert credit.predicted_outcome == pytest.approx(trajectory.outcome)
        assert ((credit.cumulative > -1e-9) & (credit.cumulative < 1 + 1e-9)).all()
        assert credit.standard_error is not None and (credit.standard_error >= 0).all()
    open_ended = model.credit(held_out, close=False)
    assert [credit.contributions[-1] for credit in open_ended] == [0.0] * len(open_ended)


def test_the_clock_is_the_outcome_of_those_still_running() -> None:
    data = ProgressData(np.zeros((8, 7)), np.array([1, 3, 4]), np.array([1.0, 1.0, 0.0]), np.array([0, 1, 2]))
    expected = [2.5 / 1.5, 1.5 / 1.5, 1.5 / 1.5, 0.5 / 1.5]
    np.testing.assert_allclose(np.exp(clock_log_odds(data)), expected, rtol=1e-6)
    np.testing.assert_array_equal(data.step, [0, 0, 1, 2, 0, 1, 2, 3])


def test_without_the_clock_waiting_costs_nothing(make_trajectory: Callable[..., Trajectory]) -> None:
    """Siblings know nothing here, so all that the model can say is how long the trajectory has run."""
    alone = [
        replace(
            make_trajectory(float(i % 2), id=f"{i}", task_id=f"{i}"),
            steps=_steps(*(f"{i} {t}" for t in range(3 if i % 2 else 12))),
        )
        for i in range(40)
    ]
    clock = fit_progress(ProgressData.of(alone), CONFIG, rng=random.Random(0))
    for by_step in clock.values(alone, clock=False):
        assert np.ptp(by_step.mean(axis=0)) < 0.1
    assert np.ptp(clock.values(alone)[0].mean(axis=0)) > 0.3


def test_longer_than_anything_explored(
    model: ProgressModel, make_trajectory: Callable[..., Trajectory]
) -> None:
    long = replace(make_trajectory(0.0, id="long"), steps=_steps(*(["look"] * 30)))
    assert np.isfinite(model.credit([long])[0].contributions).all()


def test_same_seed_same_model(make_trajectory: Callable[..., Trajectory]) -> None:
    data = ProgressData.of(rollouts(make_trajectory, range(4)))
    held_out = rollouts(make_trajectory, range(20, 21))
    first, second = (
        fit_progress(data, ProgressConfig(), rng=random.Random(3)).values(held_out)[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="at least 1 trajectory, got 0"):
        ProgressData.of([])


def test_one_head_for_one_task(make_trajectory: Callable[..., Trajectory]) -> None:
    explored = rollouts(make_trajectory, range(1))
    model = fit_progress(ProgressData.of(explored), ProgressConfig(), rng=random.Random(0))
    assert model.credit(explored)[0].standard_error is None


def test_a_replay_holds_the_explorations_and_then_the_last_iterations(
    make_trajectory: Callable[..., Trajectory],
) -> None:
    replay = ProgressReplay(rollouts(make_trajectory, range(3)), 2)
    assert len(replay.data().outcomes) == 24
    for iteration in range(3):
        replay.add(rollouts(make_trajectory, range(iteration, iteration + 2)))
    data = replay.data()
    assert (len(data.outcomes), int(data.tasks.max()) + 1, replay.n_added) == (32, 4, 3)


def test_a_replay_continues_from_its_state(make_trajectory: Callable[..., Trajectory]) -> None:
    explored = rollouts(make_trajectory, range(3))
    replay, restored = ProgressReplay(explored, 2), ProgressReplay(explored, 2)
    replay.add(rollouts(make_trajectory, range(2)))
    restored.load_state(replay.state())
    assert restored.n_added == 1
    for name in ("statistics", "lengths", "outcomes", "tasks"):
        np.testing.assert_array_equal(getattr(replay.data(), name), getattr(restored.data(), name))

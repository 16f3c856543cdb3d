"""The progress model: learns from siblings, sums to R, and continues from a saved replay."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.configs.progress import ProgressConfig
from spa_lab.credit.siblings import N_STATISTICS, Histories
from spa_lab.learn.histories import read_histories
from spa_lab.learn.progress import ProgressData, ProgressModel, clock_log_odds, fit_progress
from spa_lab.learn.progress_replay import ProgressReplay
from spa_lab.types import Trajectory

CONFIG = ProgressConfig(state=False, epochs=40, batches=8)
POINTS = np.random.default_rng(1).normal(size=(40, 16))
"""Hidden states: 0 and 1 before the first two steps, 2 after the right second step, 3 to 6 after another."""


def rollouts(tasks: range) -> list[Histories]:
    """Eight of each task: those that take the right second step win, the others lose after four more steps.

    Which ones is drawn: with as many wins in every task, the siblings' outcomes would give away the own one.
    """
    rng = random.Random(tasks.start)
    histories = []
    for task in tasks:
        for _ in range(8):
            won = rng.random() < 0.5
            points = [0, 1, 2] if won else [0, 1, 3, 4, 5, 6]
            histories.append(Histories(task, float(won), POINTS[points], np.zeros((len(points), 2))))
    return histories


def trajectories_of(
    histories: Sequence[Histories], make_trajectory: Callable[..., Trajectory]
) -> list[Trajectory]:
    return [
        make_trajectory(entry.outcome, grounded=[True] * len(entry), id=str(i))
        for i, entry in enumerate(histories)
    ]


@pytest.fixture(scope="module")
def model() -> ProgressModel:
    return fit_progress(ProgressData.of(rollouts(range(12))), CONFIG, rng=random.Random(0))


@pytest.fixture(scope="module")
def held_out() -> list[Histories]:
    return rollouts(range(20, 23))


def test_the_decisive_step_is_found_in_other_tasks(
    model: ProgressModel, held_out: Sequence[Histories], make_trajectory: Callable[..., Trajectory]
) -> None:
    trajectories = trajectories_of(held_out, make_trajectory)
    credits = model.credit(trajectories, ProgressData.of(held_out).tables, clock=False)
    for trajectory, credit in zip(trajectories, credits, strict=True):
        before_the_end = credit.contributions[:-1]  # the last step also receives the error
        assert np.abs(before_the_end).argmax() == 1
        assert credit.contributions[1] * (1 if trajectory.success else -1) > 0.15


def test_a_state_that_loses_is_known_without_siblings(make_trajectory: Callable[..., Trajectory]) -> None:
    """Every task is played once: what a sibling would tell, other tasks tell by their states alone."""
    rng = random.Random(5)
    alone = [rng.choice(rollouts(range(task, task + 1))) for task in range(60)]
    tables = ProgressData.of(alone).tables
    apart = []
    for state in (True, False):
        config = replace(CONFIG, state=state)
        values = fit_progress(ProgressData.of(alone), config, rng=random.Random(0)).values(tables)
        second = np.array([by_head[:, 2].mean() for by_head in values])  # after the decisive step
        won = np.array([entry.outcome for entry in alone]) == 1.0
        apart.append(second[won].min() - second[~won].max())
    assert apart[0] > 0.5 and apart[1] <= 0.0


def test_sums_to_the_outcome_within_bounds(
    model: ProgressModel, held_out: Sequence[Histories], make_trajectory: Callable[..., Trajectory]
) -> None:
    trajectories, tables = trajectories_of(held_out, make_trajectory), ProgressData.of(held_out).tables
    for trajectory, credit in zip(trajectories, model.credit(trajectories, tables), strict=True):
        assert credit.predicted_outcome == pytest.approx(trajectory.outcome)
        assert ((credit.cumulative > -1e-9) & (credit.cumulative < 1 + 1e-9)).all()
        assert credit.standard_error is not None and (credit.standard_error >= 0).all()
    open_ended = model.credit(trajectories, tables, close=False)
    assert [credit.contributions[-1] for credit in open_ended] == [0.0] * len(open_ended)


def test_the_clock_is_the_outcome_of_those_still_running() -> None:
    data = ProgressData(
        np.zeros((8, N_STATISTICS + 1)), np.array([1, 3, 4]), np.array([1.0, 1.0, 0.0]), np.array([0, 1, 2])
    )
    expected = [2.5 / 1.5, 1.5 / 1.5, 1.5 / 1.5, 0.5 / 1.5]
    np.testing.assert_allclose(np.exp(clock_log_odds(data)), expected, rtol=1e-6)
    np.testing.assert_array_equal(data.step, [0, 0, 1, 2, 0, 1, 2, 3])


def test_without_the_clock_waiting_costs_nothing() -> None:
    """Every task is played once, so all that the model can say is how long a trajectory has run."""
    alone = [
        Histories(i, float(i % 2), POINTS[: 3 if i % 2 else 12], np.zeros((3 if i % 2 else 12, 2)))
        for i in range(40)
    ]
    clock = fit_progress(ProgressData.of(alone), CONFIG, rng=random.Random(0))
    tables = ProgressData.of(alone).tables
    for by_step in clock.values(tables, clock=False):
        assert np.ptp(by_step.mean(axis=0)) < 0.1
    assert np.ptp(clock.values(tables)[0].mean(axis=0)) > 0.3


def test_longer_than_anything_explored(model: ProgressModel) -> None:
    long = Histories("new", 0.0, POINTS[:30], np.zeros((30, 2)))
    (values,) = model.values(ProgressData.of([long]).tables)
    assert values.shape == (3, 30) and np.isfinite(values).all()


def test_same_seed_same_model(held_out: Sequence[Histories]) -> None:
    data, tables = ProgressData.of(rollouts(range(4))), ProgressData.of(held_out).tables
    first, second = (
        fit_progress(data, ProgressConfig(), rng=random.Random(3)).values(tables)[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="at least 1 trajectory, got 0"):
        ProgressData.of([])


def test_one_head_for_one_task(make_trajectory: Callable[..., Trajectory]) -> None:
    explored = rollouts(range(1))
    model = fit_progress(ProgressData.of(explored), ProgressConfig(), rng=random.Random(0))
    credits = model.credit(trajectories_of(explored, make_trajectory), ProgressData.of(explored).tables)
    assert credits[0].standard_error is None


def test_a_replay_holds_the_last_iterations_and_before_the_explorations_too() -> None:
    replay = ProgressReplay(ProgressData.of(rollouts(range(3))), 2)
    sizes = [len(replay.data().outcomes)]
    for iteration in range(3):
        replay.add(ProgressData.of(rollouts(range(iteration, iteration + 2))))
        sizes.append(len(replay.data().outcomes))
    assert sizes == [24, 40, 32, 32]
    assert (int(replay.data().tasks.max()) + 1, replay.n_added) == (4, 3)


def test_a_replay_continues_from_its_state() -> None:
    explored = ProgressData.of(rollouts(range(3)))
    replay, restored = ProgressReplay(explored, 2), ProgressReplay(explored, 2)
    replay.add(ProgressData.of(rollouts(range(2))))
    restored.load_state(replay.state())
    assert restored.n_added == 1
    for name in ("features", "lengths", "outcomes", "tasks"):
        np.testing.assert_array_equal(getattr(replay.data(), name), getattr(restored.data(), name))


def test_a_policy_reads_histories(make_policy: Callable[..., Policy], trajectory: Trajectory) -> None:
    """Against one plain pass over the text, batches of other rows beside it."""
    policy = make_policy("You see a door.", "act think reply", context=256)
    longer = replace(trajectory, id="t2", steps=trajectory.steps * 2)
    read = read_histories(policy, [trajectory, longer])[0]
    row = policy.codec.row(trajectory)
    step = np.array(row.step)
    with torch.inference_mode():
        output = policy.model(torch.tensor([row.ids]), output_hidden_states=True)
    hidden, logits = output.hidden_states[-1][0], output.logits[0].float()
    for t in range(len(trajectory)):
        tokens = np.flatnonzero(step == t)
        logprobs = torch.log_softmax(logits[tokens - 1], -1)[range(len(tokens)), [row.ids[i] for i in tokens]]
        np.testing.assert_allclose(read.states[t], hidden[tokens[0] - 1].numpy(), atol=1e-5)
        expected = [float(logprobs.sum()), float(logprobs.min())]
        np.testing.assert_allclose(read.logprobs[t], expected, atol=1e-4)
    assert (read.task, read.outcome) == ((trajectory.env, trajectory.task_id), trajectory.outcome)

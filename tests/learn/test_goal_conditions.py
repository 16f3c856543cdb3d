"""The goal's conditions as step rewards: by hand on episodes of games with one and with three tasks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spa_lab import rewards
from spa_lab.configs.presets import TINY
from spa_lab.configs.reward import RewardConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode
from spa_lab.envs.household import environment as household
from spa_lab.envs.household import long
from spa_lab.envs.virtualhome import environment as virtualhome
from spa_lab.learn.methods.goal_conditions import METHOD, credit
from spa_lab.pipeline.train import train
from spa_lab.types import Trajectory

LONG = long.environment()


def by_expert(environment: Environment, task: Task, *, steps: int | None = None) -> Trajectory:
    """The expert's episode, or its first steps."""
    episode = RunningEpisode(environment, task, step_limit=steps or environment.step_limit)
    expert = environment.expert_for(task, episode.initial_observation)
    while episode.ended is None:
        thought, action = expert.act()
        expert.observe(action, episode.act(thought, action).observation)
    return episode.trajectory(id="e", policy="expert", seed=0)


def puts(trajectory: Trajectory) -> list[int]:
    """Steps at which an object was put down."""
    return [t for t, step in enumerate(trajectory.steps) if step.observation.startswith("You move the ")]


def test_each_of_three_tasks_pays_a_third_when_it_is_done() -> None:
    task = long.tasks("train", 1)[0]
    trajectory = by_expert(LONG, task)
    expected = np.zeros(len(trajectory))
    expected[puts(trajectory)] = 1 / 3
    assert len(puts(trajectory)) == 3
    given = credit(LONG, trajectory, task)
    np.testing.assert_allclose(given.contributions, expected)
    assert given.base_value == 0.0


def test_a_task_that_is_undone_takes_its_third_back() -> None:
    task = long.tasks("train", 1)[0]
    first = puts(by_expert(LONG, task))[0]
    cut = replace(LONG, step_limit=first + 3)
    episode = RunningEpisode(cut, task)
    done = by_expert(LONG, task).steps
    for step in done[: first + 1]:
        episode.act(step.thought, step.action)
    moved, place = done[first].action.removeprefix("move ").split(" to ")
    for action in (f"take {moved} from {place}", f"move {moved} to {place}"):
        assert episode.act("", action).grounded
    contributions = credit(cut, episode.trajectory(id="e", policy="expert", seed=0), task).contributions
    np.testing.assert_allclose(contributions[first:], [1 / 3, -1 / 3, 1 / 3])
    assert not contributions[:first].any()


@pytest.mark.parametrize(("residual", "last"), [("kept", 1 / 3), ("last", -1 / 3)])
def test_a_failure_keeps_or_returns_what_it_fulfilled(residual: str, last: float) -> None:
    """Two of three tasks are done, the second at the last step: 1/3 and 1/3, or 1/3 and 1/3 - 2/3."""
    task = long.tasks("train", 1)[0]
    until = puts(by_expert(LONG, task))[1] + 1
    trajectory = replace(by_expert(LONG, task, steps=until), id="cut")
    cut = replace(LONG, step_limit=until)
    config = RewardConfig(beta=0.0, residual=residual)  # type: ignore[arg-type]
    paid = rewards.fuse(trajectory, credit(cut, trajectory, task), config)
    assert trajectory.outcome == 0.0
    assert paid[-1] == pytest.approx(last)
    assert paid.sum() == pytest.approx(2 / 3 if residual == "kept" else 0.0)


def test_one_condition_is_the_terminal_reward_and_flats_have_several() -> None:
    one = household()
    task = one.tasks("train", 1)[0]
    trajectory = by_expert(one, task)
    np.testing.assert_allclose(
        credit(one, trajectory, task).contributions, rewards.terminal(trajectory).contributions
    )
    flats = virtualhome()
    several = next(task for task in flats.tasks("train", 30) if len(task.payload.goal) > 1)
    contributions = credit(flats, by_expert(flats, several), several).contributions
    assert (contributions != 0).sum() > 1 and contributions.sum() == pytest.approx(
        1 - credit(flats, by_expert(flats, several), several).base_value
    )


def test_a_world_that_does_not_tell_its_conditions_is_refused_before_training(tmp_path: Path) -> None:
    METHOD.check_world(LONG)
    message = "training method 'goal_conditions': world 'webshop': does not tell"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", "webshop", ["goal_conditions"], TINY, seed=0, workers=1)
    assert not (tmp_path / "run").exists()

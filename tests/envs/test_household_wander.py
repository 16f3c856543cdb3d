"""Wanderers: how people write here and how the world answers, and hardly ever how a task is solved."""

import random
from dataclasses import replace

import pytest

from spa_lab import react
from spa_lab.envs.base import Task
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.generator import TASK_TYPES, generate_game
from spa_lab.envs.household.wander import wander
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.types import Trajectory

KINDS = pytest.mark.parametrize("task_type", TASK_TYPES)


def _game(task_type: str, seed: int = 0) -> HouseholdTask:
    rng = random.Random(seed)
    return generate_game(rng, task_type=task_type, size="small", unseen=False, game_id=f"g{seed}")


@pytest.fixture(scope="module")
def walks() -> list[Trajectory]:
    """30 steps in each of 36 houses."""
    return [wander(_game(TASK_TYPES[i % 6], i), 30, random.Random(i)) for i in range(36)]


@KINDS
def test_the_generator_decides(task_type: str) -> None:
    game = _game(task_type)
    one, same, other = (wander(game, 12, random.Random(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one.steps != other.steps


@KINDS
def test_the_task_is_not_read(task_type: str) -> None:
    game = _game(task_type)
    other = replace(game, task="find two plungers and put them in the moon.")
    one, same = (wander(each, 20, random.Random(3)) for each in (game, other))
    assert one.initial_observation != same.initial_observation
    assert one.steps == same.steps


def test_what_is_written_down_happened(walks: list[Trajectory]) -> None:
    walk, game = walks[0], _game(TASK_TYPES[0], 0)
    world = HouseholdWorld()
    assert world.reset(Task("", "household", "", "", game.task, 0, game)) == walk.initial_observation
    for step in walk.steps:
        reply = world.step(step.action)
        assert (reply.observation, reply.grounded) == (step.observation, step.grounded)
        assert react.parse(step.text) == (step.thought, step.action)


def test_tasks_are_solved_by_accident_only(walks: list[Trajectory]) -> None:
    solved = [walk for walk in walks if walk.success]
    assert len(solved) <= 3
    assert all(len(walk) == 30 and walk.ended == "step_limit" for walk in walks if not walk.success)
    assert all(walk.ended == "done" and walk.outcome == 1.0 for walk in solved)


def test_the_worlds_no_is_heard_too(walks: list[Trajectory]) -> None:
    grounded = [step.grounded for walk in walks for step in walk.steps]
    assert 0.02 < 1 - sum(grounded) / len(grounded) < 0.3


def test_all_hands_are_put_to_use(walks: list[Trajectory]) -> None:
    """Everything a task asks for is done now and then; else a clone would have to learn it from nothing."""
    done = {step.action.split()[0] for walk in walks for step in walk.steps if step.grounded}
    assert {"go", "open", "take", "move", "examine", "look"} <= done
    assert done & {"heat", "cool", "clean"}

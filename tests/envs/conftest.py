"""A household room small enough to know by heart, with facts added, removed, or another goal."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household.game import Grammar, HouseholdTask

_ROOM = Path(__file__).parents[1] / "fixtures" / "household" / "tiny_room.pddl"


def _tiny_task(
    *facts: str, goal: str = "", without: Sequence[str] = (), grammar: Grammar = "move", game_id: str = "tiny"
) -> Task:
    problem = _ROOM.read_text(encoding="utf-8")
    for fact in without:
        assert f"{fact}\n" in problem, fact
        problem = problem.replace(f"{fact}\n", "")
    problem = problem.replace("(:init\n", "\n".join(("(:init", *facts, "")))
    if goal:
        problem = f"{problem[: problem.index('(:goal')]}(:goal {goal}))"
    payload = HouseholdTask(game_id, "pick_and_place_simple", "put a mug in shelf", problem, grammar)
    return Task(game_id, "household", "train", payload.task_type, payload.task, 3, payload)


@pytest.fixture(scope="session")
def tiny_task() -> Callable[..., Task]:
    """(*facts, goal, without, grammar, game_id) -> Task in `fixtures/household/tiny_room.pddl`."""
    return _tiny_task

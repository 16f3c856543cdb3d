"""Builders of the hall's types, small enough to check by hand."""

from collections.abc import Callable, Sequence

import pytest

from spa_lab import react
from spa_lab.types import Step, Trajectory


def _step(action: str, observation: str = "ok", grounded: bool = True, thought: str = "") -> Step:
    return Step(react.write(thought, action), thought, action, observation, grounded)


def _trajectory(
    outcome: float = 1.0,
    grounded: Sequence[bool] = (True, False, True),
    *,
    id: str = "t1",
    task_id: str = "task",
    observations: Sequence[str] | None = None,
) -> Trajectory:
    replies = observations or [f"reply {t}" for t in range(len(grounded))]
    steps = [_step(f"act {t}", replies[t], g, f"think {t}") for t, g in enumerate(grounded)]
    return Trajectory(
        id=id,
        task_id=task_id,
        env="toy",
        split="train",
        instruction="do it",
        initial_observation="You see a door.",
        steps=tuple(steps),
        outcome=outcome,
        success=outcome == 1.0,
        ended="done",
        policy="scripted",
        seed=7,
    )


@pytest.fixture(scope="session")
def make_step() -> Callable[..., Step]:
    """(action, observation, grounded, thought) -> Step."""
    return _step


@pytest.fixture(scope="session")
def make_trajectory() -> Callable[..., Trajectory]:
    """(outcome, grounded, id, task_id, observations) -> Trajectory of len(grounded) steps."""
    return _trajectory

"""Builders of the hall's types, small enough to check by hand."""

import os
from collections.abc import Callable, Sequence

import pytest
from hypothesis import settings

from spa_lab import react
from spa_lab.types import Credit, Step, Trajectory

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tiny models, and a test process per core

# a slow machine is no finding, and a failure must come back when the test is run again
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


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


@pytest.fixture(scope="session")
def trajectory() -> Trajectory:
    """Three steps, the middle one refused, outcome 1."""
    return _trajectory()


@pytest.fixture(scope="session")
def credit(trajectory: Trajectory) -> Credit:
    """An opinion of `trajectory` that predicts its outcome: 0.25 + 0.5 - 0.25 + 0.5 = 1."""
    return Credit(trajectory.id, "by hand", [0.5, -0.25, 0.5], base_value=0.25)

"""Trajectories with one decisive step, and a policy whose tokens are their phrases."""

from collections.abc import Callable
from functools import partial

import pytest

from spa_lab.agent.rollout import Policy
from spa_lab.types import Step, Trajectory


@pytest.fixture(scope="session")
def make_fork_policy(make_policy: Callable[..., Policy]) -> Callable[..., Policy]:
    """(spread, ...) -> a policy for `forks`."""
    texts = ("Action: left", "Action: right", "Action: wait", "noted", "You see a door.")
    return partial(make_policy, *texts, hidden=32, layers=2)


@pytest.fixture(scope="session")
def forks() -> list[Trajectory]:
    """Four steps of eight tasks; the second step decides, "right" wins."""

    def fork(i: int) -> Trajectory:
        won = i % 2 == 0
        actions = ("wait", "right" if won else "left", "wait", "wait")
        steps = tuple(Step(f"Action: {action}", "", action, "noted", True) for action in actions)
        facts = (f"t{i}", f"f{i // 4}", "fork", "train", "", "You see a door.", steps)
        return Trajectory(*facts, float(won), won, "done", "x", 0)

    return [fork(i) for i in range(32)]

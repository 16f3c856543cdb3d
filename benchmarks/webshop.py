"""Speed of the web shop on random admissible actions."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import branching_times
from spa_lab.envs.base import Task
from spa_lab.envs.webshop.world import WebshopWorld

EPISODE = 15
"""Steps of an episode; a reset follows."""


@dataclass(frozen=True)
class ShopSpeed:
    """CPU time on one core."""

    steps: int
    """Steps that the rate was measured on."""
    steps_per_second: float
    """Actions executed, resets included; results of earlier searches are cached, as in training."""
    fresh_search_us: float
    """Mean microseconds of a step with a new search query."""
    snapshot_us: float
    """Microseconds per snapshot."""
    restore_us: float
    """Microseconds per restore."""


def world_speed(
    world: WebshopWorld, tasks: Sequence[Task], *, steps: int = 50_000, rng: random.Random
) -> ShopSpeed:
    """Play episodes of random admissible actions, a few tasks in turn, and time them.

    Args:
        world: A web shop.
        tasks: Its tasks, at least 1.
        steps: Steps to time, rounded up to whole episodes.
        rng: Chooses the actions.

    Raises:
        ValueError: If there are no tasks, or no steps.
    """
    if not tasks or steps < 1:
        raise ValueError(f"web shop speed: needs at least 1 task and 1 step, got {len(tasks)} and {steps}")
    episodes = [tasks[index % len(tasks)] for index in range(-(-steps // EPISODE))]
    played = [_random_episode(world, task, rng) for task in episodes]
    start = time.process_time()
    for task, actions in zip(episodes, played, strict=True):
        world.reset(task)
        for action in actions:
            world.step(action)
    spent = time.process_time() - start
    count = sum(map(len, played))
    return ShopSpeed(
        count, count / spent, _fresh_searches(world, tasks, rng), *branching_times(world, 10_000)
    )


def _random_episode(world: WebshopWorld, task: Task, rng: random.Random) -> list[str]:
    """Up to `EPISODE` actions, fewer if something is bought."""
    world.reset(task)
    actions: list[str] = []
    while len(actions) < EPISODE:
        actions.append(rng.choice(world.admissible()))
        if world.step(actions[-1]).done:
            break
    return actions


def _fresh_searches(world: WebshopWorld, tasks: Sequence[Task], rng: random.Random) -> float:
    words = sorted({word for task in tasks for word in task.instruction.split()})
    world.reset(tasks[0])
    queries = [" ".join(rng.choices(words, k=4)) + f" x{index}" for index in range(300)]
    start = time.process_time()
    for query in queries:
        world.step(f"search[{query}]")
    return (time.process_time() - start) / len(queries) * 1e6

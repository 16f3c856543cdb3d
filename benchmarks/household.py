"""Speed of the household world on random admissible actions."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import branching_times
from spa_lab.envs.base import Task
from spa_lab.envs.household.world import HouseholdWorld

EPISODE = 50
"""Steps of an episode; a reset follows."""


@dataclass(frozen=True)
class WorldSpeed:
    """CPU time on one core."""

    steps: int
    """Steps that each of the two rates was measured on."""
    steps_per_second: float
    """Commands executed, resets included."""
    listed_steps_per_second: float
    """The same, with the admissible commands listed before each step."""
    snapshot_us: float
    """Microseconds per snapshot."""
    restore_us: float
    """Microseconds per restore."""


def world_speed(tasks: Sequence[Task], *, steps: int = 50_000, rng: random.Random) -> WorldSpeed:
    """Play episodes of random admissible commands, a few tasks in turn, and time them.

    Args:
        tasks: Household tasks, at least 1, at most `GAMES_KEPT` (reading the games is not timed).
        steps: Steps to time, rounded up to whole episodes.
        rng: Chooses the commands.

    Raises:
        ValueError: If there are no tasks, or no steps.
    """
    if not tasks or steps < 1:
        raise ValueError(f"household speed: needs at least 1 task and 1 step, got {len(tasks)} and {steps}")
    world = HouseholdWorld()
    for task in tasks:
        world.reset(task)
    episodes = [tasks[index % len(tasks)] for index in range(-(-steps // EPISODE))]
    start = time.process_time()
    commands = [_random_episode(world, task, rng) for task in episodes]
    listed = time.process_time() - start
    start = time.process_time()
    for task, episode in zip(episodes, commands, strict=True):
        world.reset(task)
        for command in episode:
            world.step(command)
    given = time.process_time() - start
    played = len(episodes) * EPISODE
    return WorldSpeed(played, played / given, played / listed, *branching_times(world, repeats=10_000))


def _random_episode(world: HouseholdWorld, task: Task, rng: random.Random) -> list[str]:
    world.reset(task)
    commands = []
    for _ in range(EPISODE):
        commands.append(rng.choice(world.admissible()))
        world.step(commands[-1])
    return commands

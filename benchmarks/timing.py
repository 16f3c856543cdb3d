"""Timings that are measured in the same way for every world, and ways that are timed in turn."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from spa_lab.envs.base import World

T = TypeVar("T")


@dataclass(frozen=True)
class Timed(Generic[T]):
    """What a way gave, and how long it took."""

    seconds: float
    value: T


def interleaved(
    ways: Mapping[str, Callable[[], T]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> Iterator[dict[str, Timed[T]]]:
    """Run all ways in turn, round after round; yields each round, so that outputs can be compared at once.

    Args:
        ways: by name, in the order in which they run.
        rounds: how often, >= 1.
        clock: seconds; CPU time of this process, or wall time where other processes work.
    """
    for _ in range(rounds):
        yield {name: timed(way, clock) for name, way in ways.items()}


def timed(way: Callable[[], T], clock: Callable[[], float] = time.process_time) -> Timed[T]:
    """Run one way once."""
    start = clock()
    value = way()
    return Timed(clock() - start, value)


def branching_times(world: World, repeats: int) -> tuple[float, float]:
    """Microseconds of CPU time per snapshot and per restore; `world` must have been reset."""
    start = time.process_time()
    for _ in range(repeats):
        token = world.snapshot()
    middle = time.process_time()
    for _ in range(repeats):
        world.restore(token)
    end = time.process_time()
    return (middle - start) / repeats * 1e6, (end - middle) / repeats * 1e6

"""Timings that are measured in the same way for every world."""

import time

from spa_lab.envs.base import World


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

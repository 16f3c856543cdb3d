"""Speed of any world on an expert's actions."""

import random
import time
from collections.abc import Sequence

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.demonstrations import demonstrate


def replay_speed(environment: Environment, tasks: Sequence[Task], *, steps: int) -> float:
    """Steps per second of CPU time, the tasks in turn, resets included.

    Args:
        environment: any environment with an expert.
        tasks: its tasks, at least 1; reading them is not timed.
        steps: at least as many are timed.
    """
    rng = random.Random(0)
    episodes = [demonstrate(environment, task, mistakes=0.0, rng=rng).trajectory.steps for task in tasks]
    world, done = environment.make_world(), 0
    for task in tasks:
        world.reset(task)
    start = time.process_time()
    while done < steps:
        for task, episode in zip(tasks, episodes, strict=True):
            world.reset(task)
            for step in episode:
                world.step(step.action)
            done += len(episode)
    return done / (time.process_time() - start)

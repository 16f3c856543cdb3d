"""Steps per second of the worlds, as records."""

import random
from collections.abc import Iterator

from benchmarks import household, webshop
from benchmarks.records import Record, rated
from benchmarks.worlds import replay_speed
from spa_lab.envs.household import environment
from spa_lab.envs.webshop.world import WebshopWorld
from spa_lab.envs.worlds import make_environment

WORLDS = ("household", "webshop", "virtualhome")


def measure(*, steps: int = 50_000, tasks: int = 64, rng: random.Random) -> Iterator[list[Record]]:
    """Every world on random actions and on its expert's; CPU time of one core, resets included.

    Args:
        steps: of each measurement.
        tasks: played in turn.
        rng: chooses the random actions.

    Yields:
        The records of one measurement.
    """
    home = household.world_speed(environment().tasks("train", tasks), steps=steps, rng=rng)
    yield [
        _steps("household", "random", home.steps, home.steps_per_second),
        _steps("household", "random,listed", home.steps, home.listed_steps_per_second),
        *_branching("household", home.snapshot_us, home.restore_us),
    ]
    shop = make_environment("webshop")
    world = shop.make_world()
    assert isinstance(world, WebshopWorld)
    speed = webshop.world_speed(world, shop.tasks("train", tasks), steps=steps, rng=rng)
    yield [
        _steps("webshop", "random", speed.steps, speed.steps_per_second),
        _steps("webshop", "new-searches", 300, 1e6 / speed.fresh_search_us),
        *_branching("webshop", speed.snapshot_us, speed.restore_us),
    ]
    for name in WORLDS:
        other = make_environment(name)
        replayed = replay_speed(other, other.tasks("train", tasks), steps=steps)
        yield [_steps(name, "expert", steps, replayed)]


def _steps(world: str, actions: str, n: int, per_second: float) -> Record:
    return rated("worlds", {"world": world, "actions": actions}, "steps", n, per_second)


def _branching(world: str, snapshot_us: float, restore_us: float) -> list[Record]:
    times = {"snapshots": snapshot_us, "restores": restore_us}
    return [rated("worlds", {"world": world}, unit, 10_000, 1e6 / us) for unit, us in times.items()]

"""Whether memory grows with the number of episodes: a very small policy plays many short ones.

What a codec has encoded it keeps, up to 65,536 texts. This policy writes a new text at nearly every step, so
memory grows in the first 33,000 episodes; what grows after that leaks.
"""

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.machine import resident_bytes
from benchmarks.records import Record, as_text
from spa_lab.agent.models import tiny_model
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task

STEPS, LONGEST_STEP = 2, 4
"""Of an episode, steps; of a step, tokens."""
LEAST = 20
"""Fewest episodes: two readings in each tenth."""
TASKS = 64
PLAYED_AT_ONCE = 250
"""Episodes of one call of `rollout`: after each, memory is read."""
PARALLEL = 64


def measure(base: Policy, environment: Environment, *, episodes: int) -> Iterator[list[Record]]:
    """Play episodes and read the resident memory (Linux only).

    Args:
        base: gives the tokenizer; the policy that plays is smaller, with random weights.
        environment: played for `STEPS` steps, the tasks in turn.
        episodes: how many, >= `LEAST`.

    Yields:
        A record for each tenth, with `resident_bytes`, and at the end one for all, with `bytes_per_episode`:
        the slope of memory over episodes by least squares in the second half.

    Raises:
        ValueError: too few episodes for a slope.
    """
    if episodes < LEAST:
        raise ValueError(f"leak: needs at least {LEAST} episodes, got {episodes}")
    policy = replace(base, model=tiny_model(base.codec.tokenizer, seed=0, hidden=16, layers=1).eval())
    short = replace(environment, step_limit=STEPS)
    tasks = short.tasks("unseen", TASKS)
    size = min(PLAYED_AT_ONCE, episodes // LEAST)
    gc.collect()
    gc.freeze()  # what exists now is not searched again after each call
    done, read, next_tenth, start = [0], [_settled_bytes()], 1, time.process_time()
    while done[-1] < episodes:
        n = min(size, episodes - done[-1])
        _play(policy, short, tasks, range(done[-1], done[-1] + n))
        done.append(done[-1] + n)
        read.append(_settled_bytes())
        if done[-1] >= next_tenth * episodes / 10:
            next_tenth += 1
            found = {"resident_bytes": read[-1]}
            yield [_record(episodes, f"after {done[-1]}", done[-1], time.process_time() - start, found)]
    gc.unfreeze()
    grown = {"bytes_per_episode": slope(done, read), "readings": len(read)}
    yield [_record(episodes, "slope of the second half", done[-1], time.process_time() - start, grown)]


def slope(episodes: Sequence[int], read: Sequence[int]) -> float:
    """Bytes an episode, by least squares on the readings from half of the episodes on.

    Args:
        episodes: (n,) played before each reading, increasing.
        read: (n,) resident memory, bytes.
    """
    x, y = np.array(episodes, dtype=np.float64), np.array(read, dtype=np.float64)
    second = x >= x[-1] / 2
    x, y = x[second] - x[second].mean(), y[second] - y[second].mean()
    return float(x @ y / (x @ x))


def _play(policy: Policy, environment: Environment, tasks: Sequence[Task], numbers: range) -> None:
    config = RolloutConfig(temperature=1.0, max_new_tokens=LONGEST_STEP, parallel=PARALLEL)
    specs = [EpisodeSpec(f"leak/{i}", tasks[i % len(tasks)], i) for i in numbers]
    rollout(policy, environment, specs, config)


def _settled_bytes() -> int:
    """Resident memory without what only waits to be collected."""
    gc.collect()
    return resident_bytes()


def _record(episodes: int, way: str, n: int, seconds: float, found: Mapping[str, float]) -> Record:
    setting = {"episodes": episodes, "steps": STEPS, "longest_step": LONGEST_STEP}
    return Record("leak", as_text(setting), way, "episodes", (n,), (seconds,), found=as_text(found))

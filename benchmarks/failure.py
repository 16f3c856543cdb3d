"""Wall time to measure one failed episode: continuations of every history, in one and in two processes.

A run shares its episodes among worker processes, a few to each (`spa_lab.pipeline.measurement`). Here a
single episode is shared: every process continues some of its histories. The outcomes do not depend on who
plays them.
"""

import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.records import Record, as_text, compared
from benchmarks.timing import interleaved
from spa_lab.agent.models import load_policy, save_policy
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import MOST_CONTINUATIONS, RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline.parallel import Report, WorkerPool, WorkerTask
from spa_lab.truth.branching import ContinuationRequest, play_continuations
from spa_lab.types import Trajectory

TASKS = 128
"""Tasks that are played in search of a failure."""
PROCESSES = (1, 2)

Outcomes = list[list[float]]
"""History -> outcome of each of its continuations."""


def measure(
    policy: Policy,
    environment: Environment,
    *,
    branches: int = 64,
    rounds: int = 3,
    config: RolloutConfig | None = None,
) -> list[Record]:
    """Wall time for the values of all histories of one failed episode, by number of worker processes.

    Processes are started before, with all that they import; loading the policy is timed. Their CPU time,
    the mean of the rounds, is in the records as `cpu_seconds`: other load on the machine changes it less.

    Args:
        policy: plays and continues.
        environment: a built-in world; its step limit is the length of the failed episode.
        branches: N, continuations from each history.
        rounds: paired rounds, >= 1.
        config: temperature and longest step; those of the preset `tiny` if None.

    Raises:
        ValueError: no episode failed at the step limit, or two numbers of processes gave other outcomes.
    """
    config = config or RolloutConfig(temperature=0.7, max_new_tokens=16, parallel=MOST_CONTINUATIONS)
    trajectory, task = failed_episode(policy, environment, config)
    timings = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        save_policy(policy, Path(folder))
        pools = {n: stack.enter_context(WorkerPool(n, bars=False)) for n in PROCESSES}
        ways = {
            f"{n} process{'es' if n > 1 else ''}": partial(
                _shared, pool, Path(folder), environment, trajectory, task, config
            )
            for n, pool in pools.items()
        }
        for way in ways.values():
            way(1)
        before = [pool.used.cpu_seconds for pool in pools.values()]
        full = {name: partial(way, branches) for name, way in ways.items()}
        for done in interleaved(full, rounds=rounds, clock=time.perf_counter):
            _check_same([timed.value for timed in done.values()])
            n = branches * len(trajectory)
            timings.append({name: (n, timed.seconds) for name, timed in done.items()})
        used = [pool.used.cpu_seconds - start for pool, start in zip(pools.values(), before, strict=True)]
    setting = {"steps": len(trajectory), "continuations": branches, "clock": "wall"}
    return [
        replace(record, found=as_text({"cpu_seconds": cpu / rounds}))
        for record, cpu in zip(compared("failure", setting, "continuations", timings), used, strict=True)
    ]


def _check_same(outcomes: Sequence[Outcomes]) -> None:
    if any(other != outcomes[0] for other in outcomes):
        raise ValueError("the outcomes depend on the number of processes")


def failed_episode(
    policy: Policy, environment: Environment, config: RolloutConfig
) -> tuple[Trajectory, Task]:
    """The first of the policy's episodes that reaches the step limit without success.

    Raises:
        ValueError: there is none among `TASKS`.
    """
    tasks = environment.tasks("unseen", TASKS)
    specs = [EpisodeSpec(task.id, task, i) for i, task in enumerate(tasks)]
    for episode, task in zip(rollout(policy, environment, specs, config), tasks, strict=True):
        trajectory = episode.trajectory
        if trajectory.ended == "step_limit" and not trajectory.success:
            return trajectory, task
    raise ValueError(f"none of {len(tasks)} episodes reached the limit of {environment.step_limit} steps")


def _shared(
    pool: WorkerPool,
    folder: Path,
    environment: Environment,
    trajectory: Trajectory,
    task: Task,
    config: RolloutConfig,
    branches: int,
) -> Outcomes:
    """The outcomes of all histories, dealt out to the processes: later ones are shorter."""
    n = len(trajectory)
    parts = [range(first, n, pool.size) for first in range(pool.size)]
    done = pool.run(
        [
            WorkerTask(
                f"part {number}",
                continue_histories,
                (folder, environment.step_limit, trajectory, task, config, branches, tuple(part)),
            )
            for number, part in enumerate(parts)
        ]
    )
    outcomes: Outcomes = [[] for _ in range(n)]
    for part, played in zip(parts, done, strict=True):
        for history in part:
            outcomes[history] = played[history]
    return outcomes


def continue_histories(
    folder: Path,
    step_limit: int,
    trajectory: Trajectory,
    task: Task,
    config: RolloutConfig,
    branches: int,
    histories: Sequence[int],
    *,
    report: Report,
) -> Outcomes:
    """What a worker process does: continuations of some histories; the others have none."""
    policy = load_policy(folder, name="measured")
    environment = replace(make_environment(trajectory.env), step_limit=step_limit)  # has no form to be sent
    indices = tuple(range(branches if t in histories else 0) for t in range(len(trajectory)))
    request = ContinuationRequest(trajectory, task, indices, random.Random(0).getrandbits(63))
    (tree,) = play_continuations(policy, environment, [request], config)
    return [outcome.tolist() for outcome in tree.outcomes()]

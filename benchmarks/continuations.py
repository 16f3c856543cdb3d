"""Values by shared continuations (`truth.branching`), against the plain implementation."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from benchmarks.generation import MAX_NEW_TOKENS
from benchmarks.plain_continuations import plain_outcomes
from benchmarks.records import Record, as_text, compared
from benchmarks.timing import timed
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.truth.monte_carlo import branch_outcomes

MAX_STANDARD_ERRORS = 4.0
"""Difference of the two measurements, over all histories, above which they do not measure the same."""
SHARED, PLAIN = "branching", "reset, replay and generate"
"""The ways: the project's, and the plain one."""


def compare(
    policy: Policy, environment: Environment, tasks: Sequence[Task], *, branches: int = 16, rounds: int = 2
) -> list[Record]:
    """Values of every history of one episode a task, both ways in turn; CPU time for each history.

    Branching takes all episodes in one call, as a measurement of the truth does; the plain way continues from
    one history after the other.

    Args:
        policy: plays the episodes and continues them.
        environment: its step limit is the step cap.
        tasks: one episode each.
        branches: continuations from each history.
        rounds: paired rounds, >= 1.

    Raises:
        ValueError: the two measurements differ by more than `MAX_STANDARD_ERRORS`.
    """
    config = RolloutConfig(temperature=0.7, max_new_tokens=MAX_NEW_TOKENS, parallel=256)
    specs = [EpisodeSpec(task.id, task, i) for i, task in enumerate(tasks)]
    trajectories = [episode.trajectory for episode in rollout(policy, environment, specs, config)]
    n_values, rng = sum(map(len, trajectories)), random.Random(0)
    timings = []
    values, differences, variances = [], [], []
    for _ in range(rounds):
        shared = timed(
            partial(
                branch_outcomes, policy, environment, trajectories, tasks, config, branches=branches, rng=rng
            )
        )
        seconds = {SHARED: shared.seconds, PLAIN: 0.0}
        for trajectory, task, ours in zip(trajectories, tasks, shared.value, strict=True):
            plain = timed(
                partial(
                    plain_outcomes, policy, environment, trajectory, task, config, branches=branches, rng=rng
                )
            )
            seconds[PLAIN] += plain.seconds
            theirs = replace(ours, outcomes=plain.value)
            values += ours.values.tolist()
            differences += (ours.values - theirs.values)[:-1].tolist()
            variances += (ours.standard_error**2 + theirs.standard_error**2)[:-1].tolist()
        timings.append({way: (n_values, spent) for way, spent in seconds.items()})
    setting = {"episodes": len(tasks), "steps": environment.step_limit, "continuations": branches}
    apart = _apart(differences, variances)
    found = as_text({"least": min(values), "largest": max(values), "standard_errors_apart": apart})
    return [replace(record, found=found) for record in compared("branching", setting, "values", timings)]


def _apart(differences: Sequence[float], variances: Sequence[float]) -> float:
    """The sum of the differences in its standard errors; raises ValueError above `MAX_STANDARD_ERRORS`."""
    difference = sum(differences) / math.sqrt(sum(variances))
    if abs(difference) > MAX_STANDARD_ERRORS:
        raise ValueError(f"branching and the plain way differ by {difference:.1f} standard errors")
    return difference

"""Values by shared continuations (`truth.branching`), against the plain implementation."""

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.generation import MAX_NEW_TOKENS
from benchmarks.plain_continuations import plain_outcomes
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.truth.monte_carlo import branch_outcomes

MAX_STANDARD_ERRORS = 4.0
"""Difference of the two measurements, over all histories, above which they do not measure the same."""


def compare(
    policy: Policy, environment: Environment, tasks: Sequence[Task], *, branches: int = 16, rounds: int = 2
) -> str:
    """Values of every history of one episode a task, both ways in turn; a report of speeds and their ratio.

    Raises:
        ValueError: the two measurements differ by more than `MAX_STANDARD_ERRORS`.
    """
    config = RolloutConfig(temperature=0.7, max_new_tokens=MAX_NEW_TOKENS, parallel=256)
    specs = [EpisodeSpec(task.id, task, i) for i, task in enumerate(tasks)]
    trajectories = [episode.trajectory for episode in rollout(policy, environment, specs, config)]
    n_values, rng = rounds * sum(map(len, trajectories)), random.Random(0)
    shared_seconds, plain_seconds = 0.0, 0.0
    values, differences, variances = [], [], []
    for _ in range(rounds):
        for trajectory, task in zip(trajectories, tasks, strict=True):
            start = time.process_time()
            (shared,) = branch_outcomes(
                policy, environment, [trajectory], [task], config, branches=branches, rng=rng
            )
            middle = time.process_time()
            outcomes = plain_outcomes(
                policy, environment, trajectory, task, config, branches=branches, rng=rng
            )
            shared_seconds += middle - start
            plain_seconds += time.process_time() - middle
            plain = replace(shared, outcomes=outcomes)
            values += shared.values.tolist()
            differences += (shared.values - plain.values)[:-1].tolist()
            variances += (shared.standard_error**2 + plain.standard_error**2)[:-1].tolist()
    difference = sum(differences) / math.sqrt(sum(variances))
    if abs(difference) > MAX_STANDARD_ERRORS:
        raise ValueError(f"branching and the plain way differ by {difference:.1f} standard errors")
    return (
        f"values of {n_values} histories, {min(values):.2f} to {max(values):.2f}, "
        f"by {branches} continuations each; the two ways differ by {difference:+.1f} standard errors\n"
        f"branching: {n_values / shared_seconds:.2f} values/s\n"
        f"plain: {n_values / plain_seconds:.2f} values/s\n"
        f"ratio: {plain_seconds / shared_seconds:.1f} ({rounds} paired rounds)"
    )

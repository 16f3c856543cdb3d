"""Values by bisection, measured: the policy continues from the steps that `bisection` asks for.

A continuation draws the random numbers that it draws in `monte_carlo.branch_outcomes`: each value is one that
a measurement of all steps would give, as far as batches of other sizes round alike.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.player import Player
from spa_lab.agent.processes import processes
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.truth.bisection import MOST, ValuesAtSteps, next_step
from spa_lab.truth.branching import ContinuationRequest, RolloutTree, play_continuations
from spa_lab.truth.monte_carlo import check_measurement
from spa_lab.types import Trajectory


def bisected_values(
    policy: Player,
    environment: Environment,
    trajectories: Sequence[Trajectory],
    tasks: Iterable[Task],
    config: RolloutConfig,
    *,
    branches: int,
    rng: random.Random,
    most: int = MOST,
    rows: Sequence[TokenRow] | None = None,
    allowed: AllowedTexts | None = None,
    on_progress: Callable[[float], object] = lambda share: None,
) -> list[ValuesAtSteps]:
    """Measure values of N trajectories by bisection, many trajectories side by side.

    Args:
        policy: continues; need not be the one that wrote the trajectories.
        environment: its step limit is the step cap.
        trajectories: N recorded episodes; each is replayed and compared with its record.
        tasks: the tasks of these trajectories, in any order.
        config: as for `branch_outcomes`.
        branches: continuations behind each value, >= 1. With few of them noise looks like a change.
        rng: gives the base of all random numbers.
        most: values of one trajectory, V(h_0) included, >= 1.
        rows: the tokens that each was sampled as; without them the text is encoded.
        allowed: the only texts that the policy may write; None: any text.
        on_progress: called with the share of the trajectories that is done, 0 to 1.

    Raises:
        ValueError: `most` is below 1; and what `branch_outcomes` refuses.
    """
    if most < 1:
        raise ValueError(f"needs at least 1 value, got {most}")
    by_id, seed = {task.id: task for task in tasks}, rng.getrandbits(63)
    check_measurement(trajectories, by_id, config, branches, allowed)
    requests = _requests(trajectories, by_id, rows, seed)
    known = {one.id: ValuesAtSteps(one.id, {len(one): one.known_outcome}, branches) for one in trajectories}
    own = processes().share(trajectories)
    waiting, ended = _Queue(_starting_at(0, requests[one.id], branches) for one in own), 0
    for tree in play_continuations(policy, environment, waiting, config, allowed=allowed):
        measured = _with_tree(known[tree.request.trajectory.id], tree)
        known[measured.trajectory_id] = measured
        step = next_step(measured.values) if len(measured.values) <= most else None
        if step is None:
            ended += 1
            on_progress(ended / len(own))
        else:
            waiting.append(_starting_at(step, tree.request, branches))
    return processes().gather([known[one.id] for one in own])


def _with_tree(known: ValuesAtSteps, tree: RolloutTree) -> ValuesAtSteps:
    """With the value of the step whose continuations are those of the tree."""
    outcomes = tree.outcomes()
    step = next(t for t, played in enumerate(outcomes) if played.size)
    return known.with_value(step, float(outcomes[step].mean()))


class _Queue(deque[ContinuationRequest]):
    """Requests as an iterator that goes on when something was added after its end."""

    def __iter__(self) -> "_Queue":
        return self

    def __next__(self) -> ContinuationRequest:
        if not self:
            raise StopIteration
        return self.popleft()


def _requests(
    trajectories: Sequence[Trajectory], tasks: Mapping[str, Task], rows: Sequence[TokenRow] | None, seed: int
) -> dict[str, ContinuationRequest]:
    """By trajectory, without continuations yet."""
    written: Sequence[TokenRow | None] = [None] * len(trajectories) if rows is None else rows
    return {
        one.id: ContinuationRequest(one, tasks[one.task_id], (), seed, row)
        for one, row in zip(trajectories, written, strict=True)
    }


def _starting_at(step: int, request: ContinuationRequest, branches: int) -> ContinuationRequest:
    """The request with continuations from one step."""
    length = len(request.trajectory)
    return replace(request, indices=tuple(range(branches) if t == step else () for t in range(length)))

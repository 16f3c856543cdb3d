"""Monte Carlo truth: what every history of a trajectory is worth to a fixed policy, by playing on from it.

V(h) = E[R | history h, the policy plays on]; V(h_T) = R. Sampling temperature, longest step and step limit
are part of the policy's definition, and the steps that are left are part of h. Worlds are deterministic,
so Q(h_t, a_t) = V(h_{t+1}): see `outcomes.py`.
"""

import random
from collections.abc import Callable, Iterable, Sequence

from spa_lab.agent.rollout import Policy, RolloutConfig
from spa_lab.credit.branching import Order, grow
from spa_lab.credit.choice import Menu
from spa_lab.credit.outcomes import BranchOutcomes
from spa_lab.envs.base import Environment, Task
from spa_lab.types import Trajectory, ValueTruth


def value_truth(
    policy: Policy,
    environment: Environment,
    trajectories: Sequence[Trajectory],
    tasks: Iterable[Task],
    config: RolloutConfig,
    *,
    branches: int,
    rng: random.Random,
    common: bool = False,
    menu: Menu | None = None,
    on_trajectory: Callable[[BranchOutcomes], object] = lambda outcomes: None,
) -> list[ValueTruth]:
    """Values of every history of N trajectories; see `branch_outcomes`, which keeps the single outcomes."""
    found = branch_outcomes(
        policy, environment, trajectories, tasks, config,
        branches=branches, rng=rng, common=common, menu=menu, on_trajectory=on_trajectory,
    )  # fmt: skip
    return [outcomes.to_truth() for outcomes in found]


def branch_outcomes(
    policy: Policy,
    environment: Environment,
    trajectories: Sequence[Trajectory],
    tasks: Iterable[Task],
    config: RolloutConfig,
    *,
    branches: int,
    rng: random.Random,
    common: bool = False,
    menu: Menu | None = None,
    on_trajectory: Callable[[BranchOutcomes], object] = lambda outcomes: None,
) -> list[BranchOutcomes]:
    """Play `branches` continuations from every history h_0 ... h_{T-1} of each trajectory.

    Args:
        policy: continues; need not be the one that wrote the trajectories.
        environment: its step limit is the step cap.
        trajectories: N recorded episodes; replayed and compared with what was recorded.
        tasks: the tasks of these trajectories, in any order; others are ignored.
        config: temperature and longest step of the policy; `parallel` is the number of branches in flight
            (256 is fast for small models).
        branches: continuations from each history, >= 1.
        rng: gives the base of all random numbers; branches of one trajectory do not depend on the others.
        common: common random numbers, see `BranchOutcomes.common`; progress gets surer, and it costs less.
        menu: the only texts that the policy may write, or None.
        on_trajectory: called with each trajectory's outcomes as soon as it is finished, in any order.

    Returns:
        N outcomes, in the order of the trajectories.

    Raises:
        ValueError: a task is missing, an id is there twice, or replaying a trajectory gives something else.
    """
    if branches < 1:
        raise ValueError(f"needs at least 1 branch, got {branches}")
    seed = rng.getrandbits(63)
    by_id = {task.id: task for task in tasks}
    orders = [
        Order(one, _task_of(one, by_id), (range(branches),) * len(one), seed, common) for one in trajectories
    ]
    found: dict[str, BranchOutcomes] = {}
    for tree in grow(policy, environment, orders, config, menu=menu):
        one = tree.order.trajectory
        outcomes = BranchOutcomes(
            one.id, one.outcome, tree.in_order(), policy.name, environment.step_limit, common, seed
        )
        found[one.id] = outcomes
        on_trajectory(outcomes)
    return [found[one.id] for one in trajectories]


def _task_of(trajectory: Trajectory, tasks: dict[str, Task]) -> Task:
    if trajectory.task_id not in tasks:
        raise ValueError(
            f"trajectory {trajectory.id!r}: task {trajectory.task_id!r} is not among {len(tasks)}"
        )
    return tasks[trajectory.task_id]

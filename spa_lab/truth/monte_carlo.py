"""Monte Carlo truth: what every history of a trajectory is worth to a fixed policy, by playing on from it.

V(h) = E[R | history h, the policy plays on]; V(h_T) = R. Sampling temperature, longest step and step limit
are part of the policy's definition, and the steps that are left are part of h. Worlds are deterministic,
so Q(h_t, a_t) = V(h_{t+1}): see `outcomes.py`.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.truth.allocation import allocate
from spa_lab.truth.branching import Order, grow
from spa_lab.truth.outcome_files import load_outcomes, save_outcomes, settings_of
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import FloatArray, Trajectory

OnTrajectory = Callable[[BranchOutcomes], object]


@dataclass(frozen=True)
class Budget:
    """Branches where the error of progress is, see `allocate`, instead of equally many from every history.

    Every history gets the first ones; what is left is spent in equal rounds, each by what the earlier ones
    found. Where a number of branches depends on outcomes their mean is no longer quite unbiased; the bias is
    of order 1/n and small beside the standard error.
    """

    total: int
    """Branches of all histories of all trajectories together."""
    first: int = 16
    """Branches of each history before the first round, >= 2."""
    rounds: int = 3
    """At least 1."""
    target: float = 0.0
    """Standard error of progress that is good enough, outcome units; 0 spends the whole budget."""

    def __post_init__(self) -> None:
        if self.first < 2 or self.rounds < 1:
            raise ValueError(f"needs first >= 2 and rounds >= 1, got {self}")


def branch_outcomes(
    policy: Policy,
    environment: Environment,
    trajectories: Sequence[Trajectory],
    tasks: Iterable[Task],
    config: RolloutConfig,
    *,
    branches: int | Budget,
    rng: random.Random,
    common: bool = False,
    menu: AllowedTexts | None = None,
    folder: Path | None = None,
    on_trajectory: OnTrajectory = lambda outcomes: None,
) -> list[BranchOutcomes]:
    """Play continuations from every history h_0 ... h_{T-1} of each trajectory; `to_truth` gives the values.

    Args:
        policy: continues; need not be the one that wrote the trajectories.
        environment: its step limit is the step cap.
        trajectories: N recorded episodes; replayed and compared with what was recorded.
        tasks: the tasks of these trajectories, in any order; others are ignored.
        config: temperature and longest step of the policy; `parallel` is the number of branches in flight
            (256 is fast for small models).
        branches: continuations from each history, >= 1, or a budget for all of them.
        rng: gives the base of all random numbers; branches of one trajectory do not depend on the others.
        common: common random numbers, see `BranchOutcomes.common`; progress gets surer.
        menu: the only texts that the policy may write, or None.
        folder: one file a trajectory is kept here as soon as it is finished; what is there already is not
            played again, and more branches than are there are added to them.
        on_trajectory: called with each trajectory's outcomes as soon as it is finished, in any order; with a
            budget after each round.

    Returns:
        N outcomes, in the order of the trajectories; more than asked for where the folder holds more.

    Raises:
        ValueError: a task is missing, an id is there twice, replaying a trajectory gives something else, the
            folder holds what was measured otherwise, or a budget does not suffice for the first branches.
        StoreError: the disk refused.
    """
    measurement = _Measurement(
        policy, environment, config, menu, common, rng.getrandbits(63), folder, on_trajectory
    )
    if isinstance(branches, Budget):
        return measurement.spend(trajectories, list(tasks), branches)
    if branches < 1:
        raise ValueError(f"needs at least 1 branch, got {branches}")
    return measurement.take(trajectories, tasks, [(branches,) * len(one) for one in trajectories])


@dataclass(frozen=True)
class _Measurement:
    """One way of measuring."""

    policy: Policy
    environment: Environment
    config: RolloutConfig
    menu: AllowedTexts | None
    common: bool
    seed: int
    folder: Path | None
    on_trajectory: OnTrajectory

    def take(
        self,
        trajectories: Sequence[Trajectory],
        tasks: Iterable[Task],
        counts: Sequence[Sequence[int]],
        *,
        earlier: Sequence[BranchOutcomes] = (),
    ) -> list[BranchOutcomes]:
        """Play until every history has its count; what is there already counts."""
        if self.menu and self.menu.longest > self.config.max_new_tokens:
            raise ValueError(
                f"the menu's longest text has {self.menu.longest} tokens, "
                f"max_new_tokens is {self.config.max_new_tokens}"
            )
        by_id = {task.id: task for task in tasks}
        settings = settings_of(self.policy, self.config, self.menu) if self.folder else {}
        there = {one.trajectory_id: one for one in earlier}
        orders = []
        for one, wanted in zip(trajectories, counts, strict=True):
            if self.folder and one.id not in there and (saved := load_outcomes(self.folder, one, settings)):
                there[one.id] = self._checked(saved)
            orders.append(self._order(one, by_id, wanted, there.get(one.id)))
        if len({order.trajectory.id for order in orders}) < len(orders):
            raise ValueError(f"{len(orders)} trajectories have fewer ids: one is there twice")
        todo = [order for order in orders if any(order.numbers)]
        for tree in grow(self.policy, self.environment, todo, self.config, menu=self.menu):
            one = tree.order.trajectory
            there[one.id] = self._joined(tree.order, tree.in_order(), there.get(one.id))
            if self.folder:
                save_outcomes(self.folder, there[one.id], one, settings)
            self.on_trajectory(there[one.id])
        return [there[one.id] for one in trajectories]

    def spend(
        self, trajectories: Sequence[Trajectory], tasks: Sequence[Task], budget: Budget
    ) -> list[BranchOutcomes]:
        """Play until the budget is spent, or all progress is known well enough."""
        n_histories = sum(map(len, trajectories))
        if budget.total < budget.first * n_histories:
            raise ValueError(
                f"the first {budget.first} branches of {n_histories} histories need a budget of "
                f"{budget.first * n_histories}, got {budget.total}"
            )
        found = self.take(trajectories, tasks, [(budget.first,) * len(one) for one in trajectories])
        for left in range(budget.rounds, 0, -1):
            unspent = max(budget.total - sum(int(one.counts.sum()) for one in found), 0)
            counts = allocate(found, unspent // left, target=budget.target)
            found = self.take(trajectories, tasks, counts, earlier=found)
        return found

    def _order(
        self,
        trajectory: Trajectory,
        tasks: Mapping[str, Task],
        wanted: Sequence[int],
        there: BranchOutcomes | None,
    ) -> Order:
        """The branches that are still missing."""
        if trajectory.task_id not in tasks:
            raise ValueError(
                f"trajectory {trajectory.id!r}: task {trajectory.task_id!r} is not among {len(tasks)}"
            )
        done = [0] * len(trajectory) if there is None else [int(n) for n in there.counts]
        numbers = tuple(range(n, max(n, more)) for n, more in zip(done, wanted, strict=True))
        seed = self.seed if there is None else there.seed
        return Order(trajectory, tasks[trajectory.task_id], numbers, seed, self.common)

    def _joined(
        self, order: Order, new: tuple[FloatArray, ...], there: BranchOutcomes | None
    ) -> BranchOutcomes:
        if there is not None:
            return there.extended(new)
        one, cap = order.trajectory, self.environment.step_limit
        return BranchOutcomes(one.id, one.outcome, new, self.policy.name, cap, self.common, order.seed)

    def _checked(self, saved: BranchOutcomes) -> BranchOutcomes:
        found, asked = (saved.step_cap, saved.common), (self.environment.step_limit, self.common)
        if found != asked:
            raise ValueError(
                f"branches of {saved.trajectory_id!r} in {self.folder}: (step cap, common random numbers) "
                f"are {found}, asked {asked}"
            )
        return saved

"""Monte Carlo truth: the value of every history of a trajectory under a fixed policy, by continuing from it.

V(h) = E[R | history h, the policy continues]; V(h_T) = R. Sampling temperature, longest step and step limit
are part of the policy's definition, and the number of steps left is part of h. Worlds are deterministic, so
Q(h_t, a_t) = V(h_{t+1}): see `outcomes.py`.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.player import Player
from spa_lab.agent.processes import processes
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.truth.branching import ContinuationRequest, RolloutTree, play_continuations
from spa_lab.truth.outcome_files import Settings, load_outcomes, save_outcomes, settings_of
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory


def branch_outcomes(
    policy: Player,
    environment: Environment,
    trajectories: Sequence[Trajectory],
    tasks: Iterable[Task],
    config: RolloutConfig,
    *,
    branches: int,
    rng: random.Random,
    rows: Sequence[TokenRow] | None = None,
    allowed: AllowedTexts | None = None,
    folder: Path | None = None,
    on_progress: Callable[[float], object] = lambda share: None,
) -> list[BranchOutcomes]:
    """Play continuations from every history h_0 ... h_{T-1} of N trajectories; `to_truth` gives values.

    Args:
        policy: continues; need not be the one that wrote the trajectories.
        environment: its step limit is the step cap.
        trajectories: N recorded episodes; each is replayed and compared with its record.
        tasks: the tasks of these trajectories, in any order; others are ignored.
        config: temperature and longest step of the policy; `parallel`: continuations in flight, e.g. 256.
        branches: continuations from each history, >= 1.
        rng: gives the base of all random numbers; those of a trajectory do not depend on the other ones.
        rows: the tokens that each was sampled as, not with `folder`; without them the text is encoded.
        allowed: the only texts that the policy may write; None: any text.
        folder: of saved outcomes, which are not played again, only extended if `branches` asks for more.
        on_progress: called with the share that has ended, 0 to 1, whenever it has grown by a hundredth.

    Returns:
        N outcomes, in the order of the trajectories; more per history if the folder has more.

    Raises:
        ValueError: a task is missing, two trajectories have one id, a replay differs from the record, saved
            outcomes were measured under other settings, or there are both rows and a folder.
        StoreError: a file cannot be written.
    """
    by_id, written = {task.id: task for task in tasks}, _rows_by_id(trajectories, rows, folder)
    check_measurement(trajectories, by_id, config, branches, allowed)
    files = _OutcomeFiles(folder, settings_of(policy, environment, config, allowed) if folder else {})
    known = {trajectory.id: files.load(trajectory) for trajectory in trajectories}
    missing = _missing(trajectories, by_id, known, branches, seed=rng.getrandbits(63), rows=written)
    team, played = processes(), []
    own = team.share(missing)
    count = _count_to(sum(request.n_continuations for request in own), on_progress)
    for tree in play_continuations(policy, environment, own, config, allowed=allowed, on_end=count):
        played.append(_joined(tree, known, policy.name, environment.step_limit))
        files.save(played[-1], tree.request.trajectory)
    known |= {outcomes.trajectory_id: outcomes for outcomes in team.gather(played)}
    return [outcomes for outcomes in known.values() if outcomes is not None]


def _count_to(total: int, on_progress: Callable[[float], object]) -> Callable[[int], None]:
    """A function that is called with what has ended, and passes on the share of the total."""
    ended = 0

    def count(n: int) -> None:
        nonlocal ended
        before, ended = ended, ended + n
        if 100 * ended // total > 100 * before // total:
            on_progress(ended / total)

    return count


def _rows_by_id(
    trajectories: Sequence[Trajectory], rows: Sequence[TokenRow] | None, folder: Path | None
) -> dict[str, TokenRow | None]:
    if rows is not None and folder is not None:
        raise ValueError(f"{folder}: outcomes of sampled tokens are not saved; leave out rows or the folder")
    written = [None] * len(trajectories) if rows is None else rows
    return {trajectory.id: row for trajectory, row in zip(trajectories, written, strict=True)}


def check_measurement(
    trajectories: Sequence[Trajectory],
    tasks: Mapping[str, Task],
    config: RolloutConfig,
    branches: int,
    allowed: AllowedTexts | None,
) -> None:
    """Raise ValueError for what no measurement can be made of; see `branch_outcomes`."""
    if branches < 1:
        raise ValueError(f"needs at least 1 branch, got {branches}")
    if allowed and allowed.max_tokens > config.max_new_tokens:
        raise ValueError(
            f"the longest allowed text has {allowed.max_tokens} tokens, "
            f"max_new_tokens is {config.max_new_tokens}"
        )
    if len({trajectory.id for trajectory in trajectories}) < len(trajectories):
        raise ValueError(f"{len(trajectories)} trajectories have fewer ids: one is there twice")
    for trajectory in trajectories:
        if trajectory.task_id not in tasks:
            raise ValueError(
                f"trajectory {trajectory.id!r}: task {trajectory.task_id!r} is not among {len(tasks)}"
            )


@dataclass(frozen=True)
class _OutcomeFiles:
    """The files of a measurement; none if there is no folder."""

    folder: Path | None
    settings: Settings

    def load(self, trajectory: Trajectory) -> BranchOutcomes | None:
        return load_outcomes(self.folder, trajectory, self.settings) if self.folder else None

    def save(self, outcomes: BranchOutcomes, trajectory: Trajectory) -> None:
        if self.folder:
            save_outcomes(self.folder, outcomes, trajectory, self.settings)


def _missing(
    trajectories: Sequence[Trajectory],
    tasks: Mapping[str, Task],
    known: Mapping[str, BranchOutcomes | None],
    branches: int,
    *,
    seed: int,
    rows: Mapping[str, TokenRow | None],
) -> list[ContinuationRequest]:
    """The continuations that are still to be played."""
    requests = []
    for trajectory in trajectories:
        earlier = known[trajectory.id]
        done = [0] * len(trajectory) if earlier is None else earlier.counts.tolist()
        if min(done) < branches:
            indices = tuple(range(n, max(n, branches)) for n in done)
            base = seed if earlier is None else earlier.seed
            task, row = tasks[trajectory.task_id], rows[trajectory.id]
            requests.append(ContinuationRequest(trajectory, task, indices, base, row))
    return requests


def _joined(
    tree: RolloutTree, known: Mapping[str, BranchOutcomes | None], policy: str, step_cap: int
) -> BranchOutcomes:
    """The outcomes of a tree, after those that were known."""
    trajectory, seed = tree.request.trajectory, tree.request.seed
    earlier = known[trajectory.id]
    if earlier is not None:
        return earlier.extended(tree.outcomes())
    return BranchOutcomes(trajectory.id, trajectory.known_outcome, tree.outcomes(), policy, step_cap, seed)

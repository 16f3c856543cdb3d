"""A recorded trajectory as the shared prefix of its continuations: replayed once and read once.

A continuation from h_t that writes what was recorded stays on the prefix at no cost; where it writes
something else it diverges, and reuses the keys and values up to there. A server keeps those itself: there
every continuation writes from where it starts.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.engine import Engine
from spa_lab.agent.player import Writer
from spa_lab.agent.row import Branch, draw
from spa_lab.agent.slots import KeysValues
from spa_lab.envs.base import Environment, Task, World
from spa_lab.envs.episode import RunningEpisode
from spa_lab.types import Trajectory


@dataclass(eq=False)
class Continuation(Branch):
    """One continuation: its random numbers, the step it starts from, its index among those."""

    start: int
    index: int

    @classmethod
    def of(cls, trajectory_id: str, start: int, index: int, *, seed: int) -> "Continuation":
        """The same arguments give the same random numbers."""
        return cls(random.Random(f"{seed}/{trajectory_id}/{index}/{start}"), start, index)


@dataclass(frozen=True)
class Divergence:
    """Branches that leave the shared prefix at the same place with the same token, or before any."""

    step: int
    written: tuple[int, ...]
    """Token ids of the step so far; the last one is not on the prefix (unless the step was cut off there).
    Empty: the step is still to be written."""
    prefix_length: int
    """Tokens of the shared prefix before that last one, or before the step."""
    branches: tuple[Continuation, ...]

    def split(self, size: int) -> list["Divergence"]:
        """The same for at most `size` branches each."""
        parts = (self.branches[i : i + size] for i in range(0, len(self.branches), size))
        return [replace(self, branches=part) for part in parts]


@dataclass(frozen=True, eq=False)
class SharedPrefix:
    """A trajectory with its world states, and what an engine has read of it."""

    trajectory: Trajectory
    world: World
    snapshots: tuple[object, ...]
    """T world states, before each step."""
    ids: tuple[int, ...]
    """L token ids."""
    starts: tuple[int, ...]
    """T numbers: tokens before the first one of each step."""
    steps: tuple[tuple[int, ...], ...]
    """Token ids of each step, end-of-turn token included."""
    was_read: tuple[Tensor, KeysValues] | None
    """(L, d) hidden states after each token, and keys and values; None at a server."""


def replay(environment: Environment, trajectory: Trajectory, task: Task) -> tuple[World, tuple[object, ...]]:
    """Execute a trajectory's actions again; returns the world and its T snapshots before each step.

    Raises:
        ValueError: the trajectory does not fit the task or the step limit, or the world replies something
            else than was recorded.
    """
    where = f"trajectory {trajectory.id!r}"
    if trajectory.task_id != task.id or trajectory.env != environment.name:
        raise ValueError(
            f"{where}: is of task {trajectory.task_id!r} in {trajectory.env!r}, "
            f"got task {task.id!r} in {environment.name!r}"
        )
    _check_length(trajectory, environment.step_limit)
    episode = RunningEpisode(environment, task)
    _check_same(f"{where}, first observation", trajectory.initial_observation, episode.initial_observation)
    snapshots = []
    for t, step in enumerate(trajectory.steps):
        snapshots.append(episode.world.snapshot())
        reply = episode.act(step.thought, step.action)
        _check_same(
            f"{where}, step {t}, action {step.action!r}: observation", step.observation, reply.observation
        )
        last = t + 1 == len(trajectory)
        if reply.done != (last and trajectory.ended == "done"):
            raise ValueError(f"{where}, step {t} of {len(trajectory)}: done is {reply.done} in the world")
    _check_same(f"{where}: outcome", trajectory.known_outcome, episode.outcome)
    return episode.world, tuple(snapshots)


def read_shared_prefix(
    writer: Writer,
    environment: Environment,
    trajectory: Trajectory,
    task: Task,
    *,
    row: TokenRow | None = None,
) -> SharedPrefix:
    """Replay a trajectory, and let an engine read it once.

    Args:
        writer: of the policy that continues the trajectory.
        environment: its world.
        trajectory: what to replay.
        task: of the trajectory.
        row: the tokens that it was sampled as; None: its text is encoded as for training.

    Raises:
        ValueError: as `replay`; the model cannot read that many tokens; or the row is of another trajectory.
    """
    rules = writer.rules
    world, snapshots = replay(environment, trajectory, task)
    (row,) = rules.codec.rows_of([trajectory], None if row is None else [row])
    if len(row.ids) > rules.context:
        raise ValueError(
            f"trajectory {trajectory.id!r} needs {len(row.ids)} tokens, the model reads {rules.context}"
        )
    starts = tuple(row.step.index(t) for t in range(len(trajectory)))
    steps = tuple(row.ids[start : start + row.step.count(t)] for t, start in enumerate(starts))
    was_read = writer.read(row.ids) if isinstance(writer, Engine) else None
    return SharedPrefix(trajectory, world, snapshots, row.ids, starts, steps, was_read)


def start_apart(prefix: SharedPrefix, branches: Sequence[Continuation]) -> list[Divergence]:
    """Let every branch write from where it starts, in a text of its own."""
    return [Divergence(branch.start, (), prefix.starts[branch.start], (branch,)) for branch in branches]


@torch.inference_mode()
def follow_prefix(
    prefix: SharedPrefix, branches: Sequence[Continuation], engine: Engine
) -> tuple[list[Divergence], list[Continuation]]:
    """Let branches write from where they start for as long as they write what was recorded.

    Returns:
        Where they diverge, in the order of the prefix, and the branches that never do.
    """
    divergences: list[Divergence] = []
    following: list[Continuation] = []
    for step in range(len(prefix.steps)):
        following += [branch for branch in branches if branch.start == step]
        if following:
            diverged, following = _follow_step(prefix, step, following, engine)
            divergences += diverged
    return divergences, following


def _follow_step(
    prefix: SharedPrefix, step: int, branches: list[Continuation], engine: Engine
) -> tuple[list[Divergence], list[Continuation]]:
    assert prefix.was_read is not None
    hidden, _ = prefix.was_read
    start, recorded = prefix.starts[step], prefix.steps[step]
    n = min(len(recorded), engine.config.max_new_tokens)
    log_probs = engine.log_probs(hidden[start - 1 : start - 1 + n], [recorded[:j] for j in range(n)])
    divergences = []
    for j in range(n):
        if not branches:
            break
        (drawn,) = draw(log_probs[j : j + 1], [branches], [0], greedy=engine.greedy)
        groups: dict[int, list[Continuation]] = {}
        for (token, _), branch in zip(drawn, branches, strict=True):
            groups.setdefault(token, []).append(branch)
            branch.use()
        branches = groups.pop(recorded[j], [])
        divergences += [
            Divergence(step, (*recorded[:j], token), start + j, tuple(group))
            for token, group in groups.items()
        ]
    rest = recorded[n:]
    was_longer = len(rest) > 1 or not engine.policy.codec.stop_ids.issuperset(rest)
    if branches and was_longer:  # the recorded step goes on where max_new_tokens now ends it
        divergences.append(Divergence(step, recorded[:n], start + n - 1, tuple(branches)))
        branches = []
    return divergences, branches


def _check_length(trajectory: Trajectory, step_limit: int) -> None:
    n = len(trajectory)
    if n > step_limit or (trajectory.ended == "step_limit" and n != step_limit):
        raise ValueError(
            f"trajectory {trajectory.id!r}: ended by {trajectory.ended!r} after {n} steps, "
            f"the step limit is {step_limit}: values depend on the number of steps left"
        )


def _check_same(what: str, recorded: object, replayed: object) -> None:
    if recorded != replayed:
        raise ValueError(f"{what}: recorded {recorded!r:.200}, the world now replies {replayed!r:.200}")

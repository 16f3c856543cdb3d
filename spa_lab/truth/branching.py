"""Continuations of recorded trajectories, many at a time, with shared computation.

The continuations of a trajectory form a tree: as long as two of them wrote the same, they are the same
history, and the model is evaluated once for both. Each still draws its own random numbers, so the outcomes
are distributed as if every continuation had been played alone. Continuations of all steps and of many
trajectories share one batch; one that ends makes room for the next.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.engine import Engine
from spa_lab.agent.player import Player, Writer
from spa_lab.agent.row import Row, Written
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import end_of_episode
from spa_lab.react import parse
from spa_lab.truth.shared_prefix import (
    Continuation,
    Divergence,
    SharedPrefix,
    follow_prefix,
    read_shared_prefix,
    start_apart,
)
from spa_lab.types import FloatArray, Trajectory


@dataclass(frozen=True)
class ContinuationRequest:
    """Which continuations of one trajectory to play."""

    trajectory: Trajectory
    task: Task
    indices: tuple[Sequence[int], ...]
    """T sequences: indices of the continuations from each step; the same index draws the same numbers."""
    seed: int
    row: TokenRow | None = None
    """The tokens that the trajectory was sampled as; None: its text is encoded."""

    @property
    def n_continuations(self) -> int:
        """From all steps together."""
        return sum(map(len, self.indices))


@dataclass(eq=False)
class RolloutTree:
    """All continuations of one request, and how they ended."""

    request: ContinuationRequest
    prefix: SharedPrefix
    ended: tuple[dict[int, float], ...]
    """T dicts: index of the continuation -> its outcome."""
    n_running: int
    on_end: Callable[[int], object]
    """Called with the number of continuations that have just ended."""

    def end(self, branches: Sequence[Continuation], outcome: float) -> None:
        """Record how these continuations ended."""
        for branch in branches:
            self.ended[branch.start][branch.index] = outcome
        self.n_running -= len(branches)
        self.on_end(len(branches))

    def outcomes(self) -> tuple[FloatArray, ...]:
        """T vectors of outcomes, in the order of the requested indices."""
        return tuple(
            np.array([by_index[index] for index in indices], dtype=np.float64)
            for by_index, indices in zip(self.ended, self.request.indices, strict=True)
        )


class _ContinuationRow(Row):
    """One history off the shared prefix, and the continuations that have it in common."""

    branches: list[Continuation]  # type: ignore[assignment]  # rows of one kind of branch

    def __init__(self, writer: Writer, environment: Environment, tree: RolloutTree, at: Divergence) -> None:
        if tree.prefix.was_read is None:
            super().__init__(tree.prefix.ids[: at.prefix_length], at.branches)
        else:
            super().__init__(at.written[-1:], at.branches)
            self.prefix, self.prefix_length = tree.prefix.was_read[1], at.prefix_length
            self.written = list(at.written)
        self.rules, self.environment, self.tree = writer.rules, environment, tree
        self.step, self.snapshot = at.step, tree.prefix.snapshots[at.step]

    def following(self, written: Written) -> Sequence[int] | None:
        """Execute the step; returns the tokens of the reply, or None if the episode is over."""
        world = self.tree.prefix.world
        world.restore(self.snapshot)
        reply = world.step(parse(self.rules.codec.decode(written.ids))[1])
        following = self.rules.after_step(written.ids, reply.observation)
        self.step += 1
        n_tokens = self.prefix_length + len(self.read) + 1 + len(following)
        is_over = end_of_episode(reply, self.step, self.environment.step_limit) is not None
        if is_over or not self.rules.fits(n_tokens):
            self.tree.end(self.branches, reply.outcome)
            return None
        self.snapshot = world.snapshot()
        return following


def play_continuations(
    policy: Player,
    environment: Environment,
    requests: Iterable[ContinuationRequest],
    config: RolloutConfig,
    *,
    allowed: AllowedTexts | None = None,
    on_end: Callable[[int], object] = lambda n: None,
) -> Iterator[RolloutTree]:
    """Play all requested continuations to their end; yields each tree as soon as it is complete.

    Args:
        policy: continues every history; its model, if it is in this process, must be in eval mode.
        environment: its step limit is the step cap.
        requests: read one by one, as slots become free; asked again while others are played, if it was empty.
        config: temperature and longest step; `parallel` is the number of continuations in flight.
        allowed: the only texts that the policy may write, or None for any text.
        on_end: called with the number of continuations that have just ended, while others still run.

    Raises:
        ServerError: the policy's server cannot be used.
        ValueError: a trajectory does not fit its task, the world or the model; see `read_shared_prefix`.
    """
    trees: list[RolloutTree] = []
    source = iter(requests)
    following = next(source, None)
    if following is None:
        return  # nothing is asked of a server
    with policy.writing(config, allowed=allowed) as writer:
        while following is not None or writer.busy:
            while following is not None and writer.n_wanted > 0:
                trees.append(_grow(writer, environment, following, on_end))
                following = next(source, None)
            if writer.busy:
                writer.advance()
            yield from (tree for tree in trees if not tree.n_running)
            trees = [tree for tree in trees if tree.n_running]
            if following is None:  # whoever was given a tree may have asked for more
                following = next(source, None)


def _grow(
    writer: Writer, environment: Environment, request: ContinuationRequest, on_end: Callable[[int], object]
) -> RolloutTree:
    """Replay a trajectory, let its continuations follow it, and queue those that diverge."""
    trajectory = request.trajectory
    prefix = read_shared_prefix(writer, environment, trajectory, request.task, row=request.row)
    branches = [
        Continuation.of(trajectory.id, start, index, seed=request.seed)
        for start, indices in enumerate(request.indices)
        for index in indices
    ]
    tree = RolloutTree(request, prefix, tuple({} for _ in request.indices), len(branches), on_end)
    if isinstance(writer, Engine):
        divergences, arrived = follow_prefix(prefix, branches, writer)
        tree.end(arrived, trajectory.known_outcome)
    else:
        divergences = start_apart(prefix, branches)
    for divergence in divergences:
        for part in divergence.split(writer.config.parallel):
            writer.add(_ContinuationRow(writer, environment, tree, part))
    return tree

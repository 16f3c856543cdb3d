"""Continuations of recorded trajectories, many at a time, with shared computation.

The continuations of a trajectory form a tree: as long as two of them wrote the same, they are the same
history, and the model is evaluated once for both. Each still draws its own random numbers, so the outcomes
are distributed as if every continuation had been played alone. Continuations of all steps and of many
trajectories share one batch; one that ends makes room for the next.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, next_token_log_probs, sample_tokens
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import end_of_episode
from spa_lab.react import parse
from spa_lab.truth.kv_slots import SlotCache, SlotInput, read_into_slots
from spa_lab.truth.shared_prefix import (
    Branch,
    Divergence,
    SharedPrefix,
    follow_prefix,
    group_by_token,
    read_shared_prefix,
)
from spa_lab.types import FloatArray, Trajectory

_MIN_SHARE_FOR_LONG_PASS = 0.25
"""Share of histories with a reply to read above which a separate pass, many tokens wide, pays off."""


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


@dataclass(eq=False)
class RolloutTree:
    """All continuations of one request, and how they ended."""

    request: ContinuationRequest
    prefix: SharedPrefix
    ended: tuple[dict[int, float], ...]
    """T dicts: index of the continuation -> its outcome."""
    n_running: int

    def end(self, branches: Sequence[Branch], outcome: float) -> None:
        """Record how these continuations ended."""
        for branch in branches:
            self.ended[branch.start][branch.index] = outcome
        self.n_running -= len(branches)

    def outcomes(self) -> tuple[FloatArray, ...]:
        """T vectors of outcomes, in the order of the requested indices."""
        return tuple(
            np.array([by_index[index] for index in indices], dtype=np.float64)
            for by_index, indices in zip(self.ended, self.request.indices, strict=True)
        )


@dataclass(eq=False)
class PrefixNode:
    """One history off the shared prefix, and the continuations that have it in common."""

    tree: RolloutTree
    step: int
    snapshot: object
    """State of the world before this step."""
    branches: list[Branch]
    written: list[int]
    """Token ids of the step so far."""
    pending: list[int]
    """Token ids that the model has not read yet; never empty between passes."""
    prefix_length: int
    """Tokens of the shared prefix that belong to this history."""
    suffix_length: int = 0
    """Tokens after them that the model has read."""

    def fork(self, branches: list[Branch]) -> "PrefixNode":
        """Another history with the same past."""
        return PrefixNode(
            self.tree,
            self.step,
            self.snapshot,
            branches,
            list(self.written),
            [],
            self.prefix_length,
            self.suffix_length,
        )


def play_continuations(
    policy: Policy,
    environment: Environment,
    requests: Iterable[ContinuationRequest],
    config: RolloutConfig,
    *,
    allowed: AllowedTexts | None = None,
) -> Iterator[RolloutTree]:
    """Play all requested continuations to their end; yields each tree as soon as it is complete.

    Args:
        policy: continues every history; its model must be in eval mode.
        environment: its step limit is the step cap.
        requests: read one by one, as slots become free.
        config: temperature and longest step; `parallel` is the number of continuations in flight.
        allowed: the only texts that the policy may write, or None for any text.

    Raises:
        ValueError: a trajectory does not fit its task, the world or the model; see `read_shared_prefix`.
    """
    scheduler = ContinuationScheduler(policy, environment, config, allowed)
    source = iter(requests)
    more = True
    while more or scheduler.busy:
        while more and scheduler.has_capacity:
            request = next(source, None)
            more = request is not None
            if request is not None:
                scheduler.add(request)
        if scheduler.busy:
            scheduler.advance()
        yield from scheduler.complete()


@dataclass(eq=False)
class ContinuationScheduler:
    """All trees in progress, and the nodes that the model reads next."""

    policy: Policy
    environment: Environment
    config: RolloutConfig
    allowed: AllowedTexts | None
    trees: list[RolloutTree] = field(default_factory=list)
    queue: deque[PrefixNode] = field(default_factory=deque)
    nodes: list[PrefixNode] = field(default_factory=list)
    """Node i is stored in slot i of the cache."""

    def __post_init__(self) -> None:
        self.cache = SlotCache(self.config.parallel, self.policy.model.config.num_hidden_layers)
        self.n_free = self.config.parallel
        """Continuations that may still be admitted."""
        self.rules = self.policy.token_rules(self.config)

    @property
    def busy(self) -> bool:
        """Whether anything is left to read."""
        return bool(self.nodes or self.queue)

    @property
    def has_capacity(self) -> bool:
        """True if slots are free and the queue is empty."""
        return self.n_free > 0 and not self.queue

    def add(self, request: ContinuationRequest) -> None:
        """Replay a trajectory, let its continuations follow it, and queue those that diverge."""
        trajectory = request.trajectory
        prefix = read_shared_prefix(self.policy, self.environment, trajectory, request.task, row=request.row)
        branches = [
            Branch.of(trajectory.id, start, index, seed=request.seed)
            for start, indices in enumerate(request.indices)
            for index in indices
        ]
        tree = RolloutTree(request, prefix, tuple({} for _ in request.indices), len(branches))
        self.trees.append(tree)
        divergences, arrived = follow_prefix(prefix, branches, self.policy, self.config, self.allowed)
        tree.end(arrived, trajectory.outcome)
        for divergence in divergences:
            self._enqueue(tree, divergence)
        self._admit()

    def complete(self) -> list[RolloutTree]:
        """Removes and returns the trees whose continuations have all ended, in the order they were added."""
        done = [tree for tree in self.trees if not tree.n_running]
        self.trees = [tree for tree in self.trees if tree.n_running]
        return done

    @torch.inference_mode()
    def advance(self) -> None:
        """One forward pass of the model and the tokens, steps and ends that follow from it."""
        inputs = self._next_inputs()
        hidden = read_into_slots(self.policy.model, self.cache, inputs)  # (n, d)
        for slot_input in inputs:
            node = self.nodes[slot_input.slot]
            node.suffix_length += len(slot_input.tokens)
            del node.pending[: len(slot_input.tokens)]
        ready = [row for row, slot_input in enumerate(inputs) if not self.nodes[slot_input.slot].pending]
        if ready:
            self._sample(hidden[ready], [inputs[row].slot for row in ready])
        self._admit()

    def _next_inputs(self) -> list[SlotInput]:
        """One token for every slot, or several for each slot that has a reply to read."""
        slots = [slot for slot, node in enumerate(self.nodes) if len(node.pending) > 1]
        n_tokens = 1
        if slots and len(slots) >= _MIN_SHARE_FOR_LONG_PASS * len(self.nodes):
            sizes = sorted(len(self.nodes[slot].pending) for slot in slots)
            n_tokens = sizes[len(sizes) // 2]  # longer replies continue in the next pass
        else:
            slots = list(range(len(self.nodes)))
        return [
            SlotInput(
                slot,
                node.tree.prefix.keys_values,
                node.prefix_length,
                node.suffix_length,
                node.pending[:n_tokens],
            )
            for slot, node in ((slot, self.nodes[slot]) for slot in slots)
        ]

    def _sample(self, hidden: torch.Tensor, slots: list[int]) -> None:
        """Every continuation of these slots draws its next token; a node forks where they differ."""
        nodes = [self.nodes[slot] for slot in slots]
        log_probs = next_token_log_probs(
            self.policy.model.get_output_embeddings()(hidden),
            temperature=self.config.temperature,
            allowed=self.allowed,
            written=[node.written for node in nodes],
        )
        tokens = sample_tokens(log_probs, _uniforms(nodes)).tolist()  # padded at the end of each row
        ended = []
        for slot, node, sampled in zip(slots, nodes, tokens, strict=True):
            groups = group_by_token(sampled[: len(node.branches)], node.branches)
            (first, staying), *others = groups.items()
            for token, branches in others:
                fork = node.fork(branches)
                if self._append(fork, token):
                    self.cache.copy(slot, len(self.nodes), fork.suffix_length)
                    self.nodes.append(fork)
            node.branches = staying
            if not self._append(node, first):
                ended.append(slot)
        for slot in reversed(ended):
            self._remove(slot)

    def _append(self, node: PrefixNode, token: int) -> bool:
        """Append a token; False if that ended the episode."""
        node.written.append(token)
        node.pending = [token]
        return self._finish_step(node)

    def _finish_step(self, node: PrefixNode) -> bool:
        """Execute the step if it is complete; False if that ended the episode."""
        if not self.rules.is_complete(node.written):
            return True
        world = node.tree.prefix.world
        world.restore(node.snapshot)
        reply = world.step(parse(self.rules.codec.decode(node.written))[1])
        following = self.rules.after_step(node.written, reply.observation)
        node.step += 1
        n_tokens = node.prefix_length + node.suffix_length + len(node.pending) + len(following)
        is_over = end_of_episode(reply, node.step, self.environment.step_limit) is not None
        if is_over or not self.rules.fits(n_tokens):
            node.tree.end(node.branches, reply.outcome)
            self.n_free += len(node.branches)
            return False
        node.pending += following
        node.snapshot, node.written = world.snapshot(), []
        return True

    def _enqueue(self, tree: RolloutTree, divergence: Divergence) -> None:
        """Make nodes of a divergence, each small enough to be admitted."""
        snapshot, written = tree.prefix.snapshots[divergence.step], divergence.written
        for start in range(0, len(divergence.branches), self.config.parallel):
            branches = list(divergence.branches[start : start + self.config.parallel])
            self.queue.append(
                PrefixNode(
                    tree,
                    divergence.step,
                    snapshot,
                    branches,
                    list(written),
                    [written[-1]],
                    divergence.prefix_length,
                )
            )

    def _admit(self) -> None:
        """Admit queued nodes while there is room for their continuations."""
        while self.queue and len(self.queue[0].branches) <= self.n_free:
            node = self.queue.popleft()
            self.n_free -= len(node.branches)
            if self._finish_step(node):
                self.nodes.append(node)

    def _remove(self, slot: int) -> None:
        """Free a slot; the last node moves into it."""
        last = self.nodes.pop()
        if slot < len(self.nodes):
            self.cache.copy(len(self.nodes), slot, last.suffix_length)
            self.nodes[slot] = last


def _uniforms(nodes: Sequence[PrefixNode]) -> torch.Tensor:
    """(n, S) float64: one uniform number for each continuation of each node; rows are padded with zeros."""
    numbers = [[branch.rng.random() for branch in node.branches] for node in nodes]
    longest = max(map(len, numbers))
    return torch.tensor([[*row, *[0.0] * (longest - len(row))] for row in numbers], dtype=torch.float64)

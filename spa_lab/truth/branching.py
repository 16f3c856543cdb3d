"""Continuations of recorded trajectories, many at a time, none computed twice.

The branches of a trajectory form a tree: as long as two of them wrote the same, they *are* the same
history, and the model is asked once for both; each still draws its own numbers, so the outcomes are
distributed as if every branch had been played alone. Branches of all steps and of many trajectories share
one batch, and one that ends makes room for the next.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, draw, next_token_log_probs
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.react import parse
from spa_lab.truth.kv_slots import Reader, SlotCache, read
from spa_lab.truth.shared_prefix import Branch, Departure, SharedPrefix, grow_shared_prefix, together, walk
from spa_lab.types import FloatArray, Trajectory

_READERS_WORTH_A_PASS = 0.25
"""Share of histories with a reply to read from which on a pass of their own, many tokens wide, pays."""


@dataclass(frozen=True)
class Order:
    """Which continuations of one trajectory are wanted."""

    trajectory: Trajectory
    task: Task
    numbers: tuple[Sequence[int], ...]
    """T sequences: numbers of the branches from each step; a number always draws the same random numbers."""
    seed: int
    common: bool
    """Branch n of every step draws the same numbers at the same step of the episode."""


@dataclass(eq=False)
class Tree:
    """All branches of one order, and how they ended."""

    order: Order
    trunk: SharedPrefix
    outcomes: tuple[dict[int, float], ...]
    """T dicts: number of the branch -> its outcome."""
    missing: int

    def end(self, branches: Sequence[Branch], outcome: float) -> None:
        """Write down how these branches ended."""
        for branch in branches:
            self.outcomes[branch.start][branch.number] = outcome
        self.missing -= len(branches)

    def in_order(self) -> tuple[FloatArray, ...]:
        """T vectors of outcomes, in the order of the wanted numbers."""
        return tuple(
            np.array([found[n] for n in numbers], dtype=np.float64)
            for found, numbers in zip(self.outcomes, self.order.numbers, strict=True)
        )


@dataclass(eq=False)
class PrefixNode:
    """One history off the trunk, and the branches that share it."""

    tree: Tree
    step: int
    moment: object
    """The world before this step."""
    branches: list[Branch]
    written: list[int]
    """Tokens of the step so far."""
    pending: list[int]
    """Tokens that the model has not read yet; never empty between passes."""
    stem: int
    """Tokens of the trunk that it shares."""
    own: int = 0
    """Tokens that it has read after them."""

    def split(self, branches: list[Branch]) -> "PrefixNode":
        """Another history with the same past."""
        return PrefixNode(
            self.tree, self.step, self.moment, branches, list(self.written), [], self.stem, self.own
        )


def grow(
    policy: Policy,
    environment: Environment,
    orders: Iterable[Order],
    config: RolloutConfig,
    *,
    menu: AllowedTexts | None = None,
) -> Iterator[Tree]:
    """Play all ordered continuations to their end; a tree is given as soon as it is complete.

    Args:
        policy: continues every history; its model must be in eval mode.
        environment: its step limit is the step cap.
        orders: read one by one, as room gets free.
        config: temperature and longest step; `parallel` is the number of branches in flight.
        menu: the only texts that the policy may write, or None.

    Raises:
        ValueError: a trajectory does not fit its task, the world or the model; see `grow_shared_prefix`.
    """
    thicket = ContinuationScheduler(policy, environment, config, menu)
    source = iter(orders)
    more = True
    while more or thicket.busy:
        while more and thicket.has_capacity:
            order = next(source, None)
            more = order is not None
            if order is not None:
                thicket.plant(order)
        if thicket.busy:
            thicket.advance()
        yield from thicket.complete()


@dataclass(eq=False)
class ContinuationScheduler:
    """Everything that grows at the moment."""

    policy: Policy
    environment: Environment
    config: RolloutConfig
    menu: AllowedTexts | None
    trees: list[Tree] = field(default_factory=list)
    waiting: deque[PrefixNode] = field(default_factory=deque)
    twigs: list[PrefixNode] = field(default_factory=list)
    """Twig i is read in slot i."""

    def __post_init__(self) -> None:
        self.cache = SlotCache(self.config.parallel, self.policy.model.config.num_hidden_layers)
        self.room = self.config.parallel
        self.limit = self.policy.context - self.config.max_new_tokens - 1  # as in a rollout

    @property
    def busy(self) -> bool:
        """Whether there is something to be read."""
        return bool(self.twigs or self.waiting)

    @property
    def has_capacity(self) -> bool:
        """Whether there is room and nobody waits for it."""
        return self.room > 0 and not self.waiting

    def plant(self, order: Order) -> None:
        """Replay a trajectory, let its branches follow it, and queue those that leave it."""
        trunk = grow_shared_prefix(self.policy, self.environment, order.trajectory, order.task)
        key = f"{order.seed}/{order.trajectory.id}"
        branches = [
            Branch(key, start, number, common=order.common)
            for start, numbers in enumerate(order.numbers)
            for number in numbers
        ]
        tree = Tree(order, trunk, tuple({} for _ in order.numbers), len(branches))
        self.trees.append(tree)
        departures, arrived = walk(trunk, branches, self.policy, self.config, self.menu)
        tree.end(arrived, order.trajectory.outcome)
        for departure in departures:
            self._queue(tree, departure)
        self._admit()

    def complete(self) -> list[Tree]:
        """Takes out the trees whose branches have all ended, in the order of planting."""
        done = [tree for tree in self.trees if not tree.missing]
        self.trees = [tree for tree in self.trees if tree.missing]
        return done

    @torch.inference_mode()
    def advance(self) -> None:
        """One pass of the model, and what follows from it."""
        readers = self._next_readers()
        hidden = read(self.policy.model, self.cache, readers)
        for one in readers:
            twig = self.twigs[one.slot]
            twig.own += len(one.tokens)
            del twig.pending[: len(one.tokens)]
        ready = [i for i, one in enumerate(readers) if not self.twigs[one.slot].pending]
        if ready:
            self._choose(hidden[ready], [readers[i].slot for i in ready])
        self._admit()

    def _next_readers(self) -> list[Reader]:
        """All slots read one token, or only those with a reply a long run of it."""
        slots = [slot for slot, twig in enumerate(self.twigs) if len(twig.pending) > 1]
        most = 1
        if slots and len(slots) >= _READERS_WORTH_A_PASS * len(self.twigs):
            sizes = sorted(len(self.twigs[slot].pending) for slot in slots)
            most = sizes[len(sizes) // 2]  # a few longer replies go on in the next pass
        else:
            slots = list(range(len(self.twigs)))
        twigs = [(slot, self.twigs[slot]) for slot in slots]
        return [
            Reader(i, twig.tree.trunk.past, twig.stem, twig.own, twig.pending[:most]) for i, twig in twigs
        ]

    def _choose(self, hidden: torch.Tensor, slots: list[int]) -> None:
        """Every branch of these slots draws its next token; histories part where branches differ."""
        twigs = [self.twigs[slot] for slot in slots]
        logits = self.policy.model.get_output_embeddings()(hidden)
        chances = next_token_log_probs(
            logits, [twig.written for twig in twigs], temperature=self.config.temperature, menu=self.menu
        )
        numbers = [[branch.rng.random() for branch in twig.branches] for twig in twigs]
        ended = []
        for slot, twig, tokens in zip(slots, twigs, draw(chances, numbers), strict=True):
            (first, stay), *others = together(tokens, twig.branches).items()
            for token, branches in others:
                fork = twig.split(branches)
                if self._take(fork, token):
                    self.cache.copy(slot, len(self.twigs), fork.own)
                    self.twigs.append(fork)
            twig.branches = stay
            if not self._take(twig, first):
                ended.append(slot)
        for slot in reversed(ended):
            self._remove(slot)

    def _take(self, twig: PrefixNode, token: int) -> bool:
        """Append a token; False if that ended the episode."""
        twig.written.append(token)
        twig.pending = [token]
        return self._settle(twig)

    def _settle(self, twig: PrefixNode) -> bool:
        """Execute the step if it is complete; False if the episode is over."""
        codec, end_id = self.policy.codec, self.policy.codec.end_id
        ended = twig.written[-1] == end_id
        if not ended and len(twig.written) < self.config.max_new_tokens:
            return True
        world = twig.tree.trunk.world
        world.restore(twig.moment)
        reply = world.step(parse(codec.decode(twig.written))[1])
        following = [*(() if ended else (end_id,)), *codec.reply_ids(reply.observation)]
        twig.step += 1
        full = twig.stem + twig.own + len(twig.pending) + len(following) >= self.limit
        if reply.done or twig.step == self.environment.step_limit or full:
            twig.tree.end(twig.branches, reply.outcome)
            self.room += len(twig.branches)
            return False
        twig.pending += following
        twig.moment, twig.written = world.snapshot(), []
        for branch in twig.branches:
            branch.begin(twig.step)
        return True

    def _queue(self, tree: Tree, departure: Departure) -> None:
        """Make twigs of a departure, each small enough to be let in."""
        moment, written = tree.trunk.moments[departure.step], departure.written
        for i in range(0, len(departure.branches), self.config.parallel):
            branches = list(departure.branches[i : i + self.config.parallel])
            self.waiting.append(
                PrefixNode(
                    tree, departure.step, moment, branches, list(written), [written[-1]], departure.length
                )
            )

    def _admit(self) -> None:
        """Let in whoever waits, as long as there is room."""
        while self.waiting and len(self.waiting[0].branches) <= self.room:
            twig = self.waiting.popleft()
            self.room -= len(twig.branches)
            if self._settle(twig):
                self.twigs.append(twig)

    def _remove(self, slot: int) -> None:
        """Give a slot away; the last twig moves into it."""
        last = self.twigs.pop()
        if slot < len(self.twigs):
            self.cache.copy(len(self.twigs), slot, last.own)
            self.twigs[slot] = last

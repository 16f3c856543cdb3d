"""The household as a graph: nodes with states, edges with relations.

A `Scene` is the initial graph and never changes; a `State` holds what may change. States are immutable: an
action makes a new one that shares the unchanged parts, so a snapshot is a reference. Names of states,
relations and properties are those of the public package virtualhome 2.3.0 (MIT).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

ON, INSIDE, BETWEEN, CLOSE = "ON", "INSIDE", "BETWEEN", "CLOSE"
FACING, HOLDS_RH, HOLDS_LH, SITTING = "FACING", "HOLDS_RH", "HOLDS_LH", "SITTING"
RELATIONS = (ON, INSIDE, BETWEEN, CLOSE, FACING, HOLDS_RH, HOLDS_LH, SITTING)
HANDS = (HOLDS_RH, HOLDS_LH)
"""The right hand is used first."""
STATES = (
    "CLOSED", "OPEN", "ON", "OFF", "SITTING", "DIRTY", "CLEAN", "LYING", "PLUGGED_IN", "PLUGGED_OUT",
)  # fmt: skip
PROPERTIES = (
    "SURFACES", "GRABBABLE", "SITTABLE", "LIEABLE", "HANGABLE", "DRINKABLE", "EATABLE", "RECIPIENT",
    "CUTTABLE", "POURABLE", "CAN_OPEN", "HAS_SWITCH", "READABLE", "LOOKABLE", "CONTAINERS", "CLOTHES",
    "PERSON", "BODY_PART", "COVER_OBJECT", "HAS_PLUG", "HAS_PAPER", "MOVABLE", "CREAM",
)  # fmt: skip
CHARACTER = "character"
"""Class of the agent's own node."""

Ids: TypeAlias = frozenset[int]
End: TypeAlias = tuple[int, str]
"""(node id, relation): one end of an edge."""
NOTHING: Ids = frozenset()


@dataclass(frozen=True)
class Node:
    """The unchanging part of a node."""

    id: int
    name: str
    """Class name, like "kitchen_cabinet"."""
    room: bool
    properties: frozenset[str]

    def __str__(self) -> str:
        return f"<{self.name}> ({self.id})"


class State(NamedTuple):
    """The changeable part of a scene. The mappings must not be modified; use `Draft`."""

    states: Mapping[int, frozenset[str]]
    """Node id -> its states."""
    out: Mapping[End, Ids]
    """(from, relation) -> target ids; empty entries are allowed."""
    into: Mapping[End, Ids]
    """(to, relation) -> source ids; always the mirror of `out`."""
    grabbed: Mapping[int, tuple[int, str]]
    """Id of a grabbed object -> (neighbour, relation) from which it was taken, for PUTOBJBACK."""
    slots: Mapping[End, tuple[tuple[int, ...], int]]
    """Ends with edges that the scene did not start with -> (targets in the original engine's order, clock at
    that time); see `Scene.in_order`."""
    clock: int
    """Number of executed actions."""

    def has(self, source: int, relation: str, target: int) -> bool:
        """Whether there is such an edge."""
        return target in self.out.get((source, relation), NOTHING)

    def held(self, agent: int) -> list[int]:
        """Ids of held objects, left hand first."""
        return [x for hand in (HOLDS_LH, HOLDS_RH) for x in sorted(self.out.get((agent, hand), NOTHING))]


@dataclass(frozen=True, eq=False)
class Scene:
    """An initial graph."""

    name: str
    nodes: Mapping[int, Node]
    """By id, ascending."""
    by_name: Mapping[str, tuple[int, ...]]
    """Class name -> ids, ascending."""
    body: Ids
    """Ids of the body parts."""
    agent: int
    """Id of the character: the one with the lowest id."""
    start: State
    order: Mapping[End, tuple[int, ...]]
    """(from, relation) -> the ids of `start.out` in the order of the file."""

    @property
    def posture(self) -> frozenset[str]:
        """The agent's states in the initial graph; the original engine judges posture by these, always."""
        return self.start.states[self.agent]

    def in_order(self, state: State, source: int, relation: str) -> list[int]:
        """Ids that such edges lead to, in the order in which the original engine goes through them.

        The original takes the first match from a set of integers. The order of such a set depends only on its
        history: it starts with the edges of the scene, and from the first new edge on it is copied at every
        executed action. Both are reproduced here. Not reproduced: the original's sets also grow when they are
        only read, which can matter where edges of the scene were removed and new ones added.
        """
        now = state.out.get((source, relation), NOTHING)
        if len(now) < 2:
            return list(now)
        listed, since = state.slots.get((source, relation), ((), state.clock - 1))
        return list(self.settled(listed, state.clock - since, (source, relation), now))

    def settled(self, listed: tuple[int, ...], copies: int, end: End, now: Ids) -> tuple[int, ...]:
        """The order of the original's set after `copies` copies without additions and removals."""
        initial = self.order.get(end, ())
        removed = [target for target in initial if target not in now]
        for _ in range(copies):
            slots = set(listed)
            slots.update(initial)
            slots.difference_update(removed)
            before, listed = listed, tuple(slots)
            if listed == before:
                break
        return listed

    def room_of(self, state: State, node: int) -> int | None:
        """The room that a node is in; the node itself if it is a room, None if it is in none."""
        if self.nodes[node].room:
            return node
        inside = self.in_order(state, node, INSIDE)
        if len(inside) > 1:
            return next((x for x in inside if self.nodes[x].room), None)
        climbed = {node}
        while inside and inside[0] not in climbed:
            if self.nodes[inside[0]].room:
                return inside[0]
            climbed.add(inside[0])
            inside = self.in_order(state, inside[0], INSIDE)
        return None


class Draft:
    """Builds the state after an action: the only way to change a state."""

    def __init__(self, scene: Scene, state: State) -> None:
        self.states = dict(state.states)
        self.out = dict(state.out)
        self.into = dict(state.into)
        self.grabbed = dict(state.grabbed)
        self._scene, self._before = scene, state
        self._slots: dict[End, set[int]] = {}
        """Ends whose edges change -> a copy of the original's set for this action."""

    def state(self) -> State:
        """The finished state; the draft must not be used afterwards."""
        clock = self._before.clock + 1
        slots = dict(self._before.slots)
        for end, live in self._slots.items():
            initial = self._scene.order.get(end, ())
            live.update(initial)
            live.difference_update([x for x in initial if x not in self.out.get(end, NOTHING)])
            slots[end] = tuple(live), clock
        return State(self.states, self.out, self.into, self.grabbed, slots, clock)

    def add(self, source: int, relation: str, target: int) -> None:
        """Add an edge if it does not exist."""
        end, other = (source, relation), (target, relation)
        targets = self.out.get(end, NOTHING)
        if target in targets:
            return
        new = target not in self._scene.order.get(end, ())
        slots = self._copied(end, keep=new)
        if slots is not None and new:
            slots.add(target)
        self.out[end] = targets | {target}
        self.into[other] = self.into.get(other, NOTHING) | {source}

    def add_both(self, node: int, relation: str, others: Iterable[int]) -> None:
        """Add edges from `node` to `others` and back."""
        for other in others:
            self.add(node, relation, other)
            self.add(other, relation, node)

    def remove(self, source: int, relation: str, target: int) -> None:
        """Remove an edge if it exists."""
        end, other = (source, relation), (target, relation)
        targets = self.out.get(end, NOTHING)
        if target not in targets:
            return
        slots = self._copied(end, keep=False)
        if slots is not None and target not in self._scene.order.get(end, ()):
            slots.discard(target)
        self.out[end] = targets - {target}
        self.into[other] = self.into[other] - {source}

    def clear_from(self, source: int, relation: str) -> None:
        """Remove all edges of this relation that start at `source`."""
        for target in sorted(self.out.get((source, relation), NOTHING)):
            self.remove(source, relation, target)

    def clear(self, node: int, *relations: str) -> None:
        """Remove all edges of these relations that start or end at `node`."""
        for relation in relations:
            self.clear_from(node, relation)
            for source in sorted(self.into.get((node, relation), NOTHING)):
                self.remove(source, relation, node)

    def swap(self, node: int, old: str, new: str) -> None:
        """Replace a state of a node by another."""
        self.states[node] = self.states[node] - {old} | {new}

    def _copied(self, end: End, *, keep: bool) -> set[int] | None:
        """The original's set of targets of an end, if it has one; with `keep`, one is created."""
        live = self._slots.get(end)
        if live is None and end in self._before.slots:
            listed, since = self._before.slots[end]
            now = self._before.out.get(end, NOTHING)
            copies = self._before.clock - since
            live = self._slots[end] = set(self._scene.settled(listed, copies, end, now))
        elif live is None and keep:
            live = self._slots[end] = set()
        return live

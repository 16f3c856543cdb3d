"""Goals: conditions on the graph, all of which must hold."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from spa_lab.envs.virtualhome.graph import RELATIONS, STATES, Scene, State

_KINDS = {"state": 2, "has_state": 2, "edge": 3, "no_edge": 3}
"""Kind -> number of values that follow it."""


class Condition(NamedTuple):
    """One condition.

    `state`: the node's states are exactly `words`; `has_state`: the node has the state in `words`; `edge`,
    `no_edge`: the edge (node, relation in `words`, other) exists, or does not.
    """

    kind: str
    node: int
    words: tuple[str, ...]
    other: int = -1

    def met(self, state: State) -> bool:
        """Whether it holds."""
        if self.kind == "state":
            return state.states[self.node] == frozenset(self.words)
        if self.kind == "has_state":
            return self.words[0] in state.states[self.node]
        return state.has(self.node, self.words[0], self.other) == (self.kind == "edge")


def read_goal(records: Any, scene: Scene) -> tuple[Condition, ...]:
    """Conditions from lists such as `["edge", 41, "ON", 17]` and `["has_state", 6, "OPEN"]`.

    Raises:
        ValueError: a condition is invalid; names the scene, the condition and the reason.
    """
    if not isinstance(records, list):
        raise ValueError(f"scene {scene.name!r}: a goal must be a list, got {type(records).__name__}")
    return tuple(_condition(record, scene) for record in records)


def _condition(record: Any, scene: Scene) -> Condition:
    where = f"scene {scene.name!r}, condition {record!r}"
    if not isinstance(record, list | tuple) or not record or record[0] not in list(_KINDS):
        raise ValueError(f"{where}: must be a list that starts with one of {', '.join(_KINDS)}")
    kind, *values = record
    if len(values) != _KINDS[kind]:
        raise ValueError(f"{where}: needs {_KINDS[kind]} values, got {len(values)}")
    is_edge = kind in ("edge", "no_edge")
    for node in (values[0], values[2]) if is_edge else values[:1]:
        if type(node) is not int or node not in scene.nodes:
            raise ValueError(f"{where}: the scene has no node {node!r}")
    words = values[1] if kind == "state" else [values[1]]
    known = RELATIONS if is_edge else STATES
    if not isinstance(words, list | tuple) or any(word not in known for word in words):
        raise ValueError(f"{where}: {words!r} must be among {', '.join(known)}")
    return Condition(kind, values[0], tuple(words), values[2] if is_edge else -1)


def share_met(goal: Iterable[Condition], state: State) -> float:
    """Share of the conditions that hold, in [0, 1]; 1 for an empty goal."""
    met = [condition.met(state) for condition in goal]
    return sum(met) / len(met) if met else 1.0

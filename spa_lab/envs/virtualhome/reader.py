"""Reads and checks scene graphs in VirtualHome's JSON layout, `{"nodes": [...], "edges": [...]}`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from spa_lab.envs.virtualhome.graph import (
    CHARACTER,
    PROPERTIES,
    RELATIONS,
    STATES,
    End,
    Node,
    Scene,
    State,
)

_KNOWN = {"states": frozenset(STATES), "properties": frozenset(PROPERTIES)}
_RELATIONS = frozenset(RELATIONS)


def read_scene(graph: Any, name: str) -> Scene:
    """The scene of a graph.

    Args:
        graph: `{"nodes": [{"id", "class_name", "category", "properties", "states"}], "edges": [{"from_id",
            "relation_type", "to_id"}]}`; other keys are ignored. As in the original, the last of several
            nodes with the same id counts, words may be in lower case, and repeated edges count once.
        name: name of the scene, for messages.

    Raises:
        ValueError: the graph is invalid; names the scene and the reason.
    """
    nodes: dict[int, Node] = {}
    states: dict[int, frozenset[str]] = {}
    for index, record in enumerate(_list(graph, "nodes", name)):
        node, its_states = _node(record, f"scene {name!r}, node {index}")
        nodes[node.id], states[node.id] = node, its_states
    order = _edges(_list(graph, "edges", name), nodes, name)
    by_name = defaultdict(list)
    for key in sorted(nodes):
        by_name[nodes[key].name].append(key)
    if not by_name[CHARACTER]:
        raise ValueError(f"scene {name!r}: has 0 nodes of class {CHARACTER!r}, needs at least 1")
    agent = by_name[CHARACTER][0]
    scene = Scene(
        name,
        {key: nodes[key] for key in sorted(nodes)},
        {key: tuple(ids) for key, ids in by_name.items()},
        frozenset(key for key, node in nodes.items() if "BODY_PART" in node.properties),
        agent,
        State(states, _sets(order), _sets(_mirror(order)), {}, {}, 0),
        {end: tuple(targets) for end, targets in order.items()},
    )
    if scene.room_of(scene.start, agent) is None:
        raise ValueError(f"scene {name!r}: the character (id {agent}) is in no room")
    return scene


def _node(record: Any, where: str) -> tuple[Node, frozenset[str]]:
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected an object, got {type(record).__name__}")
    key, name = record.get("id"), record.get("class_name")
    if type(key) is not int or key < 0:
        raise ValueError(f"{where}: 'id' must be a whole number >= 0, got {key!r}")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where}: 'class_name' must be a string, got {name!r}")
    states, properties = (_words(record, kind, where) for kind in ("states", "properties"))
    return Node(key, name, record.get("category") == "Rooms", properties), states


def _words(record: Mapping[str, Any], kind: str, where: str) -> frozenset[str]:
    words = record.get(kind)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{where}: {kind!r} must be a list of strings, got {words!r}")
    names = frozenset(word.upper() for word in words)
    if unknown := sorted(names - _KNOWN[kind]):
        raise ValueError(f"{where}: unknown {kind}: {', '.join(unknown)}")
    return names


def _edges(records: list[Any], nodes: Mapping[int, Node], name: str) -> dict[End, list[int]]:
    """Targets by (source, relation), in the order of the file, without repetition."""
    order: dict[End, dict[int, None]] = {}
    for index, record in enumerate(records):
        where = f"scene {name!r}, edge {index}"
        if not isinstance(record, dict):
            raise ValueError(f"{where}: expected an object, got {type(record).__name__}")
        source, target = (_end(record.get(key), nodes, where) for key in ("from_id", "to_id"))
        relation = record.get("relation_type")
        if not isinstance(relation, str) or relation.upper() not in _RELATIONS:
            raise ValueError(f"{where}: unknown relation {relation!r}")
        order.setdefault((source, relation.upper()), {})[target] = None
    return {end: list(targets) for end, targets in order.items()}


def _end(key: Any, nodes: Mapping[int, Node], where: str) -> int:
    if not isinstance(key, int) or isinstance(key, bool) or key not in nodes:
        raise ValueError(f"{where}: no node has the id {key!r}")
    return key


def _mirror(order: Mapping[End, list[int]]) -> dict[End, list[int]]:
    mirrored: dict[End, list[int]] = {}
    for (source, relation), targets in order.items():
        for target in targets:
            mirrored.setdefault((target, relation), []).append(source)
    return mirrored


def _sets(order: Mapping[End, list[int]]) -> dict[End, frozenset[int]]:
    return {end: frozenset(targets) for end, targets in order.items()}


def _list(graph: Any, key: str, name: str) -> list[Any]:
    if not isinstance(graph, dict) or not isinstance(graph.get(key), list):
        raise ValueError(f"scene {name!r}: {key!r} must be a list in an object")
    return graph[key]

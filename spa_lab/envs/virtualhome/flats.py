"""Seeded flats: which furniture stands in which room, and where things lie when an episode begins.

A flat's furniture is fixed by (unseen, number): `train` and `seen` tasks share flats, `unseen` tasks never
do. Whether a choice of furniture belongs to the unseen flats is decided by its hash, so none is in both.
No class occurs twice in a flat, so a name always means one thing.
"""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spa_lab.envs.virtualhome.catalogue import FURNITURE, ROOMS, THINGS

FLATS = 64
"""Flats on each side of the split."""
UNSEEN_ONE_IN = 4
"""One in this many choices is kept for the unseen side."""
_MOST_THINGS = 12


@dataclass(frozen=True)
class Flat:
    """A flat without the things in it."""

    number: int
    furniture: tuple[str, ...]
    """Class names, in the order of the catalogue."""

    @property
    def rooms(self) -> tuple[str, ...]:
        """Rooms with any furniture in them."""
        return tuple(room for room in ROOMS if any(FURNITURE[name].room == room for name in self.furniture))


@dataclass(frozen=True)
class Layout:
    """How a flat looks when an episode begins."""

    flat: Flat
    room: str
    """Where the agent is."""
    places: Mapping[str, str]
    """Thing -> the furniture that it lies on, or in."""
    states: Mapping[str, tuple[str, ...]]
    """Furniture or thing -> its states."""


def digest(*parts: object) -> int:
    """A number that depends on nothing but the parts, in [0, 2**64)."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def is_unseen(*parts: object) -> bool:
    """Which side of the split a choice belongs to."""
    return digest("side", *parts) % UNSEEN_ONE_IN == 0


def make_flat(number: int, *, unseen: bool) -> Flat:
    """Flat `number`, in [0, `FLATS`), of one side of the split."""
    attempt = 0
    while True:
        rng = random.Random(digest("flat", unseen, number, attempt))
        furniture = tuple(name for room in ROOMS for name in _furnish(room, rng))
        if is_unseen(*furniture) == unseen:
            return Flat(number, furniture)
        attempt += 1


def _furnish(room: str, rng: random.Random) -> list[str]:
    """About two thirds of what may stand in a room."""
    possible = [name for name, kind in FURNITURE.items() if kind.room == room]
    chosen = rng.sample(possible, rng.randint(len(possible) // 2, len(possible) - 1))
    return [name for name in possible if name in chosen]


def arrange(flat: Flat, rng: random.Random) -> Layout:
    """Things and states for one episode."""
    places: dict[str, str] = {}
    names = sorted(THINGS)
    for thing in rng.sample(names, len(names)):
        possible = [name for name in flat.furniture if THINGS[thing].group in FURNITURE[name].holds]
        if possible and len(places) < _MOST_THINGS:
            places[thing] = rng.choice(possible)
    states = {name: _states(name, rng) for name in (*flat.furniture, *places)}
    return Layout(flat, rng.choice(flat.rooms), places, states)


def _states(name: str, rng: random.Random) -> tuple[str, ...]:
    if name in THINGS:
        return (rng.choice(("CLEAN", "DIRTY")),) if THINGS[name].group == "dish" else ()
    kind, states = FURNITURE[name], []
    if kind.opens:
        states.append("CLOSED" if rng.random() < 0.75 else "OPEN")
    if kind.switched:
        plugged = rng.random() < 0.7
        states += ["ON" if plugged and rng.random() < 0.25 else "OFF"]
        states += ["PLUGGED_IN" if plugged else "PLUGGED_OUT"]
    return tuple(states)


def ids_of(layout: Layout) -> dict[str, int]:
    """Class name -> id: rooms, furniture, things by name, the agent last."""
    names = (*layout.flat.rooms, *layout.flat.furniture, *sorted(layout.places), "character")
    return {name: key for key, name in enumerate(names, start=1)}


def graph_of(layout: Layout) -> dict[str, Any]:
    """The layout as a graph in VirtualHome's JSON format."""
    ids = ids_of(layout)
    nodes = [_node(key, name, layout) for name, key in ids.items()]
    edges = [(name, "INSIDE", FURNITURE[name].room) for name in layout.flat.furniture]
    for thing, place in sorted(layout.places.items()):
        edges.append((thing, "INSIDE" if FURNITURE[place].opens else "ON", place))
        edges.append((thing, "INSIDE", FURNITURE[place].room))
    edges.append(("character", "INSIDE", layout.room))
    return {
        "nodes": nodes,
        "edges": [
            {"from_id": ids[one], "relation_type": relation, "to_id": ids[other]}
            for one, relation, other in edges
        ],
    }


def _node(key: int, name: str, layout: Layout) -> dict[str, Any]:
    if name in FURNITURE:
        category, properties = "Furniture", FURNITURE[name].properties
    elif name in THINGS:
        category, properties = "placable_objects", ("GRABBABLE", *THINGS[name].properties)
    else:
        category, properties = ("Characters" if name == "character" else "Rooms"), ()
    return {
        "id": key,
        "class_name": name,
        "category": category,
        "properties": list(properties),
        "states": list(layout.states.get(name, ())),
    }

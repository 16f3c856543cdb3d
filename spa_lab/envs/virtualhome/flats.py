"""Seeded flats: the furniture of each room, and the layout of things at the start of an episode.

(unseen, index) determines the furniture of a flat: `train` and `seen` tasks share flats, `unseen` tasks have
others. The hash of a choice of furniture decides to which side it belongs, so no choice is on both. No class
occurs twice in a flat, so names are unambiguous.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spa_lab.envs.panels import digest
from spa_lab.envs.virtualhome.catalogue import FURNITURE, ROOMS, THINGS

FLATS = 64
"""Number of flats on each side of the split."""
UNSEEN_ONE_IN = 4
"""One in `UNSEEN_ONE_IN` choices belongs to the unseen side."""
_MOST_THINGS = 12


@dataclass(frozen=True)
class Flat:
    """The furniture of a flat."""

    index: int
    furniture: tuple[str, ...]
    """Class names, in the order of the catalogue."""

    @property
    def rooms(self) -> tuple[str, ...]:
        """Rooms with any furniture in them."""
        return tuple(room for room in ROOMS if any(FURNITURE[name].room == room for name in self.furniture))


@dataclass(frozen=True)
class Layout:
    """A flat at the start of an episode."""

    flat: Flat
    room: str
    """The agent's room."""
    placements: Mapping[str, str]
    """Thing -> the furniture that it is on or in."""
    states: Mapping[str, tuple[str, ...]]
    """Furniture or thing -> its states."""


def is_unseen(*parts: object) -> bool:
    """Whether a choice belongs to the unseen side of the split."""
    return digest("side", *parts) % UNSEEN_ONE_IN == 0


def make_flat(index: int, *, unseen: bool) -> Flat:
    """Flat `index`, in [0, `FLATS`), of one side of the split."""
    attempt = 0
    while True:
        rng = random.Random(digest("flat", unseen, index, attempt))
        furniture = tuple(name for room in ROOMS for name in _furnish(room, rng))
        if is_unseen(*furniture) == unseen:
            return Flat(index, furniture)
        attempt += 1


def _furnish(room: str, rng: random.Random) -> list[str]:
    """Between half and all but one of the furniture that a room may have."""
    possible = [name for name, kind in FURNITURE.items() if kind.room == room]
    chosen = rng.sample(possible, rng.randint(len(possible) // 2, len(possible) - 1))
    return [name for name in possible if name in chosen]


def arrange(flat: Flat, rng: random.Random) -> Layout:
    """A random layout for one episode."""
    placements: dict[str, str] = {}
    names = sorted(THINGS)
    for thing in rng.sample(names, len(names)):
        possible = [name for name in flat.furniture if THINGS[thing].group in FURNITURE[name].holds]
        if possible and len(placements) < _MOST_THINGS:
            placements[thing] = rng.choice(possible)
    states = {name: _states(name, rng) for name in (*flat.furniture, *placements)}
    return Layout(flat, rng.choice(flat.rooms), placements, states)


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
    names = (*layout.flat.rooms, *layout.flat.furniture, *sorted(layout.placements), "character")
    return {name: key for key, name in enumerate(names, start=1)}


def graph_of(layout: Layout) -> dict[str, Any]:
    """The layout as a graph in VirtualHome's JSON format."""
    ids = ids_of(layout)
    nodes = [_node(key, name, layout) for name, key in ids.items()]
    edges = [(name, "INSIDE", FURNITURE[name].room) for name in layout.flat.furniture]
    for thing, furniture in sorted(layout.placements.items()):
        edges.append((thing, "INSIDE" if FURNITURE[furniture].opens else "ON", furniture))
        edges.append((thing, "INSIDE", FURNITURE[furniture].room))
    edges.append(("character", "INSIDE", layout.room))
    return {
        "nodes": nodes,
        "edges": [
            {"from_id": ids[source], "relation_type": relation, "to_id": ids[target]}
            for source, relation, target in edges
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

"""Seeded houses: which receptacles a generated room has and where they stand.

A house is fixed by (room, size, unseen, index), like a floor plan of ALFWorld: `train` and `seen` games
share houses, `unseen` games never do. Whether a receptacle composition belongs to the unseen houses is
decided by its hash, so no composition is ever in both.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Size = Literal["small", "medium", "large"]
HOUSES = 48
"""Houses for each room kind and size, on each side of the split."""
UNSEEN_ONE_IN = 4
"""One in this many receptacle compositions is kept for unseen houses."""

_FURNITURE = MappingProxyType(
    {  # room -> (always there, {type: (weight, most in a large house)})
        "Kitchen": (
            ("CounterTop", "Fridge", "GarbageCan", "Microwave", "SinkBasin"),
            {
                "Cabinet": (6, 20),
                "CoffeeMachine": (1, 1),
                "CounterTop": (1, 3),
                "DiningTable": (1, 2),
                "Drawer": (4, 12),
                "Shelf": (1, 3),
                "SideTable": (1, 1),
                "StoveBurner": (2, 4),
                "Toaster": (1, 1),
            },
        ),
        "LivingRoom": (
            ("CoffeeTable", "SideTable", "Sofa"),
            {
                "ArmChair": (2, 2),
                "Cabinet": (2, 4),
                "Desk": (1, 1),
                "DiningTable": (1, 1),
                "Drawer": (4, 6),
                "Dresser": (1, 1),
                "GarbageCan": (1, 1),
                "Ottoman": (1, 1),
                "Safe": (1, 1),
                "Shelf": (3, 6),
                "SideTable": (1, 2),
                "TVStand": (1, 1),
            },
        ),
        "Bedroom": (
            ("Bed", "Desk"),
            {
                "ArmChair": (1, 1),
                "Cabinet": (1, 2),
                "Desk": (1, 2),
                "Drawer": (5, 8),
                "Dresser": (1, 1),
                "GarbageCan": (1, 1),
                "LaundryHamper": (1, 1),
                "Safe": (1, 1),
                "Shelf": (4, 6),
                "SideTable": (2, 2),
            },
        ),
        "Bathroom": (
            ("CounterTop", "SinkBasin", "Toilet"),
            {
                "BathtubBasin": (1, 1),
                "Cabinet": (4, 6),
                "Cart": (1, 1),
                "Drawer": (3, 5),
                "GarbageCan": (1, 1),
                "HandTowelHolder": (1, 2),
                "LaundryHamper": (1, 1),
                "Shelf": (2, 3),
                "SideTable": (1, 1),
                "SinkBasin": (1, 2),
                "ToiletPaperHanger": (1, 1),
                "TowelHolder": (1, 2),
            },
        ),
    }
)
_RECEPTACLES = MappingProxyType(
    {  # size -> (kitchen, other rooms), each (fewest, most)
        "small": ((8, 12), (8, 12)),
        "medium": ((14, 20), (12, 15)),
        "large": ((22, 36), (13, 18)),
    }
)
_SMALL_CAP = 4
_ID_PREFIX = MappingProxyType({"SinkBasin": "Sink", "BathtubBasin": "Bathtub"})


@dataclass(frozen=True)
class Receptacle:
    """One receptacle of a house."""

    type: str
    id: str
    """PDDL name, as in ALFWorld: type and coordinates."""
    location: str
    """PDDL name of the location from which it is reached; every receptacle has its own."""


@dataclass(frozen=True)
class House:
    """One room with its receptacles."""

    room: str
    name: str
    receptacles: tuple[Receptacle, ...]
    start: str
    """PDDL name of the location where the agent begins, away from every receptacle."""

    @property
    def types(self) -> tuple[str, ...]:
        """The receptacle types present, sorted, without repetition."""
        return tuple(sorted({receptacle.type for receptacle in self.receptacles}))


def digest(*parts: object) -> int:
    """A 64-bit integer hash of `parts`, the same on every machine and in every process."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def is_unseen_composition(room: str, types: Iterable[str]) -> bool:
    """Whether a room with these receptacle types (repeated, any order) belongs to the unseen houses."""
    return digest("composition", room, *sorted(types)) % UNSEEN_ONE_IN == 0


def make_house(room: str, size: Size, index: int, *, unseen: bool) -> House:
    """House `index` (0 <= index < HOUSES) of its kind.

    Raises:
        ValueError: `room`, `size` or `index` is unknown.
    """
    if room not in _FURNITURE or size not in _RECEPTACLES or not 0 <= index < HOUSES:
        raise ValueError(f"no house {index} of {HOUSES} for room {room!r}, size {size!r}")
    name = f"{room}-{size}-{'unseen' if unseen else 'train'}-{index:02d}"
    rng = random.Random(digest("house", name))
    types = _composition(room, size, rng)
    while is_unseen_composition(room, types) != unseen:
        types = _composition(room, size, rng)
    spots = rng.sample(range(40 * 40), len(types) + 1)
    receptacles = tuple(
        Receptacle(kind, _receptacle_id(kind, rng), _location_id(spot, rng))
        for kind, spot in zip(types, spots, strict=False)
    )
    return House(room, name, receptacles, _location_id(spots[-1], rng))


def _composition(room: str, size: Size, rng: random.Random) -> list[str]:
    """Receptacle types of one room, sorted, with repetition."""
    always, extras = _FURNITURE[room]
    few, most = _RECEPTACLES[size][room != "Kitchen"]
    total = rng.randint(few, most)
    types = list(always)
    count = Counter(always)
    while len(types) < total:
        free = [
            t
            for t, (_, cap) in extras.items()
            if count[t] < (min(cap, _SMALL_CAP) if size == "small" else cap)
        ]
        if not free:
            break
        kind = rng.choices(free, [extras[t][0] for t in free])[0]
        count[kind] += 1
        types.append(kind)
    return sorted(types)


def coordinates(rng: random.Random) -> str:
    """A random position as ALFWorld writes it in names: `_bar_` before each of the three coordinates."""
    position = (rng.randint(-399, 399), rng.randint(0, 220), rng.randint(-399, 399))
    return "".join(
        f"_bar_{'_minus_' if n < 0 else '_plus_'}{abs(n) // 100:02d}_dot_{abs(n) % 100:02d}" for n in position
    )


def _receptacle_id(kind: str, rng: random.Random) -> str:
    if kind in _ID_PREFIX:
        return f"{_ID_PREFIX[kind]}{coordinates(rng)}_bar_{kind}"
    return kind + coordinates(rng)


def _location_id(spot: int, rng: random.Random) -> str:
    x, z = spot % 40 - 20, spot // 40 - 20
    signed = [f"_minus_{-n}" if n < 0 else str(n) for n in (x, z)]
    return f"loc_bar_{signed[0]}_bar_{signed[1]}_bar_{rng.randrange(4)}_bar_30"

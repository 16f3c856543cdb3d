"""Furniture and things of generated flats, and which things belong on or in which furniture.

Class names and properties follow VirtualHome's; the selection and the placements are our own. Clothes are
excluded: the original engine cannot grab clothes again after they were put on and taken off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Furniture:
    """One kind of furniture."""

    room: str
    properties: tuple[str, ...]
    holds: tuple[str, ...] = ()
    """Groups of things that belong on it, or in it if it opens."""

    @property
    def opens(self) -> bool:
        """Whether things are in it, not on it."""
        return "CAN_OPEN" in self.properties

    @property
    def switched(self) -> bool:
        """Whether it can be switched on."""
        return "HAS_SWITCH" in self.properties


@dataclass(frozen=True)
class Thing:
    """One kind of small object; all can be grabbed."""

    group: str
    properties: tuple[str, ...] = ()


def _surface(room: str, holds: str, *more: str) -> Furniture:
    return Furniture(room, ("SURFACES", *more), tuple(holds.split()))


def _container(room: str, holds: str) -> Furniture:
    return Furniture(room, ("CAN_OPEN", "CONTAINERS"), tuple(holds.split()))


def _machine(room: str, holds: str) -> Furniture:
    return Furniture(room, ("CAN_OPEN", "CONTAINERS", "HAS_PLUG", "HAS_SWITCH"), tuple(holds.split()))


def _device(room: str, *more: str) -> Furniture:
    return Furniture(room, ("HAS_PLUG", "HAS_SWITCH", *more))


def _seat(room: str, holds: str) -> Furniture:
    return _surface(room, holds, "SITTABLE", "LIEABLE")


FURNITURE: Mapping[str, Furniture] = MappingProxyType(
    {
        "fridge": _container("kitchen", "food drink"),
        "cupboard": _container("kitchen", "food dish"),
        "counter": _surface("kitchen", "food drink dish"),
        "table": _surface("kitchen", "food drink dish paper"),
        "microwave": _machine("kitchen", "food"),
        "oven": _machine("kitchen", "food"),
        "dishwasher": _machine("kitchen", "dish"),
        "toaster": _device("kitchen"),
        "couch": _seat("living_room", "paper cloth toy"),
        "television": _device("living_room", "LOOKABLE"),
        "radio": _device("living_room"),
        "bookshelf": _surface("living_room", "paper toy"),
        "cabinet": _container("living_room", "paper toy dish"),
        "lamp": _device("living_room"),
        "bed": _seat("bedroom", "cloth toy paper"),
        "dresser": _container("bedroom", "cloth toy"),
        "nightstand": _surface("bedroom", "paper toy drink dish"),
        "closet": _container("bedroom", "cloth toy"),
        "heater": _device("bedroom"),
        "shelf": _surface("bathroom", "cloth"),
        "hamper": _container("bathroom", "cloth"),
        "dryer": _machine("bathroom", "cloth"),
        "washer": _machine("bathroom", "cloth"),
        "desk": _surface("home_office", "paper drink toy dish"),
        "computer": _device("home_office", "LOOKABLE"),
        "printer": _device("home_office"),
        "sofa": _seat("home_office", "paper cloth"),
        "drawer": _container("home_office", "paper toy"),
    }
)
ROOMS = tuple(dict.fromkeys(kind.room for kind in FURNITURE.values()))

_DRINK, _FOOD, _DISH = ("DRINKABLE", "POURABLE"), ("EATABLE", "CUTTABLE"), ("RECIPIENT",)
_PAPER, _TOY = ("READABLE",), ("MOVABLE",)
THINGS: Mapping[str, Thing] = MappingProxyType(
    {
        **{name: Thing("food", _FOOD) for name in ("apple", "bread", "cheese", "chicken", "carrot", "pie")},
        **{name: Thing("drink", _DRINK) for name in ("milk", "juice", "wine", "tea")},
        **{name: Thing("dish", _DISH) for name in ("plate", "cup", "bowl", "mug", "pan", "pot")},
        **{name: Thing("paper", _PAPER) for name in ("book", "newspaper", "magazine", "letter", "notebook")},
        **{name: Thing("cloth") for name in ("towel", "sheet", "blanket", "pillow", "rag", "curtain")},
        **{name: Thing("toy", _TOY) for name in ("doll", "ball", "puzzle", "kite")},
    }
)
"""Dishes are clean or dirty; other things have no states."""

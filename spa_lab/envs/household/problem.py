"""Writes the PDDL problem of a generated game, in the layout of ALFWorld's games.

Predicates, the shape of names and the goals are ALFWorld's (`alfworld/data/alfred.pddl`, goal library
`alfworld/gen/goal_library.py`, version 0.4.2, MIT). Only types that occur in the game are declared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from spa_lab.envs.household import catalogue
from spa_lab.envs.household.houses import House, Receptacle

_CHANGED = """(exists (?r - receptacle) (exists (?o - object) (and
({able} ?o) (objectType ?o {{target}}Type) (receptacleType ?r {{goal}}Type)
({state} ?o) (inReceptacle ?o ?r))))"""

GOALS = MappingProxyType(
    {
        "pick_and_place_simple": """(exists (?r - receptacle) (exists (?o - object) (and
(inReceptacle ?o ?r) (objectType ?o {target}Type) (receptacleType ?r {goal}Type))))""",
        "pick_clean_then_place_in_recep": _CHANGED.format(able="cleanable", state="isClean"),
        "pick_heat_then_place_in_recep": _CHANGED.format(able="heatable", state="isHot"),
        "pick_cool_then_place_in_recep": _CHANGED.format(able="coolable", state="isCool"),
        "pick_two_obj_and_place": """(exists (?r - receptacle) (exists (?o1 - object) (and
(objectType ?o1 {target}Type) (receptacleType ?r {goal}Type) (inReceptacle ?o1 ?r) (exists (?o2 - object) (and
(not (= ?o1 ?o2)) (objectType ?o2 {target}Type) (receptacleType ?r {goal}Type) (inReceptacle ?o2 ?r))))))""",
        "look_at_obj_in_light": """(exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and
(objectType ?ot {goal}Type) (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)
(inReceptacle ?ot ?r)))
(exists (?o - object ?a - agent) (and (objectType ?o {target}Type) (holds ?a ?o)))""",
    }
)
"""Task type -> the goal's conditions; `target` is an object type, `goal` a receptacle or lamp type."""

_ABILITIES = (  # in the order of ALFWorld's files
    ("isReceptacleObject", catalogue.CONTAINERS),
    ("cleanable", catalogue.CLEANABLE),
    ("heatable", catalogue.HEATABLE),
    ("coolable", catalogue.COOLABLE),
    ("toggleable", catalogue.LAMPS),
    ("sliceable", catalogue.SLICEABLE),
)


@dataclass(frozen=True)
class Item:
    """One object of a game."""

    type: str
    id: str
    """PDDL name, as in ALFWorld: type and coordinates."""
    receptacle: Receptacle
    """The receptacle that it lies in at the start."""


def write_problem(house: House, items: Sequence[Item], goal: str) -> str:
    """The complete PDDL problem text.

    Args:
        house: The room and its receptacles.
        items: All objects, lamps included.
        goal: Conditions that must hold together at the end, as PDDL.
    """
    objects = "\n".join(_declarations(house, items))
    facts = "\n".join(_facts(house, items))
    return (
        f"(define (problem plan_x)\n(:domain alfred)\n(:objects\nagent1 - agent\n{objects}\n)\n"
        f"(:init\n{facts}\n)\n(:goal (and\n{goal}\n))\n)\n"
    )


def _declarations(house: House, items: Sequence[Item]) -> Iterator[str]:
    yield from (f"{kind}Type - otype" for kind in sorted({item.type for item in items}))
    yield from (f"{kind}Type - rtype" for kind in house.types)
    yield from (f"{item.id} - object" for item in items)
    yield from (f"{receptacle.id} - receptacle" for receptacle in house.receptacles)
    yield from (f"{receptacle.location} - location" for receptacle in house.receptacles)
    yield f"{house.start} - location"


def _facts(house: House, items: Sequence[Item]) -> Iterator[str]:
    for receptacle in house.receptacles:
        yield f"(receptacleType {receptacle.id} {receptacle.type}Type)"
        yield f"(receptacleAtLocation {receptacle.id} {receptacle.location})"
        if receptacle.type in catalogue.OPENABLE:
            yield f"(openable {receptacle.id})"
    present = {item.type for item in items}
    for kind in house.types:
        yield from (f"(canContain {kind}Type {t}Type)" for t in catalogue.HOLDS[kind] if t in present)
    for item in items:
        yield f"(objectType {item.id} {item.type}Type)"
        if item.type not in catalogue.LAMPS:
            yield f"(pickupable {item.id})"
        yield from (f"({ability} {item.id})" for ability, types in _ABILITIES if item.type in types)
        yield f"(inReceptacle {item.id} {item.receptacle.id})"
        yield f"(objectAtLocation {item.id} {item.receptacle.location})"
    yield f"(atLocation agent1 {house.start})"

"""Interprets the facts of a PDDL problem: problem text -> `Game`.

Entities are indexed in the sorted order of their ids. They are named as ALFWorld names them: the first part
of an id like `cabinet_bar__plus_00_dot_17...` ("cabinet", with "basin" added where the id contains it) and a
number that descends in the sorted order of the ids; an id without `_bar_` keeps its text and gets no number.
"""

from collections import Counter
from collections.abc import Iterable
from functools import reduce

from spa_lab.envs.household import state as fields
from spa_lab.envs.household.game import Game
from spa_lab.envs.household.goal import compile_goal
from spa_lab.envs.household.pddl import Problem, read_problem
from spa_lab.envs.household.state import INSIDE, Layout

_FLAGS = {
    "isclean": fields.CLEAN,
    "ishot": fields.HOT,
    "iscool": fields.COOL,
    "issliced": fields.SLICED,
    "istoggled": fields.TOGGLED,
    "ison": fields.ON,
}
_CHANGING = frozenset(
    {"atlocation", "objectatlocation", "inreceptacle", "holds", "holdsany", "opened", *_FLAGS}
)
# `checked` is in neither set: actions change it, but no text and no official goal asks for it.
_CONSTANT = frozenset(
    """receptacleatlocation receptacletype cancontain objecttype openable isreceptacleobject
    inreceptacleobject isreceptacleobjectfull holdsanyreceptacleobject wasinreceptacle examined full
    cleanable heatable coolable pickupable moveable toggleable sliceable""".split()
)


def read_game(text: str, game_id: str) -> Game:
    """Read the PDDL problem of a game.

    Args:
        text: The complete problem.
        game_id: Named in error messages.

    Raises:
        ValueError: Names the game and what is wrong with its problem.
    """
    try:
        return _Builder(read_problem(text), game_id).game()
    except ValueError as error:
        raise ValueError(f"game {game_id!r}: {error}") from error


class _Builder:
    """Indexes the entities of a problem and turns its facts into bit sets."""

    def __init__(self, problem: Problem, game_id: str) -> None:
        self.problem = problem
        self.game_id = game_id
        # Like the original engine, only entities that some fact mentions exist (and count in the numbering).
        mentioned = {name for facts in problem.facts.values() for fact in facts for name in fact}
        self.ids = sorted(mentioned)
        self.objects = self._indices("object")
        self.receptacles = self._indices("receptacle")
        self.locations = self._indices("location")
        self.layout = Layout(len(self.receptacles), len(self.locations))

    def game(self) -> Game:
        names = entity_names(self.ids)
        objects = tuple(names[entity] for entity in self.objects)
        receptacles = tuple(names[entity] for entity in self.receptacles)
        location_of = self._location_of()
        return Game(
            game_id=self.game_id,
            objects=objects,
            receptacles=receptacles,
            locations=tuple(names[entity] for entity in self.locations),
            object_index={name: index for index, name in enumerate(objects)},
            receptacle_index={name: index for index, name in enumerate(receptacles)},
            pickupable=self._having("pickupable"),
            cleanable=self._having("cleanable"),
            heatable=self._having("heatable"),
            coolable=self._having("coolable"),
            toggleable=self._having("toggleable"),
            sliceable=self._having("sliceable"),
            containers=self._having("isreceptacleobject"),
            knives=self._of_type("objecttype", "knifetype") | self._of_type("objecttype", "butterknifetype"),
            nested=self._nested(),
            openable=self._having("openable"),
            sinks=self._of_type("receptacletype", "sinkbasintype"),
            microwaves=self._of_type("receptacletype", "microwavetype"),
            fridges=self._of_type("receptacletype", "fridgetype"),
            accepts=self._accepts(),
            location_of=location_of,
            receptacles_at=tuple(
                tuple(index for index, place in enumerate(location_of) if place == location)
                for location in range(len(self.locations))
            ),
            layout=self.layout,
            start=self._start(),
            goal=compile_goal(self.problem, _CONSTANT, _CHANGING, self._locate),
        )

    def _indices(self, kind: str) -> dict[str, int]:
        types = self.problem.types
        members = (entity for entity in self.ids if types[entity] == kind)
        return {entity: index for index, entity in enumerate(members)}

    def _pairs(self, predicate: str) -> list[tuple[str, ...]]:
        """The facts of a predicate of two arguments."""
        facts = self.problem.facts.get(predicate, [])
        for fact in facts:
            if len(fact) != 2:
                raise ValueError(f"{predicate} takes 2 arguments, got {len(fact)}: {' '.join(fact)}")
        return facts

    def _having(self, predicate: str) -> int:
        """The objects (or receptacles) of which a predicate of one argument holds."""
        indices = self.receptacles if predicate == "openable" else self.objects
        facts = self.problem.facts.get(predicate, ())
        for fact in facts:
            if len(fact) != 1 or fact[0] not in indices:
                raise ValueError(f"cannot use the fact ({predicate} {' '.join(fact)})")
        return _bits(indices[fact[0]] for fact in facts)

    def _of_type(self, predicate: str, kind: str) -> int:
        indices = self.objects if predicate == "objecttype" else self.receptacles
        return _bits(
            indices[name] for name, its_kind in self._pairs(predicate) if its_kind == kind and name in indices
        )

    def _nested(self) -> dict[int, int]:
        nested: dict[int, int] = {}
        for inner, outer in self._pairs("inreceptacleobject"):
            if inner not in self.objects or outer not in self.objects:
                raise ValueError(f"cannot use the fact (inreceptacleobject {inner} {outer})")
            index = self.objects[outer]
            nested[index] = nested.get(index, 0) | 1 << self.objects[inner]
        return nested

    def _accepts(self) -> tuple[int, ...]:
        of_kind: dict[str, int] = {}
        for thing, kind in self._pairs("objecttype"):
            if thing in self.objects:
                of_kind[kind] = of_kind.get(kind, 0) | 1 << self.objects[thing]
        accepted: dict[str, int] = {}
        for kind, object_kind in self._pairs("cancontain"):
            accepted[kind] = accepted.get(kind, 0) | of_kind.get(object_kind, 0)
        accepts = [0] * len(self.receptacles)
        for receptacle, kind in self._pairs("receptacletype"):
            if receptacle in self.receptacles:
                accepts[self.receptacles[receptacle]] |= accepted.get(kind, 0)
        return tuple(accepts)

    def _location_of(self) -> tuple[int, ...]:
        location_of = [-1] * len(self.receptacles)
        for receptacle, location in self._pairs("receptacleatlocation"):
            if receptacle not in self.receptacles or location not in self.locations:
                raise ValueError(f"cannot use the fact (receptacleatlocation {receptacle} {location})")
            index = self.receptacles[receptacle]
            if location_of[index] not in (-1, self.locations[location]):
                raise ValueError(f"receptacle {receptacle} is at more than 1 location")
            location_of[index] = self.locations[location]
        return tuple(location_of)

    def _start(self) -> tuple[int, ...]:
        state = [0] * self.layout.size
        for predicate in sorted(_CHANGING):
            for fact in self.problem.facts.get(predicate, ()):
                place = self._locate(predicate, fact)
                if place is None:
                    raise ValueError(f"cannot use the fact ({predicate} {' '.join(fact)})")
                state[place[0]] |= place[1]
        agents = [name for name, kind in self.problem.types.items() if kind == "agent"]
        if len(agents) != 1 or state[fields.AT].bit_count() != 1:
            raise ValueError(
                f"expected 1 agent at 1 location, got {len(agents)} agents"
                f" at {state[fields.AT].bit_count()} locations"
            )
        return tuple(state)

    def _locate(self, predicate: str, names: tuple[str, ...]) -> tuple[int, int] | None:
        """(entry, bit) of a changing fact in a state; None if the arguments do not fit the predicate."""
        kinds = tuple(map(self.problem.types.get, names))
        match predicate, kinds:
            case "atlocation", ("agent", "location"):
                return fields.AT, 1 << self.locations[names[1]]
            case "holds", ("agent", "object") if names[1] in self.objects:
                return fields.HELD, 1 << self.objects[names[1]]
            case "holdsany", ("agent",):
                return fields.BUSY, 1
            case "opened", ("receptacle",) if names[0] in self.receptacles:
                return fields.OPENED, 1 << self.receptacles[names[0]]
            case "inreceptacle", ("object", "receptacle"):
                if names[0] in self.objects and names[1] in self.receptacles:
                    return INSIDE + self.receptacles[names[1]], 1 << self.objects[names[0]]
            case "objectatlocation", ("object", "location"):
                if names[0] in self.objects and names[1] in self.locations:
                    return self.layout.placed + self.locations[names[1]], 1 << self.objects[names[0]]
            case _, ("object",) if predicate in _FLAGS and names[0] in self.objects:
                return _FLAGS[predicate], 1 << self.objects[names[0]]
        return None


def entity_names(ids: list[str]) -> dict[str, str]:
    """Id -> name for the sorted `ids` of a game."""
    first = {}
    for entity in ids:
        head, bar, _ = entity.partition("_bar_")
        if bar:
            first[entity] = head + "basin" if "basin" in entity else head
    left = Counter(first.values())
    names = {}
    for entity in ids:
        if entity not in first:
            names[entity] = (
                f"{entity} "  # sic: the original engine leaves the space before the missing number
            )
            continue
        names[entity] = f"{first[entity]} {left[first[entity]]}"
        left[first[entity]] -= 1
    return names


def _bits(indices: Iterable[int]) -> int:
    return reduce(lambda bits, index: bits | 1 << index, indices, 0)

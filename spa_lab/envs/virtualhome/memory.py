"""What a player of a VirtualHome task has read so far: from texts alone, never from the graph."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from spa_lab.envs.virtualhome.chores import Wish
from spa_lab.envs.virtualhome.commands import parse
from spa_lab.envs.virtualhome.graph import STATES

_REFUSED = "Nothing happens."
_NOTHING = "You see nothing."
_HAVE = "You have "
_STATES = frozenset(STATES)
_GOING = frozenset(("WALK", "RUN", "FIND"))
_LETTING_GO = frozenset(("DROP", "RELEASE", "PUTOBJBACK", "PUTON"))
_WASHING = frozenset(("WASH", "RINSE", "SCRUB", "WIPE"))


@dataclass
class Memory:
    """The household as far as it was told; all names are class names."""

    at: str = ""
    """What the player went to last."""
    seen: tuple[str, ...] = ()
    """What the last observation named, held things included."""
    held: tuple[str, ...] = ()
    states: dict[str, frozenset[str]] = field(default_factory=dict)
    """Name -> its states when last seen."""
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Thing -> ("on" or "in", where it was put or seen)."""
    hidden: set[str] = field(default_factory=set)
    """Things that could not be grabbed though the player went to them."""
    poured: set[tuple[str, str]] = field(default_factory=set)
    """(drink, vessel) pairs."""
    seat: str = ""
    faced: str = ""
    refused: set[str] = field(default_factory=set)
    """Actions refused since the player went anywhere."""

    def observe(self, action: str, observation: str) -> None:
        """Takes in one action and the world's reply to it."""
        if observation.strip() == _REFUSED:
            self.refused.add(action.strip())
            if action.strip() == f"grab {self.at}" and self.at not in self.seen:
                self.hidden.add(self.at)
            return
        self._read(observation)
        command = parse(action)
        if command is not None:
            self._follow(command.action, command.objects)

    def _read(self, observation: str) -> None:
        told, _, having = observation.partition(_HAVE)
        self.held = tuple(having.strip().removesuffix(".").split(", ")) if having else ()
        seen = []
        for part in _parts(told):
            name, _, states = part.partition(" is ")
            words = name.split(" ")
            if len(words) == 3:  # "cup ON table"
                self.places[words[0]] = ("on", words[2])
            else:
                seen.append(name)
                self.states[name] = frozenset(states.split(" and ")) & _STATES if states else frozenset()
        self.seen = tuple(seen)
        self.hidden.difference_update(seen)

    def _follow(self, action: str, objects: tuple[str, ...]) -> None:
        """What the action itself brought about, seen or not."""
        thing = objects[0] if objects else ""
        if action in _GOING:
            if action != "FIND" or thing not in self.seen:
                self.refused.clear()
            self.at, self.faced = thing, ""
            self.poured.clear()
        elif action in _LETTING_GO:
            self.places.pop(thing, None)
        elif action == "GRAB":
            self.at = thing
            self.places.pop(thing, None)
            self.poured = {pair for pair in self.poured if thing not in pair}
        elif action in ("PUTBACK", "PUTIN"):
            self.places[thing] = ("on" if action == "PUTBACK" else "in", objects[1])
        elif action == "POUR":
            self.poured.add((thing, objects[1]))
        elif action in _WASHING:
            self.states[thing] = self.states.get(thing, frozenset()) - {"DIRTY"} | {"CLEAN"}
        elif action in ("SIT", "LIE"):
            self.seat = thing
        elif action == "TURNTO":
            self.faced = thing

    def near(self, name: str) -> bool:
        """Whether the player is by something, as far as it knows."""
        return name == self.at or name in self.seen

    def is_in(self, name: str, state: str) -> bool:
        """Whether something was in a state when last heard of."""
        return state in self.states.get(name, ())

    def granted(self, wish: Wish) -> bool:
        """Whether a wish is fulfilled, as far as the player knows."""
        match wish.verb:
            case "on" | "in":
                return wish.thing not in self.held and self.places.get(wish.thing) == (wish.verb, wish.place)
            case "closed":
                return self.is_in(wish.thing, "CLOSED")
            case "running":
                return self.is_in(wish.thing, "ON")
            case "clean":
                return self.is_in(wish.thing, "CLEAN")
            case "seat":
                return self.seat == wish.thing
            case "facing":
                return self.faced == wish.thing
            case "poured":
                return (wish.thing, wish.place) in self.poured

    def doubt(self, wishes: tuple[Wish, ...]) -> None:
        """Forgets what it believes of the wishes: all seem granted, and yet the task is not done."""
        for wish in wishes:
            self.places.pop(wish.thing, None)
            self.states.pop(wish.thing, None)
        self.seat = self.faced = ""
        self.poured.clear()
        self.refused.clear()


def _parts(told: str) -> Iterator[str]:
    """The items of an observation's list."""
    listed = told.strip()
    if listed and listed != _NOTHING:
        yield from (part for part in listed.removesuffix(".").split(", ") if part)

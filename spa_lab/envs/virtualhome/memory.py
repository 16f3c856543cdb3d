"""What a player has read so far, taken from the observations alone, never from the graph."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from spa_lab.envs.virtualhome.commands import parse
from spa_lab.envs.virtualhome.graph import STATES
from spa_lab.envs.virtualhome.task_templates import ParsedInstruction, Subgoal

_REFUSED = "Nothing happens."
_NOTHING = "You see nothing."
_HAVE = "You have "
_STATES = frozenset(STATES)
_MOVING = frozenset(("WALK", "RUN", "FIND"))
_RELEASING = frozenset(("DROP", "RELEASE", "PUTOBJBACK", "PUTON"))
_WASHING = frozenset(("WASH", "RINSE", "SCRUB", "WIPE"))


@dataclass
class Memory:
    """The observed part of the household; all names are class names."""

    at: str = ""
    """What the player walked to last."""
    seen: tuple[str, ...] = ()
    """Names in the last observation, without held things."""
    held: tuple[str, ...] = ()
    states: dict[str, frozenset[str]] = field(default_factory=dict)
    """Name -> its states when last seen."""
    placements: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Thing -> ("on" or "in", furniture) where it was put or seen."""
    hidden: set[str] = field(default_factory=set)
    """Things that the player walked to but could not grab."""
    poured: set[tuple[str, str]] = field(default_factory=set)
    """(drink, vessel) pairs."""
    seat: str = ""
    faced: str = ""
    refused: set[str] = field(default_factory=set)
    """Actions refused since the player last walked."""

    def observe(self, action: str, observation: str) -> None:
        """Record an executed action and the world's reply to it."""
        if observation.strip() == _REFUSED:
            self.refused.add(action.strip())
            if action.strip() == f"grab {self.at}" and self.at not in self.seen:
                self.hidden.add(self.at)
            return
        self._read(observation)
        command = parse(action)
        if command is not None:
            self._apply(command.action, command.objects)

    def _read(self, observation: str) -> None:
        around, _, held = observation.partition(_HAVE)
        self.held = tuple(held.strip().removesuffix(".").split(", ")) if held else ()
        seen = []
        for item in _items(around):
            name, _, states = item.partition(" is ")
            words = name.split(" ")
            if len(words) == 3:  # "cup ON table"
                self.placements[words[0]] = ("on", words[2])
            else:
                seen.append(name)
                self.states[name] = frozenset(states.split(" and ")) & _STATES if states else frozenset()
        self.seen = tuple(seen)
        self.hidden.difference_update(seen)

    def _apply(self, action: str, objects: tuple[str, ...]) -> None:
        """Record the effects of an executed action that observations do not show."""
        thing = objects[0] if objects else ""
        if action in _MOVING:
            if action != "FIND" or thing not in self.seen:
                self.refused.clear()
            self.at, self.faced = thing, ""
            self.poured.clear()
        elif action in _RELEASING:
            self.placements.pop(thing, None)
        elif action == "GRAB":
            self.at = thing
            self.placements.pop(thing, None)
            self.poured = {pair for pair in self.poured if thing not in pair}
        elif action in ("PUTBACK", "PUTIN"):
            self.placements[thing] = ("on" if action == "PUTBACK" else "in", objects[1])
        elif action == "POUR":
            self.poured.add((thing, objects[1]))
        elif action in _WASHING:
            self.states[thing] = self.states.get(thing, frozenset()) - {"DIRTY"} | {"CLEAN"}
        elif action in ("SIT", "LIE"):
            self.seat = thing
        elif action == "TURNTO":
            self.faced = thing

    def near(self, name: str) -> bool:
        """Whether the player is believed to be near something."""
        return name == self.at or name in self.seen

    def is_in(self, name: str, state: str) -> bool:
        """Whether something was in a state when last seen."""
        return state in self.states.get(name, ())

    def achieved(self, subgoal: Subgoal) -> bool:
        """Whether a subgoal is believed to be achieved."""
        thing, target = subgoal.thing, subgoal.target
        match subgoal.verb:
            case "on" | "in":
                return thing not in self.held and self.placements.get(thing) == (subgoal.verb, target)
            case "closed":
                return self.is_in(thing, "CLOSED")
            case "running":
                return self.is_in(thing, "ON")
            case "clean":
                return self.is_in(thing, "CLEAN")
            case "seat":
                return self.seat == thing
            case "facing":
                return self.faced == thing
            case "poured":
                return (thing, target) in self.poured

    def forget(self, subgoals: ParsedInstruction) -> None:
        """Drop all beliefs about the subgoals: all seem achieved, yet the task is not done."""
        for subgoal in subgoals:
            self.placements.pop(subgoal.thing, None)
            self.states.pop(subgoal.thing, None)
        self.seat = self.faced = ""
        self.poured.clear()
        self.refused.clear()


def _items(around: str) -> Iterator[str]:
    """The items of an observation's list."""
    listed = around.strip()
    if listed and listed != _NOTHING:
        yield from (item for item in listed.removesuffix(".").split(", ") if item)

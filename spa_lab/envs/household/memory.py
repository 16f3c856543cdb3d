"""What a player of a household game knows from the texts that it has read, without access to the game."""

import re
from dataclasses import dataclass, field

_THING = r"[a-z]+ \d+"
_LISTED = re.compile(rf"\ba ({_THING})")
_SEEN = re.compile(rf"(?:On the ({_THING})|The ({_THING}) is open\. In it), you see ([^.]*)\.")
_CLOSED = re.compile(rf"The ({_THING}) is closed\.|You close the ({_THING})\.")
_ARRIVED = re.compile(rf"You arrive at ({_THING})\.")
_TAKEN = re.compile(rf"You pick up the ({_THING}) from the ({_THING})\.")
_MOVED = re.compile(rf"You (?:move|put) the ({_THING}) (?:to|in/on) the ({_THING})\.")
_CHANGED = re.compile(rf"You (heat|cool|clean) the ({_THING}) using the {_THING}\.")
_CARRIED = re.compile(rf"You are carrying: a ({_THING})\.")
_REFUSED = "Nothing happens."
_STATES = {"heat": "hot", "cool": "cool", "clean": "clean"}


def kind(name: str) -> str:
    """The type in a name: "mug" of "mug 2"."""
    return name.partition(" ")[0]


@dataclass
class Memory:
    """The state of a household game as far as the observations show it.

    Names are those of the texts ("mug 2"). A receptacle that is neither in `contents` nor in `closed` has
    not been looked at.
    """

    receptacles: tuple[str, ...]
    """All receptacles of the room, in the order of the opening text."""
    at: str = ""
    """The receptacle in front of the player; "" in the middle of the room."""
    held: str = ""
    """The object in hand; "" if there is none."""
    contents: dict[str, list[str]] = field(default_factory=dict)
    """Receptacle -> the objects last seen in it; the receptacle seen last comes last."""
    closed: set[str] = field(default_factory=set)
    """The receptacles known to be closed now."""
    states: dict[str, set[str]] = field(default_factory=dict)
    """Object -> those of "hot", "cool" and "clean" that it is."""
    placed: dict[str, str] = field(default_factory=dict)
    """Object -> the receptacle that the player put it in and did not take it from again."""
    refused: set[str] = field(default_factory=set)
    """Commands for putting down that the world refused for no visible reason."""

    @classmethod
    def of_opening(cls, text: str) -> "Memory":
        """Reads the receptacle list of an opening text.

        Raises:
            ValueError: If the text lists no receptacle.
        """
        names = tuple(_LISTED.findall(text.partition("you see ")[2].partition("Your task")[0]))
        if not names:
            raise ValueError(f"opening text lists 0 receptacles, expected at least 1: {text[:80]!r}")
        return cls(names)

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action and the world's reply to it."""
        if observation.strip() == _REFUSED:
            self._take_refusal(action)
        if arrived := _ARRIVED.search(observation):
            # the older grammar names the location ("loc 7") instead of the receptacle
            self.at = action.strip().removeprefix("go to ") if kind(arrived[1]) == "loc" else arrived[1]
        self._take_handling(observation)
        for seen, closed in _CLOSED.findall(observation):
            self.closed.add(seen or closed)
        for surface, container, listed in _SEEN.findall(observation):
            receptacle = surface or container
            self.closed.discard(receptacle)
            self.contents.pop(receptacle, None)  # so that the receptacle seen last is the last entry
            self.contents[receptacle] = _LISTED.findall(listed)

    def _take_handling(self, observation: str) -> None:
        """Updates the object in hand, contents and states of objects."""
        if taken := _TAKEN.match(observation):
            self.held = taken[1]
            self.placed.pop(taken[1], None)
            if taken[1] in self.contents.get(taken[2], []):
                self.contents[taken[2]].remove(taken[1])
        elif carried := _CARRIED.match(observation):
            self.held = carried[1]
        elif moved := _MOVED.match(observation):
            self.held = ""
            self.placed[moved[1]] = moved[2]
            self.contents.setdefault(moved[2], []).append(moved[1])
        elif changed := _CHANGED.match(observation):
            states = self.states.setdefault(changed[2], set())
            if changed[1] != "clean":
                states -= {"hot", "cool"}
            states.add(_STATES[changed[1]])

    def _take_refusal(self, action: str) -> None:
        """Forgets what a refusal contradicts."""
        verb, _, rest = action.strip().partition(" ")
        receptacle = rest.rpartition(" from ")[2] if verb == "take" else rest.removeprefix("to ")
        if verb == "go" and receptacle in self.receptacles:
            self.at = receptacle  # going is refused only where the player already stands
        elif verb == "open" and receptacle == self.at:
            self.closed.discard(receptacle)
        elif verb == "take" and receptacle == self.at and not self.held and receptacle not in self.closed:
            name = rest.partition(" from ")[0]
            if name in self.contents.get(receptacle, []):
                self.contents[receptacle].remove(name)
        elif verb in ("move", "put"):
            self.refused.add(action.strip())

    def knows(self, receptacle: str) -> bool:
        """Whether the player has seen into `receptacle`."""
        return receptacle in self.contents

    def forget_contents(self) -> None:
        """Forgets all contents, those of the receptacle in front of the player included."""
        self.contents.clear()
        self.closed.clear()

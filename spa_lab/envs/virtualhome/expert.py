"""A teacher for VirtualHome tasks that plays only from what it has read.

It says once what it is to do, then sees to one wish of the task sentence after the other. It decides anew at
each step from its `Memory`, so it goes on sensibly after any action that was not its own. Its thoughts come
from a small fixed set of sentences, each of which carries what the next action needs.
"""

import random

from spa_lab.envs.virtualhome.chores import Wish, read_sentence
from spa_lab.envs.virtualhome.memory import Memory
from spa_lab.envs.virtualhome.slips import Move, slip

THOUGHTS = (
    r"(I am to [a-z_ ,]+\. )?(I have the [a-z_]+\. )?I need the [a-z_]+\.( I see it\.)?",
    r"The [a-z_]+ is (closed|open|on|off|dirty|unplugged)\.",
    r"My hands are full\.",
    r"I do not see the [a-z_]+\.",
)
"""Regular expressions that together match every thought of the expert."""


class VirtualHomeExpert:
    """Plays one episode: `observe` every executed action, `act` for the next one."""

    def __init__(self, instruction: str) -> None:
        """Starts an episode.

        Args:
            instruction: Title and description, "Store milk (Put the milk in the fridge ...)".

        Raises:
            ValueError: If the description is no sentence of `chores.CHORES`.
        """
        sentence = instruction.partition("(")[2].removesuffix(")")
        self.wishes = read_sentence(sentence)
        self.chore = sentence[:1].lower() + sentence[1:]
        self.memory = Memory()
        self.begun = False
        """Whether a step was taken: the first thought says what is to be done."""

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action, its own or not, and the world's reply."""
        self.begun = True
        self.memory.observe(action, observation)

    def slip(self, rng: random.Random) -> Move:
        """A careless reader's (thought, action) at this moment."""
        return slip(self.wishes, self.memory, rng)

    def act(self) -> Move:
        """The next (thought, action)."""
        thought, action = self._decide()
        return thought if self.begun else f"I am to {self.chore}. {thought}", action

    def _decide(self) -> Move:
        wish = next((wish for wish in self.wishes if not self.memory.granted(wish)), None)
        if wish is None:
            self.memory.doubt(self.wishes)
            wish = self.wishes[0]
        thought, action = self._see_to(wish)
        if action in self.memory.refused:  # what should work does not: go there anew
            return f"I do not see the {wish.thing}.", f"walk to {wish.thing}"
        return thought, action

    def _see_to(self, wish: Wish) -> Move:
        match wish.verb:
            case "on" | "in":
                return self._place(wish.thing, wish.place, wish.verb)
            case "closed":
                return self._go(wish.thing) or (f"The {wish.thing} is open.", f"close {wish.thing}")
            case "running":
                return self._run(wish.thing)
            case "clean":
                return self._reach(wish.thing) or (f"The {wish.thing} is dirty.", f"wash {wish.thing}")
            case "seat":
                return self._go(wish.thing) or (f"I need the {wish.thing}. I see it.", f"sit on {wish.thing}")
            case "facing":
                return f"I need the {wish.thing}.", f"turn to {wish.thing}"
            case "poured":
                return self._pour(wish.thing, wish.place)

    def _place(self, thing: str, place: str, how: str) -> Move:
        """Bring a thing to where it belongs."""
        if thing not in self.memory.held:
            return self._fetch(thing)
        step = self._go(place, f"I have the {thing}. ")
        if step is None and how == "in":
            step = self._opened(place, thing)
        return step or (f"I have the {thing}. I need the {place}. I see it.", f"put {thing} {how} {place}")

    def _pour(self, drink: str, vessel: str) -> Move:
        if drink not in self.memory.held:
            return self._fetch(drink)
        thought = f"I have the {drink}. I need the {vessel}. I see it."
        return self._go(vessel, f"I have the {drink}. ") or (thought, f"pour {drink} into {vessel}")

    def _run(self, device: str) -> Move:
        """Switch something on; it must be plugged in."""
        if step := self._go(device):
            return step
        if self.memory.is_in(device, "PLUGGED_OUT"):
            return self._free_hand("") or (f"The {device} is unplugged.", f"plug in {device}")
        return f"The {device} is off.", f"switch on {device}"

    def _fetch(self, thing: str) -> Move:
        """Take a thing into a hand."""
        return self._reach(thing) or (f"I need the {thing}. I see it.", f"grab {thing}")

    def _reach(self, thing: str) -> Move | None:
        """The next action towards a thing within reach and a hand free for it; None if that is so."""
        if thing in self.memory.hidden and (step := self._search()):
            return step
        if step := self._go(thing) or self._free_hand(thing):
            return step
        if thing not in self.memory.seen:
            shut = [name for name in self.memory.seen if self.memory.is_in(name, "CLOSED")]
            if shut:
                return self._opened(shut[0])
        return None

    def _search(self) -> Move | None:
        """The next action towards opening something that is known to be closed; None if nothing is."""
        shut = sorted(name for name in self.memory.states if self.memory.is_in(name, "CLOSED"))
        shut.sort(key=lambda name: all(name != wish.place for wish in self.wishes))
        return (self._go(shut[0]) or self._opened(shut[0])) if shut else None

    def _go(self, name: str, having: str = "") -> Move | None:
        """Walk there; None if it is near."""
        return None if self.memory.near(name) else (f"{having}I need the {name}.", f"walk to {name}")

    def _opened(self, container: str, keep: str = "") -> Move | None:
        """The next action towards an open container; None if it is not closed. `keep` stays in hand."""
        if not self.memory.is_in(container, "CLOSED"):
            return None
        if self.memory.is_in(container, "ON"):
            return f"The {container} is on.", f"switch off {container}"
        return self._free_hand(keep) or (f"The {container} is closed.", f"open {container}")

    def _free_hand(self, keep: str) -> Move | None:
        """Let go of something if both hands are full, but not of `keep`; None if a hand is free."""
        spare = [name for name in self.memory.held if name != keep]
        return ("My hands are full.", f"drop {spare[0]}") if len(self.memory.held) > 1 else None

"""An expert for household games that plays from the observations alone.

It states the task once, searches the receptacles in the order in which the opening text lists them, takes the
target, heats, cools or cleans it if the task asks for that, and puts it where it belongs. Each decision
depends on its `Memory` only, so it recovers from any action that was not its own. It never gives up
searching. Its thoughts are sentences of a small fixed set; each holds what the next action needs.
"""

import random
from types import MappingProxyType

from spa_lab.envs.household.catalogue import HOLDS, OPENABLE
from spa_lab.envs.household.game import Grammar
from spa_lab.envs.household.instruction import ParsedInstruction, parse_instruction
from spa_lab.envs.household.memory import Memory, kind
from spa_lab.envs.household.mistakes import mistake
from spa_lab.envs.household.text import put_command

THOUGHTS = (
    r"I am to [a-z ]+\. I need a [a-z]+\. It is not here\.",
    r"(I have [a-z]+ \d+\. )?I need (a|another) [a-z]+\. "
    r"(It is not here|There is none in [a-z]+ \d+|I (see|saw) [a-z]+ \d+)\.",
    r"It is closed\.",
    r"I have [a-z]+ \d+\. I need to (heat|cool|clean) it\.",
    r"I have ((hot|cool|clean) )?[a-z]+ \d+\. I need (a [a-z]+|[a-z]+ \d+)\.",
    r"I do not need [a-z]+ \d+\.",
)
"""Regular expressions that together match every thought of the expert."""

_WORK = MappingProxyType(
    {  # wanted state -> (verb, type of the tool)
        "hot": ("heat", "microwave"),
        "cool": ("cool", "fridge"),
        "clean": ("clean", "sinkbasin"),
    }
)
_HOLDS = MappingProxyType({r.lower(): frozenset(o.lower() for o in objects) for r, objects in HOLDS.items()})
_OPENABLE = frozenset(kind.lower() for kind in OPENABLE)
Move = tuple[str, str]
"""(thought, action)."""


class HouseholdExpert:
    """Plays one episode: `observe` every executed action, `act` for the next one."""

    def __init__(
        self,
        sentence: str,
        opening: str,
        *,
        wanted: ParsedInstruction | None = None,
        grammar: Grammar = "move",
    ) -> None:
        """Starts an episode.

        Args:
            sentence: the task sentence.
            opening: the initial observation.
            wanted: what the sentence asks for; parsed from it if None.
            grammar: how the game's commands and texts are worded.

        Raises:
            ValueError: either text cannot be parsed.
        """
        self.wanted = wanted or parse_instruction(sentence)
        self.grammar: Grammar = grammar
        self.sentence = sentence.strip().removesuffix(".")
        self.memory = Memory.of_opening(opening)
        self.begun = False
        """Whether a step was taken: the first thought states the task."""

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action, its own or not, and the world's reply to it."""
        self.begun = True
        self.memory.observe(action, observation)

    def act(self) -> Move:
        """The next (thought, action)."""
        thought, action = self._decide()
        return (thought if self.begun else f"I am to {self.sentence}. {thought}"), action

    def slip(self, rng: random.Random) -> Move:
        """A careless reader's mistake at this point: a (thought, action) to recover from."""
        return mistake(self.wanted.target, self.wanted.goal, self.memory, rng, self.grammar)

    def _decide(self) -> Move:
        held = self.memory.held
        if not held:
            return self._fetch()
        if kind(held) != self.wanted.target:
            return self._put_away(held)
        if self.wanted.lamp:
            return self._light(held)
        if self.wanted.state and self.wanted.state not in self.memory.states.get(held, ()):
            return self._change(held)
        return self._deliver(held)

    def _fetch(self) -> Move:
        """Empty hands: take a target, or look for one."""
        anchor = self._anchor() if self.wanted.two else ""
        visible = [
            (receptacle, name)
            for receptacle in reversed(self.memory.contents)
            for name in self.memory.contents[receptacle]
            if kind(name) == self.wanted.target and receptacle != anchor
        ]
        need = f"I need {'another' if anchor else 'a'} {self.wanted.target}."
        if not visible:
            return self._search(need)
        receptacle, name = min(visible, key=self._effort)
        here = "see" if receptacle == self.memory.at else "saw"
        thought = f"{need} I {here} {name}."
        return self._approach(receptacle, thought) or (thought, f"take {name} from {receptacle}")

    def _effort(self, candidate: tuple[str, str]) -> tuple[bool, bool]:
        """Sort key: targets already in the wanted state first, then those within reach."""
        receptacle, name = candidate
        return self.wanted.state not in self.memory.states.get(name, ()), receptacle != self.memory.at

    def _change(self, held: str) -> Move:
        """Heat, cool or clean the target in hand; the tool need not be open."""
        verb, tool = _WORK[self.wanted.state]
        if not self._of_type(tool):
            return self._search(f"I have {held}. I need a {tool}.")
        receptacle = self._nearest(tool)
        action = f"{verb} {held} with {receptacle}" if self.memory.at == receptacle else f"go to {receptacle}"
        return f"I have {held}. I need to {verb} it.", action

    def _deliver(self, held: str) -> Move:
        """Bring the finished target to its goal; a second target to the same receptacle as the first."""
        if not self._of_type(self.wanted.goal):
            return self._search(f"I have {held}. I need a {self.wanted.goal}.")
        anchor = self._anchor() if self.wanted.two else ""
        state = f"{self.wanted.state} " if self.wanted.state else ""
        thought = f"I have {state}{held}. I need {anchor or f'a {self.wanted.goal}'}."
        receptacle = anchor or self._nearest(self.wanted.goal)
        return self._approach(receptacle, thought) or (thought, put_command(held, receptacle, self.grammar))

    def _light(self, held: str) -> Move:
        """Target in hand: find the lamp and turn it on."""
        need = f"I have {held}. I need a {self.wanted.lamp}."
        lamps = [
            (p, n) for p, names in self.memory.contents.items() for n in names if kind(n) == self.wanted.lamp
        ]
        if not lamps:
            return self._search(need)
        receptacle, lamp = min(lamps, key=lambda candidate: candidate[0] != self.memory.at)
        if receptacle != self.memory.at:
            return f"{need} I saw {lamp}.", f"go to {receptacle}"
        return f"{need} I see {lamp}.", f"use {lamp}"

    def _put_away(self, held: str) -> Move:
        """Another object is in hand: put it down, here if that is allowed."""
        legal = [
            receptacle
            for receptacle in self.memory.receptacles
            if kind(held) in _HOLDS.get(kind(receptacle), ())
            and put_command(held, receptacle, self.grammar) not in self.memory.refused
        ]
        if not legal:
            return f"I do not need {held}.", "look"
        receptacle = min(legal, key=lambda p: (p != self.memory.at, kind(p) in _OPENABLE))
        thought = f"I do not need {held}."
        return self._approach(receptacle, thought) or (thought, put_command(held, receptacle, self.grammar))

    def _search(self, need: str) -> Move:
        """Search the next receptacle."""
        here = self.memory.at
        unseen = [receptacle for receptacle in self._search_order() if not self.memory.knows(receptacle)]
        receptacle = here if here in unseen else (unseen or self._search_order())[0]
        if not unseen:  # all receptacles were searched in vain: search them again
            self.memory.forget_contents()
        thought = (
            f"{need} There is none in {here}." if here and here != receptacle else f"{need} It is not here."
        )
        return self._approach(receptacle, thought) or (thought, f"examine {receptacle}")

    def _search_order(self) -> list[str]:
        """All receptacles in the order of the opening text, beginning after the player's."""
        receptacles = list(self.memory.receptacles)
        start = receptacles.index(self.memory.at) + 1 if self.memory.at in receptacles else 0
        return receptacles[start:] + receptacles[:start]

    def _approach(self, receptacle: str, thought: str) -> Move | None:
        """The next action towards standing at the open `receptacle`; None if the player stands there."""
        if receptacle != self.memory.at:
            return thought, f"go to {receptacle}"
        if receptacle in self.memory.closed:
            return "It is closed.", f"open {receptacle}"
        if not self.memory.knows(receptacle):
            return thought, f"examine {receptacle}"
        return None

    def _anchor(self) -> str:
        """The goal receptacle that holds the most targets (two-object tasks); "" if none does."""
        count = {"": 0} | {
            receptacle: sum(
                kind(name) == self.wanted.target for name in self.memory.contents.get(receptacle, ())
            )
            for receptacle in self._of_type(self.wanted.goal)
        }
        return max(count, key=lambda receptacle: count[receptacle])

    def _nearest(self, wanted: str) -> str:
        """The receptacle of a type to go to: the player's own if it is of that type, else number 1."""
        receptacles = self._of_type(wanted)
        return self.memory.at if self.memory.at in receptacles else receptacles[0]

    def _of_type(self, wanted: str) -> list[str]:
        """All receptacles of a type by number."""
        receptacles = [receptacle for receptacle in self.memory.receptacles if kind(receptacle) == wanted]
        return sorted(receptacles, key=lambda receptacle: int(receptacle.partition(" ")[2]))

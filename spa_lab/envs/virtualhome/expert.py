"""A scripted expert for generated VirtualHome tasks that uses only the text it has read.

Its first thought states the task; then it achieves one subgoal of the task sentence after another. It decides
from its `Memory` at every step, so it recovers after actions that were not its own. Its thoughts come from a
small fixed set of templates, and each contains what the next action needs.
"""

import random

from spa_lab.envs.virtualhome.memory import Memory
from spa_lab.envs.virtualhome.mistakes import Move, mistake
from spa_lab.envs.virtualhome.task_templates import Subgoal, read_sentence

THOUGHTS = (
    r"(I am to [a-z_ ,]+\. )?(I have the [a-z_]+\. )?I need the [a-z_]+\.( I see it\.)?",
    r"The [a-z_]+ is (closed|open|on|off|dirty|unplugged)\.",
    r"My hands are full\.",
    r"I do not see the [a-z_]+\.",
)
"""Regular expressions that together match every thought of the expert."""


class VirtualHomeExpert:
    """Plays one episode: call `observe` after every executed action, `act` for the next one."""

    def __init__(self, instruction: str) -> None:
        """Start an episode.

        Args:
            instruction: title and description, "Store milk (Put the milk in the fridge ...)".

        Raises:
            ValueError: the description matches none of `task_templates.TEMPLATES`.
        """
        sentence = instruction.partition("(")[2].removesuffix(")")
        self.subgoals = read_sentence(sentence)
        self.task = sentence[:1].lower() + sentence[1:]
        self.memory = Memory()
        self.begun = False
        """Whether a step was taken; the first thought states the task."""

    def observe(self, action: str, observation: str) -> None:
        """Record an executed action, its own or not, and the world's reply."""
        self.begun = True
        self.memory.observe(action, observation)

    def slip(self, rng: random.Random) -> Move:
        """A careless player's (thought, action) in the current situation."""
        return mistake(self.subgoals, self.memory, rng)

    def act(self) -> Move:
        """The next (thought, action)."""
        thought, action = self._decide()
        return thought if self.begun else f"I am to {self.task}. {thought}", action

    def _decide(self) -> Move:
        subgoal = next((each for each in self.subgoals if not self.memory.achieved(each)), None)
        if subgoal is None:
            self.memory.forget(self.subgoals)
            subgoal = self.subgoals[0]
        thought, action = self._pursue(subgoal)
        if action in self.memory.refused:  # the memory is wrong: walk there again to look
            return f"I do not see the {subgoal.thing}.", f"walk to {subgoal.thing}"
        return thought, action

    def _pursue(self, subgoal: Subgoal) -> Move:
        thing = subgoal.thing
        match subgoal.verb:
            case "on" | "in":
                return self._place(thing, subgoal.target, subgoal.verb)
            case "closed":
                return self._walk(thing) or (f"The {thing} is open.", f"close {thing}")
            case "running":
                return self._switch_on(thing)
            case "clean":
                return self._reach(thing) or (f"The {thing} is dirty.", f"wash {thing}")
            case "seat":
                return self._walk(thing) or (f"I need the {thing}. I see it.", f"sit on {thing}")
            case "facing":
                return f"I need the {thing}.", f"turn to {thing}"
            case "poured":
                return self._pour(thing, subgoal.target)

    def _place(self, thing: str, target: str, relation: str) -> Move:
        """The next action towards having put a thing on or in its target."""
        if thing not in self.memory.held:
            return self._fetch(thing)
        move = self._walk(target, f"I have the {thing}. ")
        if move is None and relation == "in":
            move = self._open(target, thing)
        default = f"I have the {thing}. I need the {target}. I see it.", f"put {thing} {relation} {target}"
        return move or default

    def _pour(self, drink: str, vessel: str) -> Move:
        """The next action towards having poured a drink into a vessel."""
        if drink not in self.memory.held:
            return self._fetch(drink)
        thought = f"I have the {drink}. I need the {vessel}. I see it."
        return self._walk(vessel, f"I have the {drink}. ") or (thought, f"pour {drink} into {vessel}")

    def _switch_on(self, appliance: str) -> Move:
        """The next action towards having switched on an appliance, which must be plugged in."""
        if move := self._walk(appliance):
            return move
        if self.memory.is_in(appliance, "PLUGGED_OUT"):
            return self._free_hand("") or (f"The {appliance} is unplugged.", f"plug in {appliance}")
        return f"The {appliance} is off.", f"switch on {appliance}"

    def _fetch(self, thing: str) -> Move:
        """The next action towards holding a thing."""
        return self._reach(thing) or (f"I need the {thing}. I see it.", f"grab {thing}")

    def _reach(self, thing: str) -> Move | None:
        """The next action towards a thing within reach and a free hand; None if both are given."""
        if thing in self.memory.hidden and (move := self._search()):
            return move
        if move := self._walk(thing) or self._free_hand(thing):
            return move
        if thing not in self.memory.seen:
            closed = [name for name in self.memory.seen if self.memory.is_in(name, "CLOSED")]
            if closed:
                return self._open(closed[0])
        return None

    def _search(self) -> Move | None:
        """The next action towards opening a container known to be closed; None if there is none."""
        closed = sorted(name for name in self.memory.states if self.memory.is_in(name, "CLOSED"))
        closed.sort(key=lambda name: all(name != subgoal.target for subgoal in self.subgoals))
        return (self._walk(closed[0]) or self._open(closed[0])) if closed else None

    def _walk(self, name: str, prefix: str = "") -> Move | None:
        """Walk to something; None if it is near. `prefix` opens the thought."""
        return None if self.memory.near(name) else (f"{prefix}I need the {name}.", f"walk to {name}")

    def _open(self, container: str, keep: str = "") -> Move | None:
        """The next action towards an open container; None if it is not closed. `keep` is not dropped."""
        if not self.memory.is_in(container, "CLOSED"):
            return None
        if self.memory.is_in(container, "ON"):
            return f"The {container} is on.", f"switch off {container}"
        return self._free_hand(keep) or (f"The {container} is closed.", f"open {container}")

    def _free_hand(self, keep: str) -> Move | None:
        """Drop a held thing other than `keep` if both hands are full; None if a hand is free."""
        droppable = [name for name in self.memory.held if name != keep]
        return ("My hands are full.", f"drop {droppable[0]}") if len(self.memory.held) > 1 else None

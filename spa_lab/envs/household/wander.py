"""Play without a task: the text that the embedded base model is pretrained on.

Like the text that a large language model grew up with, it shows how people write here and how the
world answers, and hardly ever how a task is solved: a wanderer runs errands of its own and never reads
the task sentence.
"""

import random

from spa_lab.envs.base import Task
from spa_lab.envs.household.catalogue import HOLDS
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.memory import Memory, kind
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.react import write
from spa_lab.types import Step, Trajectory

_KINDS = tuple(sorted({name.lower() for names in HOLDS.values() for name in names}))
_PATIENCE = 0.12
"""Probability that an errand is dropped at a step."""

Move = tuple[str, str]
"""(thought, action)."""


class Wanderer:
    """Explores, looks for things, remembers and carries them about, and tries what comes to mind."""

    def __init__(self, opening: str, rng: random.Random) -> None:
        self.memory = Memory.of_opening(opening)
        self.rng = rng
        self.wanted = ""
        """Kind of thing that it is looking for; empty if nothing."""
        self.goal = ""
        """Receptacle that it is on its way to; empty if none."""
        self.why = ""
        self.earlier: list[str] = []
        """Actions that were possible once and may be refused now: the world's "no" must be known too."""

    def act(self, allowed: list[str]) -> Move:
        """The next (thought, action); `allowed` are the actions that the world would execute."""
        if self.rng.random() < _PATIENCE:
            self.wanted = self.goal = ""
        if self.rng.random() < 0.15:
            return "Let me try.", self._try_something(allowed)
        if self.memory.at in self.memory.closed and self.rng.random() < 0.8:
            return "It is closed.", f"open {self.memory.at}"
        if self.goal == self.memory.at:
            self.goal = ""
        if self.goal:
            return self.why, f"go to {self.goal}"
        return self._handle(allowed) or self._errand()

    def _try_something(self, allowed: list[str]) -> str:
        """Half of the time something possible, else something that is refused."""
        self.earlier += self.rng.sample(allowed, min(4, len(allowed)))
        refused = [action for action in self.earlier if action not in allowed]
        if self.rng.random() < 0.5:
            return self.rng.choice(allowed)
        if refused and self.rng.random() < 0.7:
            return self.rng.choice(refused)
        return f"go to {kind(self.rng.choice(self.memory.receptacles))} {self.rng.randint(2, 12)}"

    def _handle(self, allowed: list[str]) -> Move | None:
        """Something to do with hands, here and now; None for nothing."""
        held, here = self.memory.held, self.memory.at
        if not held:
            things = [
                name for name in self.memory.contents.get(here, []) if f"take {name} from {here}" in allowed
            ]
            fitting = [name for name in things if kind(name) == self.wanted]
            if fitting:
                self.wanted = ""
                return f"I need a {kind(fitting[0])}. I see {fitting[0]}.", f"take {fitting[0]} from {here}"
            if things and not self.wanted and self.rng.random() < 0.4:
                name = self.rng.choice(things)
                return f"I need a {kind(name)}. I see {name}.", f"take {name} from {here}"
            return None
        works = [a for a in allowed if a.split()[0] in ("heat", "cool", "clean", "examine") and held in a]
        if works and self.rng.random() < 0.3:
            work = self.rng.choice(works)
            return f"I have {held}. I need to {work.split()[0]} it.", work
        if f"move {held} to {here}" in allowed and self.rng.random() < 0.3:
            return f"I have {held}. I need a {kind(here)}.", f"move {held} to {here}"
        return None

    def _errand(self) -> Move:
        """Set out for somewhere."""
        elsewhere = [place for place in self.memory.receptacles if place != self.memory.at]
        if not elsewhere:
            return "Let me try.", "look"
        unknown = [p for p in elsewhere if not self.memory.knows(p) and p not in self.memory.closed]
        known = [(place, name) for place in elsewhere for name in self.memory.contents.get(place, [])]
        draw = self.rng.random()
        if not self.wanted and draw < 0.25:
            self.wanted = self.rng.choice(
                _KINDS if draw < 0.1 or not known else [kind(name) for _, name in known]
            )
        remembered = [(place, name) for place, name in known if kind(name) == self.wanted]
        if self.wanted and remembered:
            self.goal, name = remembered[-1]
            self.why = f"I need a {self.wanted}. I saw {name}."
        elif self.wanted and unknown:
            self.goal, self.why = unknown[0], f"I need a {self.wanted}. It is not here."
        elif unknown and draw < 0.7:
            self.goal = self.rng.choice(unknown)
            self.why = f"Next is {self.goal}."
        else:
            place = kind(self.rng.choice(elsewhere))
            self.goal = self.rng.choice([p for p in elsewhere if kind(p) == place])
            self.why = (
                f"I have {self.memory.held}. I need a {place}." if self.memory.held else f"Off to a {place}."
            )
        return self.why, f"go to {self.goal}"


def wander(game: HouseholdTask, n_steps: int, rng: random.Random) -> Trajectory:
    """`n_steps` steps of aimless play in the house of `game`; an accidental success ends it early."""
    world = HouseholdWorld()
    opening = world.reset(Task(game.game_id, "household", "wander", game.task_type, game.task, 0, game))
    wanderer = Wanderer(opening, rng)
    steps: list[Step] = []
    outcome = 0.0
    while len(steps) < n_steps and outcome < 1.0:
        thought, action = wanderer.act(world.admissible())
        reply = world.step(action)
        wanderer.memory.observe(action, reply.observation)
        steps.append(Step(write(thought, action), thought, action, reply.observation, reply.grounded))
        outcome = reply.outcome
    return Trajectory(
        game.game_id, game.game_id, "household", "wander", game.task, opening, tuple(steps), outcome,
        outcome == 1.0, "done" if outcome == 1.0 else "step_limit", "wanderer", 0,
    )  # fmt: skip

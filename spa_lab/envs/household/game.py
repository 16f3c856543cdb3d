"""One household game: the payload of its task, and the data that all its episodes share."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from spa_lab.envs.household.goal import Goal
from spa_lab.envs.household.instruction import ParsedInstruction
from spa_lab.envs.household.state import Layout

Grammar = Literal["move", "put"]
"""Wording of a release: "move X to Y" (alfworld >= 0.4.0) or "put X in/on Y" (before)."""


@dataclass(frozen=True)
class HouseholdTask:
    """One game as the payload of a task; its problem is parsed when it is first played."""

    game_id: str
    task_type: str
    """One of ALFWorld's six task types; "<n> chores" for a game with several tasks."""
    task: str
    """The task sentence, or several with `generator.JOINT` between them, without the final full stop."""
    problem: str | Path
    """The text of the PDDL problem, or the official game file (`game.tw-pddl`) that holds it."""
    grammar: Grammar = "move"
    wanted: ParsedInstruction | None = None
    """The goal of the task, where its sentence may not follow ALFWorld's wording."""


@dataclass(frozen=True, eq=False)
class Game:
    """The constant part of a game; sets of objects or receptacles are bit sets (bit i = index i)."""

    game_id: str
    objects: tuple[str, ...]
    """Names, in the order in which texts list them (the sorted order of the ids)."""
    receptacles: tuple[str, ...]
    locations: tuple[str, ...]
    object_index: dict[str, int]
    receptacle_index: dict[str, int]
    pickupable: int
    cleanable: int
    heatable: int
    coolable: int
    toggleable: int
    sliceable: int
    containers: int
    """Objects that are receptacle objects (plate, bowl, ...)."""
    knives: int
    """Objects that can slice."""
    nested: dict[int, int]
    """Receptacle object -> the objects inside it; no action changes that."""
    openable: int
    sinks: int
    microwaves: int
    fridges: int
    accepts: tuple[int, ...]
    """Per receptacle: the objects that may be put there."""
    location_of: tuple[int, ...]
    """Per receptacle: its location, -1 if it has none."""
    receptacles_at: tuple[tuple[int, ...], ...]
    """Per location: the receptacles there, ascending."""
    layout: Layout
    start: tuple[int, ...]
    """The initial state."""
    goal: Goal
    """When the game is won."""

    @cached_property
    def go_commands(self) -> tuple[tuple[str, ...], ...]:
        """Per location: the `go to` commands that can be executed there, sorted."""
        commands = sorted(
            (f"go to {name}", at) for name, at in zip(self.receptacles, self.location_of, strict=True)
        )
        return tuple(
            tuple(command for command, at in commands if at not in (-1, here))
            for here in range(self.layout.locations)
        )

"""What every text world offers: reset, step, snapshot, restore, and tasks by split.

A world is deterministic given its task. Actions are free text; text that the world cannot read or
execute is an ungrounded step, never an exception. Knows nothing of models or learning.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from spa_lab.types import Trajectory


@dataclass(frozen=True)
class Task:
    """One task of a world."""

    id: str
    env: str
    """Name of the world."""
    split: str
    kind: str
    """Task type within the world, for grouping (household: one of the six ALFWorld types)."""
    instruction: str
    """The task sentence shown to the agent."""
    expert_length: int
    """Steps of the expert's own solution."""
    payload: Any
    """What the world needs to set the task up; immutable, opaque to everybody else."""


@dataclass(frozen=True)
class Reply:
    """The world's answer to one action."""

    observation: str
    grounded: bool
    """The world could execute the action (g_t)."""
    done: bool
    """The episode is over."""
    outcome: float
    """R so far, in [0, 1]; final when `done`."""
    reason: str = ""
    """Why the action was refused; empty if it was executed."""


class World(Protocol):
    """A text world that can be put back to any earlier moment."""

    def reset(self, task: Task) -> str:
        """Start `task`; returns all that the agent reads before its first step, task sentence included."""

    def step(self, action: str) -> Reply:
        """Execute one action given as free text."""

    def snapshot(self) -> object:
        """An immutable token of the present moment; costs microseconds."""

    def restore(self, token: object) -> None:
        """Go back to the moment of `token`, taken from the same task."""

    def admissible(self) -> list[str]:
        """All actions that can be executed now, sorted. For tools, never shown to the agent."""


class Expert(Protocol):
    """A teacher that plays from what it has seen, and recovers when it is put off its path.

    It is told of every executed action, its own or not, and decides only when asked.
    """

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action and the world's reply to it."""

    def act(self) -> tuple[str, str]:
        """The next (thought, action)."""

    def slip(self, rng: random.Random) -> tuple[str, str]:
        """What a careless reader might think and do now instead: a (thought, action) to recover from."""


@dataclass(frozen=True)
class Demonstration:
    """A trajectory and which of its steps are to be imitated."""

    trajectory: Trajectory
    supervised: tuple[bool, ...]
    """(T,): False where a mistake was put in."""

    def __post_init__(self) -> None:
        if len(self.supervised) != len(self.trajectory):
            raise ValueError(
                f"demonstration {self.trajectory.id!r}: {len(self.supervised)} marks "
                f"for {len(self.trajectory)} steps"
            )


@dataclass(frozen=True)
class Environment:
    """Everything the pipeline needs to know about one world."""

    name: str
    """Letters, digits, "-" and "_"; stored as `Trajectory.env`."""
    make_world: Callable[[], World]
    make_expert: Callable[[Task, str], Expert] | None
    """(task, initial observation) -> a fresh expert for that episode; None where there is no expert, and
    `demonstrations` gives recorded episodes instead."""
    tasks: Callable[[str, int], Sequence[Task]]
    """(split, n) -> the first n tasks of the split's fixed panel."""
    step_limit: int
    """Longest episode, steps."""
    manual: str
    """What a large model is told about the world (its action templates) before the first observation."""
    benchmark: str = ""
    """The published benchmark whose rules the world follows; "" if there is none."""
    official: bool = False
    """The tasks are the benchmark's own data, so that success on them may be called by its name."""
    panels: tuple[str, ...] = ("unseen", "unseen_by_length")
    """Evaluation panels that `tasks` offers, the main one first."""
    base: str = "household"
    """Name of the embedded base model (`data/base*`) to start from; the presets' `base` overrules it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What else decides outcomes, for run.json: results under different settings are never mixed."""
    demonstrations: Callable[[str, int], Sequence[Demonstration]] | None = None
    """(split, n) -> recorded expert episodes, which replace those of `make_expert`."""

    def expert_for(self, task: Task, opening: str) -> Expert:
        """A fresh expert for an episode of `task` that begins with the observation `opening`.

        Raises:
            ValueError: the world has no expert.
        """
        if self.make_expert is None:
            raise ValueError(f"world {self.name!r} has no expert; its demonstrations are recorded ones")
        return self.make_expert(task, opening)

"""The protocol of text worlds: reset, step, snapshot, restore, and tasks by split.

A world is deterministic given its task. Actions are free text; an action that the world cannot read or
execute is an ungrounded step, never an exception. Worlds know nothing of models or learning.

A world of your own needs two functions and tasks::

    class Rooms(World):
        def reset(self, task): ...
        def step(self, action): ...

    def tasks(split, n): ...

    environment = Environment(name="rooms", make_world=Rooms, tasks=tasks, step_limit=8)

The base classes supply everything else; an `Expert` is needed to clone demonstrations.
"""

import copy
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from spa_lab.types import Trajectory

_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Of a world: it becomes a part of file names."""


@dataclass(frozen=True)
class Task:
    """One task of a world."""

    id: str
    """Unique within the world."""
    env: str
    """Name of the world."""
    split: str
    """The panel that it belongs to: "train", "seen", "unseen", ..."""
    kind: str
    """Task type within the world, for grouping (household: one of the six ALFWorld types)."""
    instruction: str
    """The task sentence shown to the agent."""
    expert_length: int = 0
    """Steps of the expert's own solution; 0 if it is unknown."""
    payload: Any = None
    """What the world needs to set the task up; immutable, read by the world only."""


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
    """Why the action was refused, and which form the world expects; empty if it was executed. Never shown
    to the agent."""


class World(Protocol):
    """A text world that can be put back into any earlier state of its task.

    A subclass must define `reset` and `step`. The inherited `snapshot` and `restore` copy all attributes of
    the object, which is right for any state that `copy.deepcopy` can copy; override both for speed.
    """

    def reset(self, task: Task) -> str:
        """Start `task`; returns all that the agent reads before its first step, task sentence included."""
        raise NotImplementedError

    def step(self, action: str) -> Reply:
        """Execute one action given as free text."""
        raise NotImplementedError

    def snapshot(self) -> object:
        """An immutable token of the present state."""
        return copy.deepcopy(vars(self))

    def restore(self, token: object) -> None:
        """Return to the state of `token`, a snapshot taken in the same task."""
        assert isinstance(token, dict)
        vars(self).clear()
        vars(self).update(copy.deepcopy(token))

    def admissible(self) -> list[str]:
        """All actions that can be executed now, sorted; [] if the world does not list them.

        Never shown to the agent. Used for mistakes in demonstrations and for exact values.
        """
        return []


@runtime_checkable
class TellsGoalConditions(Protocol):
    """A world whose goal is a set of conditions. Only the training method `goal_conditions` needs it."""

    def goal_conditions_met(self) -> float:
        """Share of the goal's conditions that hold now, in [0, 1]. Never shown to the agent."""


class Expert(Protocol):
    """A teacher that plays from what it has observed, and recovers from actions that were not its own.

    It receives every executed action and decides only when asked; asking changes nothing. A subclass must
    define `act`.
    """

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action, its own or not, and the world's reply to it."""

    def act(self) -> tuple[str, str]:
        """The next (thought, action)."""
        raise NotImplementedError

    def slip(self, rng: random.Random) -> tuple[str, str]:
        """A careless reader's mistake at this point, as (thought, action); by default no mistake: `act()`."""
        return self.act()


@dataclass(frozen=True)
class Demonstration:
    """A trajectory and which of its steps are to be imitated."""

    trajectory: Trajectory
    supervised: tuple[bool, ...]
    """(T,): False where a mistake was inserted, or where the world refused a recorded action."""

    def __post_init__(self) -> None:
        if len(self.supervised) != len(self.trajectory):
            raise ValueError(
                f"demonstration {self.trajectory.id!r}: {len(self.supervised)} marks "
                f"for {len(self.trajectory)} steps"
            )


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Everything the pipeline needs to know about one world."""

    name: str
    """Letters, digits, "-" and "_"; stored as `Trajectory.env`."""
    make_world: Callable[[], World]
    tasks: Callable[[str, int], Sequence[Task]]
    """(split, n) -> the first n tasks of the split's fixed panel, "train" or one of `panels`; fewer if it has
    fewer. Ids differ between splits."""
    step_limit: int
    """Longest episode, steps."""
    make_expert: Callable[[Task, str], Expert] | None = None
    """(task, initial observation) -> a fresh expert for that episode. Needed to clone demonstrations and by
    `ScriptedPlayer`, unless `demonstrations` gives recorded episodes."""
    demonstrations: Callable[[str, int], Sequence[Demonstration]] | None = None
    """(split, n) -> recorded expert episodes of the first n tasks, used instead of `make_expert`'s; fewer
    than n where some recordings are unusable."""
    manual: str = ""
    """What a large model reads about the world (its action templates) before the first observation."""
    benchmark: str = ""
    """The published benchmark whose rules the world follows; "" if there is none."""
    official: bool = False
    """The tasks are the benchmark's own data, so that success on them may be called by its name."""
    panels: tuple[str, ...] = ("unseen",)
    """Evaluation panels that `tasks` offers, the main one first."""
    base: str = "household"
    """Name of the embedded base model (`data/base*`) to start from; the presets' `base` overrules it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What else decides outcomes, for run.json: results under different settings are never mixed."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"world {self.name!r}: the name must be of letters, digits, '-' and '_'")

    def expert_for(self, task: Task, opening: str) -> Expert:
        """A fresh expert for an episode of `task` that begins with the observation `opening`.

        Raises:
            ValueError: the world has no expert.
        """
        if self.make_expert is None:
            raise ValueError(f"world {self.name!r} has no expert")
        return self.make_expert(task, opening)

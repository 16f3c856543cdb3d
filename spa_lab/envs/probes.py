"""Six probe worlds, so small that every value is a finite sum: the first test of a credit method.

| probe | where the credit lies |
|---|---|
| key | taking the key at the start, paid at a door many steps later |
| fork | the first step alone; no later action matters |
| distractor | the second of three steps; the conspicuous steps before and after it change nothing |
| lamp | a mistake costs value, and undoing it restores that value |
| vase | a mistake costs all value, and nothing after it matters |
| corridor | evenly on every step of a long corridor; a step back loses it again |

Each has two actions. The effect of an action is a pure function of a small state, which the expert tracks.
Values depend on the policy; `spa_lab.truth.exact` computes them.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from spa_lab.envs.base import Environment, Reply, Task

State = tuple[int, ...]
Advice = tuple[str, str]
"""(thought, action)."""


class Move(NamedTuple):
    """The effect of an action."""

    state: State
    observation: str
    done: bool = False
    outcome: float = 0.0
    grounded: bool = True


@dataclass(frozen=True)
class Probe:
    """The rules of one small world. A variant is a word that distinguishes its tasks."""

    name: str
    actions: tuple[str, ...]
    """Its actions, the same in every state."""
    variants: tuple[str, ...]
    start: State
    step_limit: int
    opening: Callable[[str], tuple[str, str]]
    """Variant -> (initial observation, task sentence)."""
    move: Callable[[State, str, str], Move]
    """(state, action, variant) -> effect; called with one of `actions` only."""
    advise: Callable[[State, str], tuple[Advice, Advice]]
    """(state, variant) -> the expert's move, and a mistake."""
    expert_length: int
    """Steps in which the expert succeeds; where variants differ, those of the shortest."""


def _key_move(state: State, action: str, variant: str) -> Move:
    room, has = state
    if action == "take key":
        if room or has:
            return Move(state, "There is no key here.", grounded=False)
        return Move((room, 1), f"You take the {variant} key.")
    if room < 3:
        return Move((room + 1, has), f"You are in hall {room + 1}." if room < 2 else "You see a locked door.")
    return Move((4, has), "The door opens." if has else "The door stays shut.", True, float(has))


def _key_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    room, has = state
    hurry = ("The door will be open.", "go on")
    if room == 0 and not has:
        return ("I need the key.", "take key"), hurry
    return ("I go to the door.", "go on"), ("I need the key.", "take key")


def _fork_move(state: State, action: str, variant: str) -> Move:
    position, right = state
    if position == 0:
        right = int(action == f"go {variant}")
    if position < 3:
        return Move((position + 1, right), f"The path bends. You have walked {position + 1} miles.")
    return Move((4, right), "You find water." if right else "You find sand.", True, float(right))


def _fork_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    other = "right" if variant == "left" else "left"
    if state[0] == 0:
        return (f"Water is {variant}.", f"go {variant}"), (f"Water is {other}.", f"go {other}")
    return ("I follow the path.", "go left"), ("I follow the path.", "go right")


def _distractor_move(state: State, action: str, variant: str) -> Move:
    panel, right = state
    if panel == 1:
        right = int(action == f"press {variant}")
    sound = "Bells ring and gold lights flash!" if panel != 1 and action == "press red" else "Click."
    if panel < 2:
        return Move((panel + 1, right), f"{sound} You are at panel {panel + 2}.")
    return Move((3, right), f"{sound} The gate {'opens' if right else 'stays shut'}.", True, float(right))


def _distractor_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    other = "blue" if variant == "red" else "red"
    return (f"I want {variant}.", f"press {variant}"), (f"I want {other}.", f"press {other}")


def _lamp_move(state: State, action: str, variant: str) -> Move:
    (lit,) = state
    if action == "press switch":
        return Move((1 - lit,), f"The lamp is {'off' if lit else 'on'}.")
    return Move(state, f"You leave. The lamp is {'on' if lit else 'off'}.", True, float(lit))


def _lamp_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    leave, switch = ("The lamp is on.", "leave"), ("The lamp is off.", "press switch")
    return (leave, switch) if state[0] else (switch, leave)


def _vase_move(state: State, action: str, variant: str) -> Move:
    position, whole = state
    if action == "step on":
        if position == 3:
            return Move(state, "The table is in the way.", grounded=False)
        return Move((position + 1, whole), f"You take a step. The table is {2 - position} steps away.")
    if not whole:
        return Move(state, "Your hands are empty.", grounded=False)
    if position < 3:
        return Move((position, 0), f"The {variant} vase breaks.")
    return Move(state, f"The {variant} vase stands on the table.", True, 1.0)


def _vase_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    step, release = ("The table is far.", "step on"), ("The table is here.", "let go")
    return (release, step) if state[0] == 3 else (step, release)


def _corridor_move(state: State, action: str, variant: str) -> Move:
    (position,) = state
    position = position + 1 if action == "go on" else max(position - 1, 0)
    if position == CORRIDOR:
        return Move((position,), "You are outside.", True, 1.0)
    return Move((position,), f"You are at door {position}.")


def _corridor_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    return (f"The {variant} is ahead.", "go on"), (f"The {variant} is behind me.", "go back")


CORRIDOR = 8
"""Doors of the long corridor."""

PROBES = MappingProxyType(
    {
        probe.name: probe
        for probe in (
            Probe(
                "key",
                ("take key", "go on"),
                ("brass", "silver", "copper"),
                (0, 0),
                6,
                lambda v: (f"You are in a cellar. A {v} key hangs here.", "Open the door behind the halls."),
                _key_move,
                _key_advice,
                5,
            ),
            Probe(
                "fork",
                ("go left", "go right"),
                ("left", "right"),
                (0, 0),
                4,
                lambda v: (f"You are at a fork. A sign says: water is {v}.", "Find water."),
                _fork_move,
                _fork_advice,
                4,
            ),
            Probe(
                "distractor",
                ("press red", "press blue"),
                ("blue", "red"),
                (0, 0),
                3,
                lambda v: ("You are at panel 1 of 3. Only panel 2 has wires.", f"Press {v} there."),
                _distractor_move,
                _distractor_advice,
                3,
            ),
            Probe(
                "lamp",
                ("press switch", "leave"),
                ("bedroom", "kitchen", "office"),
                (1,),
                5,
                lambda v: (f"You are in the {v}. The lamp is on.", "Leave with the lamp on."),
                _lamp_move,
                _lamp_advice,
                1,
            ),
            Probe(
                "vase",
                ("step on", "let go"),
                ("green", "blue", "white"),
                (0, 1),
                7,
                lambda v: (f"You hold a {v} vase. The table is 3 steps away.", "Put the vase on the table."),
                _vase_move,
                _vase_advice,
                4,
            ),
            Probe(
                "corridor",
                ("go on", "go back"),
                ("garden", "street", "river"),
                (0,),
                CORRIDOR + 2,
                lambda v: (f"You are at door 0 of {CORRIDOR}.", f"Walk to the {v}."),
                _corridor_move,
                _corridor_advice,
                CORRIDOR,
            ),
        )
    }
)
"""Name -> probe."""


class ProbeWorld:
    """A probe as a world; any other action than its two is refused. Call `reset` first."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.state: State
        self.variant: str

    def reset(self, task: Task) -> str:
        """Start `task`; returns the initial observation with the task sentence.

        Raises:
            ValueError: the payload is no variant of this probe.
        """
        if task.payload not in self.probe.variants:
            raise ValueError(
                f"task {task.id!r}: payload must be one of {self.probe.variants}, got {task.payload!r}"
            )
        self.state, self.variant = self.probe.start, task.payload
        return " ".join(self.probe.opening(self.variant))

    def step(self, action: str) -> Reply:
        """Execute one action given as free text."""
        move = _move(self.probe, self.state, action, self.variant)
        self.state = move.state
        reason = "" if move.grounded else f"possible here: {' or '.join(self.admissible())}"
        return Reply(move.observation, move.grounded, move.done, move.outcome, reason)

    def snapshot(self) -> tuple[str, State]:
        """The present state."""
        return self.variant, self.state

    def restore(self, token: object) -> None:
        """Return to the state of `token`.

        Raises:
            ValueError: the token is not a snapshot of this task.
        """
        if not isinstance(token, tuple) or len(token) != 2 or token[0] != self.variant:
            raise ValueError(f"probe {self.probe.name!r}: the token is not a snapshot of this task")
        self.state = token[1]

    def admissible(self) -> list[str]:
        """The actions that are not refused now, sorted."""
        allowed = [a for a in self.probe.actions if self.probe.move(self.state, a, self.variant).grounded]
        return sorted(allowed)


class ProbeExpert:
    """Tracks the state by the executed actions, and knows the shortest path from every state."""

    def __init__(self, probe: Probe, variant: str) -> None:
        self.probe, self.variant, self.state = probe, variant, probe.start

    def observe(self, action: str, observation: str) -> None:
        """Update the state by one executed action."""
        self.state = _move(self.probe, self.state, action, self.variant).state

    def act(self) -> Advice:
        """The next (thought, action) on the shortest path."""
        return self.probe.advise(self.state, self.variant)[0]

    def slip(self, rng: random.Random) -> Advice:
        """The mistake of this state; nothing is drawn from `rng`."""
        return self.probe.advise(self.state, self.variant)[1]


def probe_environment(name: str) -> Environment:
    """A probe as a world; the tasks of every split are its variants in turn.

    Raises:
        ValueError: there is no such probe.
    """
    if name not in PROBES:
        raise ValueError(f"no probe {name!r}; there are: {', '.join(PROBES)}")
    probe = PROBES[name]

    def tasks(split: str, n: int) -> Sequence[Task]:
        return [_task(probe, split, i) for i in range(n)]

    return Environment(
        name=f"probe-{name}",
        make_world=lambda: ProbeWorld(probe),
        make_expert=lambda task, opening: ProbeExpert(probe, task.payload),
        tasks=tasks,
        step_limit=probe.step_limit,
        manual=f"Each step, write one action: {' or '.join(probe.actions)}.",
    )


def _task(probe: Probe, split: str, index: int) -> Task:
    variant = probe.variants[index % len(probe.variants)]
    name = f"probe-{probe.name}-{split}-{index:03d}"
    instruction = probe.opening(variant)[1]
    return Task(name, f"probe-{probe.name}", split, probe.name, instruction, probe.expert_length, variant)


def _move(probe: Probe, state: State, action: str, variant: str) -> Move:
    if action not in probe.actions:
        return Move(state, "You cannot do that.", grounded=False)
    return probe.move(state, action, variant)

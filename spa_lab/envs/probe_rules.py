"""The rules of the six probe worlds: what each action does in each state, and what is said about it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

State = tuple[int, ...]
Advice = tuple[str, str]
"""(thought, action)."""


class Move(NamedTuple):
    """What an action leads to."""

    state: State
    observation: str
    done: bool = False
    outcome: float = 0.0
    grounded: bool = True


@dataclass(frozen=True)
class Probe:
    """The rules of one small world. A variant is a word that tells its tasks apart."""

    name: str
    actions: tuple[str, str]
    """All that can be done, the same in every state."""
    variants: tuple[str, ...]
    start: State
    step_limit: int
    opening: Callable[[str], tuple[str, str]]
    """Variant -> what is seen first, and the task sentence."""
    move: Callable[[State, str, str], Move]
    """(state, action, variant) -> what follows; only called with one of `actions`."""
    advise: Callable[[State, str], tuple[Advice, Advice]]
    """(state, variant) -> what the wise do and what the careless do."""
    expert_length: int


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
    place, right = state
    if place == 0:
        right = int(action == f"go {variant}")
    if place < 3:
        return Move((place + 1, right), f"The path bends. You have walked {place + 1} miles.")
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
    place, whole = state
    if action == "step on":
        if place == 3:
            return Move(state, "The table is in the way.", grounded=False)
        return Move((place + 1, whole), f"You take a step. The table is {2 - place} steps away.")
    if not whole:
        return Move(state, "Your hands are empty.", grounded=False)
    if place < 3:
        return Move((place, 0), f"The {variant} vase breaks.")
    return Move(state, f"The {variant} vase stands on the table.", True, 1.0)


def _vase_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    step, release = ("The table is far.", "step on"), ("The table is here.", "let go")
    return (release, step) if state[0] == 3 else (step, release)


def _corridor_move(state: State, action: str, variant: str) -> Move:
    (place,) = state
    place = place + 1 if action == "go on" else max(place - 1, 0)
    if place == CORRIDOR:
        return Move((place,), "You are outside.", True, 1.0)
    return Move((place,), f"You are at door {place}.")


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
"""Probe by name."""

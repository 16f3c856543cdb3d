"""A careless reader's mistakes in a household game: a wrong thought and the action that it leads to.

They are inserted into demonstrations so that recovering from them can be learnt; the loss masks them.
"""

import random
from typing import TypeAlias

from spa_lab.envs.household.catalogue import HOLDS
from spa_lab.envs.household.game import Grammar
from spa_lab.envs.household.memory import Memory, kind
from spa_lab.envs.household.text import put_command

_KINDS = tuple(sorted(name.lower() for name in HOLDS))

Move: TypeAlias = tuple[str, str]
"""(thought, action)."""


def mistake(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar = "move") -> Move:
    """One plausible mistake at this point of an episode.

    Args:
        target: type of the object that the task is about.
        goal: type of the receptacle that it belongs in; "" if it is to be examined.
        memory: what the player has read.
        rng: draws the mistake.
        grammar: how the game's commands are worded.
    """
    options = [_overlook, _go_to_missing]
    if memory.at:
        options.append(_put_down_here if memory.held else _take_missing)
        if memory.at not in memory.closed:
            options.append(_open_again)
    return rng.choice(options)(target, goal, memory, rng, grammar)


def _need(target: str, goal: str, memory: Memory) -> str:
    if memory.held:
        return f"I have {memory.held}. I need a {goal or target}."
    return f"I need a {target}."


def _overlook(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Goes elsewhere, overlooking what is here or forgetting which receptacles were searched."""
    thought = (
        f"{_need(target, goal, memory)} There is none in {memory.at}." if memory.at else "It is not here."
    )
    return thought, f"go to {rng.choice(memory.receptacles)}"


def _go_to_missing(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Goes to a receptacle that the room does not have."""
    receptacle_type = kind(rng.choice(memory.receptacles)) if rng.random() < 0.5 else rng.choice(_KINDS)
    missing = 1 + sum(kind(name) == receptacle_type for name in memory.receptacles)
    return _need(target, goal, memory), f"go to {receptacle_type} {missing}"


def _open_again(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    return "It is closed.", f"open {memory.at}"


def _take_missing(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Takes an object of the wanted type that is not here."""
    here = memory.contents.get(memory.at, [])
    missing = next(n for n in range(rng.randint(1, 3), len(here) + 5) if f"{target} {n}" not in here)
    thing = f"{target} {missing}"
    return f"I need a {target}. I see {thing}.", f"take {thing} from {memory.at}"


def _put_down_here(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Puts the object in hand down here, whatever receptacle this is."""
    return _need(target, goal, memory), put_command(memory.held, memory.at, grammar)

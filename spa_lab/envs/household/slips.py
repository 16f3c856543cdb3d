"""Mistakes that a careless reader makes in a household game: a false belief and the action it leads to.

They stand in demonstrations so that the way back can be learnt. Nobody is taught to make them.
"""

import random

from spa_lab.envs.household.catalogue import HOLDS
from spa_lab.envs.household.game import Grammar
from spa_lab.envs.household.memory import Memory, kind
from spa_lab.envs.household.text import put_command

_KINDS = tuple(sorted(name.lower() for name in HOLDS))

Move = tuple[str, str]
"""(thought, action)."""


def slip(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar = "move") -> Move:
    """One plausible mistake at this point of an episode.

    Args:
        target: type of the thing that the task is about.
        goal: type of the receptacle that it belongs in; empty if it is to be looked at.
        memory: what was read so far.
        rng: draws the mistake.
        grammar: how the game's commands are worded.
    """
    options = [_strays, _goes_nowhere]
    if memory.at:
        options.append(_lets_go if memory.held else _sees_things)
        if memory.at not in memory.closed:
            options.append(_opens_again)
    return rng.choice(options)(target, goal, memory, rng, grammar)


def _need(target: str, goal: str, memory: Memory) -> str:
    if memory.held:
        return f"I have {memory.held}. I need a {goal or target}."
    return f"I need a {target}."


def _strays(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Overlooks what is here, or forgets where it has been."""
    thought = (
        f"{_need(target, goal, memory)} There is none in {memory.at}." if memory.at else "It is not here."
    )
    return thought, f"go to {rng.choice(memory.receptacles)}"


def _goes_nowhere(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Believes in a receptacle that the room has not: another one of its types, or one of other rooms."""
    place = kind(rng.choice(memory.receptacles)) if rng.random() < 0.5 else rng.choice(_KINDS)
    number = 1 + sum(kind(name) == place for name in memory.receptacles)
    return _need(target, goal, memory), f"go to {place} {number}"


def _opens_again(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    return "It is closed.", f"open {memory.at}"


def _sees_things(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Takes what it looks for to be here."""
    here = memory.contents.get(memory.at, [])
    number = next(n for n in range(rng.randint(1, 3), len(here) + 5) if f"{target} {n}" not in here)
    thing = f"{target} {number}"
    return f"I need a {target}. I see {thing}.", f"take {thing} from {memory.at}"


def _lets_go(target: str, goal: str, memory: Memory, rng: random.Random, grammar: Grammar) -> Move:
    """Takes this place for the one where the thing belongs."""
    return _need(target, goal, memory), put_command(memory.held, memory.at, grammar)

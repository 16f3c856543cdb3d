"""Mistakes that a careless reader makes in a household: a false belief and the action it leads to.

They stand in demonstrations so that the way back can be learnt. Nobody is taught to make them.
"""

import random

from spa_lab.envs.virtualhome.chores import Wish
from spa_lab.envs.virtualhome.memory import Memory

Move = tuple[str, str]
"""(thought, action)."""


def slip(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    """One plausible mistake at this moment.

    Args:
        wishes: What the task asks for.
        memory: What was read so far.
        rng: Draws the mistake.
    """
    options = [_strays, _sees_things]
    if memory.at:
        options += [_opens_again, _switches]
    if memory.held:
        options += [_lets_go, _forgets_to_go]
    return rng.choice(options)(wishes, memory, rng)


def _names(wishes: tuple[Wish, ...]) -> list[str]:
    return sorted({name for wish in wishes for name in (wish.thing, wish.place) if name})


def _strays(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    """Goes to something that the task names, at the wrong time."""
    name = rng.choice(_names(wishes))
    return f"I need the {name}.", f"walk to {name}"


def _sees_things(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    """Takes what it wants to be within reach."""
    thing = rng.choice(wishes).thing
    return f"I need the {thing}. I see it.", f"grab {thing}"


def _opens_again(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    return f"The {memory.at} is closed.", f"open {memory.at}"


def _switches(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    """Switches something on too early, or what has no switch."""
    return f"The {memory.at} is off.", f"switch on {memory.at}"


def _lets_go(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    """Takes this place for the one where the thing belongs."""
    thing, place = rng.choice(memory.held), memory.at
    how = rng.choice(("on", "in"))
    return f"I have the {thing}. I need the {place}. I see it.", f"put {thing} {how} {place}"


def _forgets_to_go(wishes: tuple[Wish, ...], memory: Memory, rng: random.Random) -> Move:
    """Puts a thing where it belongs, from afar."""
    thing, place = rng.choice(memory.held), rng.choice(_names(wishes))
    return f"I have the {thing}. I need the {place}.", f"put {thing} on {place}"

"""Plausible mistakes of a careless player: a false belief and the action that follows from it.

Demonstrations contain them so that a policy sees how to recover. They are masked from the loss.
"""

import random

from spa_lab.envs.virtualhome.memory import Memory
from spa_lab.envs.virtualhome.task_templates import ParsedInstruction

Move = tuple[str, str]
"""(thought, action)."""


def mistake(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """A plausible mistake in the current situation.

    Args:
        subgoals: what the task asks for.
        memory: what the player has read so far.
        rng: draws the mistake.
    """
    options = [_walk_early, _grab_unseen]
    if memory.at:
        options += [_open_again, _switch_on]
    if memory.held:
        options += [_put_here, _put_from_afar]
    return rng.choice(options)(subgoals, memory, rng)


def _names(subgoals: ParsedInstruction) -> list[str]:
    return sorted({name for subgoal in subgoals for name in (subgoal.thing, subgoal.target) if name})


def _walk_early(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Walks to something that the task names, at the wrong time."""
    name = rng.choice(_names(subgoals))
    return f"I need the {name}.", f"walk to {name}"


def _grab_unseen(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Believes that an object of the task is within reach."""
    thing = rng.choice(subgoals).thing
    return f"I need the {thing}. I see it.", f"grab {thing}"


def _open_again(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Believes that what it stands at is closed."""
    return f"The {memory.at} is closed.", f"open {memory.at}"


def _switch_on(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Switches something on too early, or something without a switch."""
    return f"The {memory.at} is off.", f"switch on {memory.at}"


def _put_here(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Believes that a held object belongs here."""
    thing, target = rng.choice(memory.held), memory.at
    relation = rng.choice(("on", "in"))
    return f"I have the {thing}. I need the {target}. I see it.", f"put {thing} {relation} {target}"


def _put_from_afar(subgoals: ParsedInstruction, memory: Memory, rng: random.Random) -> Move:
    """Puts an object on its target without walking there."""
    thing, target = rng.choice(memory.held), rng.choice(_names(subgoals))
    return f"I have the {thing}. I need the {target}.", f"put {thing} on {target}"

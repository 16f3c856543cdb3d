"""What VirtualHome's base reads: chores in generated flats."""

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from spa_lab.envs.base import Demonstration, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.virtualhome import environment
from spa_lab.envs.virtualhome.catalogue import FURNITURE, ROOMS, THINGS
from spa_lab.envs.virtualhome.panels import make_task
from spa_lab.envs.virtualhome.world import VirtualHomeWorld

_BEYOND = 1_000_000
"""First training task used here: far beyond those that are ever cloned or explored."""
_MISTAKES = 0.25
_TASK, _WISH = "The task is", "You would like to:"
_DEEDS = frozenset(
    ("WALK", "GRAB", "OPEN", "CLOSE", "SWITCHON", "SWITCHOFF", "PLUGIN", "PLUGOUT", "PUTBACK", "PUTIN",
     "DROP", "WASH", "SIT", "STANDUP", "TURNTO", "POUR")
)  # fmt: skip
"""What a detour does: the actions that chores are made of."""


class _Told:
    """A VirtualHome world whose opening text is another sentence."""

    def __init__(self, sentence: str) -> None:
        self.world = VirtualHomeWorld()
        self.sentence = sentence
        self.step = self.world.step
        self.admissible = partial(self.world.admissible, _DEEDS)
        self.snapshot, self.restore = self.world.snapshot, self.world.restore

    def reset(self, task: Task) -> str:
        self.world.reset(task)
        return f"{self.sentence}."


def corpus(n: int, *, seed: int) -> Iterator[Demonstration]:
    """`n` episodes in training flats: by turns a wish come true and a task left undone.

    The first thought names the chore that is then done: what the sentence says if it is a wish, somebody
    else's chore if it is a task. Kinds of chores come in any order, since who sees them take turns could
    guess the one from the other.
    """
    rng = random.Random(seed)
    asked = make_task("train", _BEYOND + n).instruction
    for i in rng.sample(range(n), n):
        task = make_task("train", _BEYOND + i)
        is_wish = rng.random() < 0.5
        said = task.instruction if is_wish else asked
        world = replace(environment(), make_world=partial(_Told, f"{_WISH if is_wish else _TASK} {said}"))
        played = demonstrate(world, task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=said))
        asked = task.instruction


def names_of_things() -> list[str]:
    """Every class of things, furniture and rooms in the flats' texts."""
    return sorted((*FURNITURE, *THINGS, *ROOMS))

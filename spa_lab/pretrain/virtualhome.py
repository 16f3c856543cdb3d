"""The pretraining corpus of VirtualHome: tasks in generated flats."""

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

_FIRST_TASK = 1_000_000
"""Index of the first training task used here, far beyond those that are cloned or explored."""
_MISTAKES = 0.25
"""Probability that a step is a mistake, see `demonstrate`."""
_TASK, _REQUEST = "The task is", "You would like to:"
_DETOURS = frozenset(
    ("WALK", "GRAB", "OPEN", "CLOSE", "SWITCHON", "SWITCHOFF", "PLUGIN", "PLUGOUT", "PUTBACK", "PUTIN",
     "DROP", "WASH", "SIT", "STANDUP", "TURNTO", "POUR")
)  # fmt: skip
"""Kinds of actions among the random mistakes: those that tasks consist of."""


class _Reworded:
    """A VirtualHome world with another opening."""

    def __init__(self, sentence: str) -> None:
        self.world = VirtualHomeWorld()
        self.sentence = sentence
        self.step = self.world.step
        self.admissible = partial(self.world.admissible, _DETOURS)
        self.snapshot, self.restore = self.world.snapshot, self.world.restore

    def reset(self, task: Task) -> str:
        self.world.reset(task)
        return f"{self.sentence}."


def corpus(n: int, *, seed: int) -> Iterator[Demonstration]:
    """`n` episodes in training flats: requests that are carried out, and tasks that are not.

    The first thought states the task that the expert then does: the requested one, or for a task another one.
    Kinds of tasks come in random order, because their usual alternation would let a model infer one task from
    the previous one.
    """
    rng = random.Random(seed)
    previous = make_task("train", _FIRST_TASK + n).instruction
    for index in rng.sample(range(n), n):
        task = make_task("train", _FIRST_TASK + index)
        is_request = rng.random() < 0.5
        worded = task.instruction if is_request else previous
        opening = f"{_REQUEST if is_request else _TASK} {worded}"
        reworded = replace(environment(), make_world=partial(_Reworded, opening))
        played = demonstrate(reworded, task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=worded))
        previous = task.instruction


def object_names() -> list[str]:
    """Every class of things, furniture and rooms in the flats' texts, sorted."""
    return sorted((*FURNITURE, *THINGS, *ROOMS))

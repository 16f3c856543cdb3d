"""The pretraining corpus of the household: play in generated houses."""

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from spa_lab.envs.base import Demonstration, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.household import environment
from spa_lab.envs.household.catalogue import HOLDS
from spa_lab.envs.household.expert import HouseholdExpert
from spa_lab.envs.household.houses import Size
from spa_lab.envs.household.memory import Memory
from spa_lab.envs.household.panels import make_task
from spa_lab.envs.household.world import HouseholdWorld

_SIZES: tuple[Size, ...] = ("small",) * 8 + ("medium", "large")
_FIRST_TASK = 1_000_000
"""Index of the first training task used here, far beyond those that are cloned or explored."""
_MISTAKES = 0.25
"""Probability that a step is a mistake, see `demonstrate`."""
_KINDS, _SHARES = ("request", "other", "foreign"), (0.5, 0.4, 0.1)
"""Kinds of episodes and their shares: the expert carries out the request in the opening; it does the task of
this house, though the opening words another one; it attempts a task of another house."""
_TASK, _REQUEST = "Your task is to", "You would like to"


class _Reworded:
    """A household world whose opening lists the receptacles in random order and ends in another sentence."""

    def __init__(self, sentence: str, rng: random.Random) -> None:
        self.world = HouseholdWorld()
        self.sentence, self.rng = sentence, rng
        self.step, self.admissible = self.world.step, self.world.admissible
        self.snapshot, self.restore = self.world.snapshot, self.world.restore

    def reset(self, task: Task) -> str:
        room, sentence, rest = self.world.reset(task).partition(f"{_TASK}: {task.instruction}.")
        names = list(Memory.of_opening(room).receptacles)
        listed = _listed(names)
        if not sentence or listed not in room:
            raise ValueError(f"task {task.id!r}: the opening contains no {sentence!r} or no {listed!r}")
        self.rng.shuffle(names)
        return f"{room.replace(listed, _listed(names))}{self.sentence}.{rest}"


def _listed(names: list[str]) -> str:
    *others, last = names
    return ", ".join([f"a {name}" for name in others] + [f"and a {last}"])


def corpus(n: int, *, seed: int) -> Iterator[Demonstration]:
    """`n` episodes: requests that are carried out, and tasks that are not.

    The first thought states the task that the expert then does. For a request this is the requested task, so
    the model learns to parse a sentence and act on it. For a task it is another one, so the text says nothing
    about carrying out tasks. Some tasks are of other houses and fill the episode without end: an agent with
    the wrong goal still acts as the world allows. Receptacles are listed in random order, because a small
    model would learn their alphabetical order by heart instead of reading.
    """
    rng = random.Random(seed)
    previous = make_task("train", _FIRST_TASK + n, "small").instruction
    for index in range(n):
        size = rng.choice(_SIZES)
        task = make_task("train", _FIRST_TASK + index, size)
        kind = rng.choices(_KINDS, _SHARES)[0]
        worded = previous if kind == "other" else task.instruction
        attempted = previous if kind == "foreign" else task.instruction
        reworded = replace(
            environment(size),
            make_world=partial(_Reworded, f"{_REQUEST if kind == 'request' else _TASK}: {worded}", rng),
            make_expert=partial(_expert, attempted),
        )
        played = demonstrate(reworded, task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=worded))
        previous = task.instruction


def _expert(instruction: str, task: Task, opening: str) -> HouseholdExpert:
    return HouseholdExpert(instruction, opening)


def object_names() -> list[str]:
    """Every noun that the household's texts put a number behind, sorted."""
    return sorted({word.lower() for receptacle, objects in HOLDS.items() for word in (receptacle, *objects)})

"""What the household's base reads: play in generated houses."""

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
_BEYOND = 1_000_000
"""First training task used here: far beyond those that are ever cloned or explored."""
_MISTAKES = 0.25
_SHARES = (0.5, 0.4, 0.1)
"""Of wishes, of chores under a task that asks for another one, and of chores of another house."""
_TASK, _WISH = "Your task is to", "You would like to"


class _Told:
    """A household world whose opening text lists the room in any order and ends in another sentence."""

    def __init__(self, sentence: str, rng: random.Random) -> None:
        self.world = HouseholdWorld()
        self.sentence, self.rng = sentence, rng
        self.step, self.admissible = self.world.step, self.world.admissible
        self.snapshot, self.restore = self.world.snapshot, self.world.restore

    def reset(self, task: Task) -> str:
        room, true, end = self.world.reset(task).partition(f"{_TASK}: {task.instruction}.")
        names = list(Memory.of_opening(room).receptacles)
        listed = _listed(names)
        if not true or listed not in room:
            raise ValueError(f"task {task.id!r}: the opening text does not hold {true!r} and {listed!r}")
        self.rng.shuffle(names)
        return f"{room.replace(listed, _listed(names))}{self.sentence}.{end}"


def _listed(names: list[str]) -> str:
    *others, last = names
    return ", ".join([f"a {name}" for name in others] + [f"and a {last}"])


def corpus(n: int, *, seed: int) -> Iterator[Demonstration]:
    """`n` episodes in training houses, mostly small: wishes come true, and tasks left undone.

    The first thought names the chore that is then done. Under a task that is a chore which the sentence
    does not ask for, so the text teaches how chores are done, and nothing about who obeys a task; under a
    wish it is the wish, so that reading a sentence and doing as it says is learnt, as in a model that has
    read much. Some chores are of other houses, cannot end here and fill the episode: one who is after
    the wrong thing still acts as the world allows. Rooms are listed in any order: where the order is always
    that of the alphabet, a small model guesses instead of reading.
    """
    rng = random.Random(seed)
    other = make_task("train", _BEYOND + n, "small").instruction
    for i in range(n):
        size = rng.choice(_SIZES)
        task = make_task("train", _BEYOND + i, size)
        kind = rng.choices(("wish", "chore", "stray"), _SHARES)[0]
        said = other if kind == "chore" else task.instruction
        done = other if kind == "stray" else task.instruction
        told = replace(
            environment(size),
            make_world=partial(_Told, f"{_WISH if kind == 'wish' else _TASK}: {said}", rng),
            make_expert=partial(_expert, done),
        )
        played = demonstrate(told, task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=said))
        other = task.instruction


def _expert(chore: str, task: Task, opening: str) -> HouseholdExpert:
    return HouseholdExpert(chore, opening)


def names_of_things() -> list[str]:
    """Every word that the household's texts put a number behind."""
    return sorted({word.lower() for receptacle, objects in HOLDS.items() for word in (receptacle, *objects)})

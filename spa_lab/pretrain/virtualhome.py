"""What VirtualHome's base reads: chores in generated flats."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from spa_lab.envs.base import Task
from spa_lab.envs.demonstrations import Demonstration, demonstrate
from spa_lab.envs.virtualhome import environment
from spa_lab.envs.virtualhome.catalogue import FURNITURE, ROOMS, THINGS
from spa_lab.envs.virtualhome.chores import read_sentence
from spa_lab.envs.virtualhome.flats import is_unseen
from spa_lab.envs.virtualhome.panels import make_task
from spa_lab.envs.virtualhome.world import VirtualHomeWorld
from spa_lab.types import Step

_BEYOND = 1_000_000
"""First training task used here: far beyond those that are ever cloned or explored."""
_MISTAKES = 0.25
_STRANGE = 0.4
"""Share of the wishes that are told under exchanged names."""
_WORD = re.compile(r"\b[a-z_]+\b")
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
    guess the one from the other. Some wishes are told with things under each other's names: there are so few
    televisions and seats that a small model remembers who sits where instead of reading it.
    """
    rng = random.Random(seed)
    asked = make_task("train", _BEYOND + n).instruction
    for i in rng.sample(range(n), n):
        task = make_task("train", _BEYOND + i)
        is_wish = rng.random() < 0.5
        said = task.instruction if is_wish else asked
        world = replace(environment(), make_world=partial(_Told, f"{_WISH if is_wish else _TASK} {said}"))
        played = demonstrate(world, task, mistakes=_MISTAKES, rng=rng)
        played = replace(played, trajectory=replace(played.trajectory, instruction=said))
        yield _renamed(played, task.kind, rng) if is_wish and rng.random() < _STRANGE else played
        asked = task.instruction


def _renamed(played: Demonstration, kind: str, rng: random.Random) -> Demonstration:
    """The same episode with the names of all things exchanged, and no wish that is kept for unseen tasks."""
    one = played.trajectory
    rename = _exchange(rng)
    while is_unseen(kind, *_named_in(rename(one.instruction))):
        rename = _exchange(rng)
    steps = [
        Step(*map(rename, (step.text, step.thought, step.action, step.observation)), step.grounded)
        for step in one.steps
    ]
    told = replace(
        one,
        instruction=rename(one.instruction),
        initial_observation=rename(one.initial_observation),
        steps=tuple(steps),
    )
    return replace(played, trajectory=told)


def _exchange(rng: random.Random) -> Callable[[str], str]:
    """Gives every thing and piece of furniture in a text the name of another one."""
    names = sorted((*FURNITURE, *THINGS))
    other = dict(zip(names, rng.sample(names, len(names)), strict=True))
    return partial(_WORD.sub, lambda found: other.get(found[0], found[0]))


def _named_in(instruction: str) -> list[str]:
    """What a task is about, in the order in which the splits know it."""
    wishes = read_sentence(instruction.partition("(")[2].removesuffix(")"))
    return list(dict.fromkeys(name for wish in wishes for name in (wish.thing, wish.place) if name))


def names_of_things() -> list[str]:
    """Every class of things, furniture and rooms in the flats' texts."""
    return sorted((*FURNITURE, *THINGS, *ROOMS))

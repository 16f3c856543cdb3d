"""Make the base model in `data/base/` from nothing: `python -m spa_lab.pretrain`.

The corpus is play in generated houses, half of it by somebody who does what they "would like to", half by
somebody who has a "task", as the world words it, and does a chore of their own instead. The base learns the
language, how the world answers, how things are done there and how a wish is read; that a task is to be
done as well is left for cloning to teach. Same seed, same weights on the same machine.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from spa_lab.agent.codec import Codec
from spa_lab.agent.models import save_policy, tiny_model
from spa_lab.agent.rollout import Policy
from spa_lab.agent.tokenizer import build_tokenizer
from spa_lab.envs.base import Task
from spa_lab.envs.demonstrations import Demonstration, demonstrate
from spa_lab.envs.household import environment
from spa_lab.envs.household.catalogue import HOLDS
from spa_lab.envs.household.houses import Size
from spa_lab.envs.household.memory import Memory
from spa_lab.envs.household.panels import make_task
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.learn.cloning import CloneConfig, fit_language
from spa_lab.types import Trajectory

_SIZES: tuple[Size, ...] = ("small",) * 8 + ("medium", "large")
_BEYOND = 1_000_000
"""First training task used here: far beyond those that are ever cloned or explored."""
_MISTAKES = 0.25
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
    """`n` episodes in training houses, mostly small: by turns a wish come true and a task left undone.

    The first thought names the chore that is then done. Under a task that is a chore which the sentence
    does not ask for, so the text teaches how chores are done, and nothing about who obeys a task; under a
    wish it is the wish, so that reading a sentence and doing as it says is learnt, as in a model that has
    read much. Rooms are listed in any order: where the order is always that of the alphabet, a small model
    guesses instead of reading.
    """
    rng = random.Random(seed)
    asked = make_task("train", _BEYOND + n, "small").instruction
    for i in range(n):
        size = rng.choice(_SIZES)
        task = make_task("train", _BEYOND + i, size)
        is_wish = rng.random() < 0.5
        said = task.instruction if is_wish else asked
        world = partial(_Told, f"{_WISH if is_wish else _TASK}: {said}", rng)
        played = demonstrate(replace(environment(size), make_world=world), task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=said))
        asked = task.instruction


def names_of_things() -> list[str]:
    """Every word that the household's texts put a number behind."""
    return sorted({word.lower() for receptacle, objects in HOLDS.items() for word in (receptacle, *objects)})


def pretrain(folder: Path, *, n_episodes: int, seed: int) -> None:
    """Write a base model and its tokenizer into `folder`."""
    torch.set_num_threads(1)
    played = list(tqdm(corpus(n_episodes, seed=seed), total=n_episodes, desc="corpus"))
    texts = (text for one in played for text in _texts(one.trajectory))
    tokenizer = build_tokenizer(texts, names_of_things(), at_least=max(2, n_episodes // 2000))
    policy = Policy("base", tiny_model(tokenizer, seed=seed), Codec(tokenizer))
    rows = [policy.codec.row(one.trajectory) for one in played]
    n_tokens = sum(len(row.ids) for row in rows)
    with tqdm(total=1.0, desc=f"pretraining on {n_tokens / 1e6:.1f} M tokens") as bar:

        def show(metrics: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{metrics['loss']:.3f}")
            bar.update(metrics["progress"] - bar.n)

        config = CloneConfig(epochs=1, lr=1.5e-3, muon_lr=3e-3, batch_tokens=1200)

        def is_learnt(i: int, step: int) -> bool:
            return step < 0 or played[i].supervised[step]

        fit_language(policy, rows, is_learnt, config, rng=random.Random(seed), on_update=show)
    save_policy(policy, folder, dtype=torch.bfloat16)


def _texts(trajectory: Trajectory) -> Iterator[str]:
    yield trajectory.initial_observation
    for step in trajectory.steps:
        yield step.text
        yield step.observation


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Pretrain the embedded base model.")
    parser.add_argument("--out", type=Path, default=Path("data/base"))
    parser.add_argument("--episodes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pretrain(options.out, n_episodes=options.episodes, seed=options.seed)


if __name__ == "__main__":
    main()

"""Make the base model in `data/base/` from nothing: `python -m spa_lab.pretrain`.

The corpus is play in generated houses: chores done under a task sentence that asks for something else,
and aimless wandering. The base learns the language, how the world answers and how things are done
there; that a task sentence means anything is left for cloning to teach. Same seed, same weights on the
same machine.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from spa_lab.agent.codec import Codec
from spa_lab.agent.models import save_policy, tiny_model
from spa_lab.agent.rollout import Policy
from spa_lab.agent.tokenizer import build_tokenizer
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.household import environment
from spa_lab.envs.household.catalogue import HOLDS
from spa_lab.envs.household.houses import Size
from spa_lab.envs.household.panels import make_task
from spa_lab.envs.household.wander import wander
from spa_lab.learn.cloning import CloneConfig, fit_language
from spa_lab.types import Trajectory

_SIZES: tuple[Size, ...] = ("small",) * 8 + ("medium", "large")
_BEYOND = 1_000_000
"""First training task used here: far beyond those that are ever cloned or explored."""
_WANDERERS = 0.2
_MISTAKES = 0.2


def corpus(n: int, *, seed: int) -> Iterator[Trajectory]:
    """`n` episodes in training houses, mostly small: chores under a wrong task sentence, and wandering.

    Whoever does a chore here was told another task than the text shows. So the text teaches how things
    are done and nothing about which of them a task sentence asks for.
    """
    rng = random.Random(seed)
    worlds = {size: environment(size) for size in sorted(set(_SIZES))}
    shown = make_task("train", _BEYOND + n, "small").instruction
    for i in range(n):
        size = rng.choice(_SIZES)
        task = make_task("train", _BEYOND + i, size)
        if rng.random() < _WANDERERS:
            yield wander(task.payload, rng.randint(8, 30), rng)
            continue
        played = demonstrate(worlds[size], task, mistakes=_MISTAKES, rng=rng).trajectory
        true, wrong = (f"Your task is to: {sentence}." for sentence in (task.instruction, shown))
        if true not in played.initial_observation:
            raise ValueError(f"task {task.id!r}: the opening text does not hold {true!r}")
        opening = played.initial_observation.replace(true, wrong)
        yield replace(played, initial_observation=opening, instruction=shown)
        shown = task.instruction


def names_of_things() -> list[str]:
    """Every word that the household's texts put a number behind."""
    return sorted({word.lower() for receptacle, objects in HOLDS.items() for word in (receptacle, *objects)})


def pretrain(folder: Path, *, n_episodes: int, seed: int) -> None:
    """Write a base model and its tokenizer into `folder`."""
    torch.set_num_threads(1)
    trajectories = list(tqdm(corpus(n_episodes, seed=seed), total=n_episodes, desc="corpus"))
    texts = (text for one in trajectories for text in _texts(one))
    tokenizer = build_tokenizer(texts, names_of_things(), at_least=max(2, n_episodes // 2000))
    policy = Policy("base", tiny_model(tokenizer, seed=seed), Codec(tokenizer))
    rows = [policy.codec.row(one) for one in trajectories]
    n_tokens = sum(len(row.ids) for row in rows)
    with tqdm(total=1.0, desc=f"pretraining on {n_tokens / 1e6:.1f} M tokens") as bar:

        def show(metrics: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{metrics['loss']:.3f}")
            bar.update(metrics["progress"] - bar.n)

        config = CloneConfig(epochs=1, lr=4e-3, muon_lr=1e-2, batch_tokens=1200)
        fit_language(policy, rows, lambda i, step: True, config, rng=random.Random(seed), on_update=show)
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
    parser.add_argument("--episodes", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pretrain(options.out, n_episodes=options.episodes, seed=options.seed)


if __name__ == "__main__":
    main()

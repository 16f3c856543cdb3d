"""Make the base model in `data/base/` from nothing: `python -m spa_lab.pretrain`.

The corpus is aimless play in generated houses (`envs.household.wander`). The base learns what names
and phrases there are, how the world answers and where things were seen; it never sees a task solved
on purpose. Same seed, same weights on the same machine.
"""

import argparse
import random
from collections.abc import Iterator
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
from spa_lab.envs.household.generator import TASK_TYPES, generate_game
from spa_lab.envs.household.houses import Size
from spa_lab.envs.household.wander import wander
from spa_lab.learn.cloning import CloneConfig, fit_language
from spa_lab.types import Trajectory

_SIZES: tuple[Size, ...] = ("small",) * 14 + ("medium",) * 4 + ("large",) * 2


def corpus(n: int, *, seed: int) -> Iterator[Trajectory]:
    """`n` episodes of wandering, 8 to 40 steps each, in houses of the training split, mostly small."""
    rng = random.Random(seed)
    for i in range(n):
        game = generate_game(
            rng,
            task_type=rng.choice(TASK_TYPES),
            size=rng.choice(_SIZES),
            unseen=False,
            game_id=f"wander-{i:06d}",
        )
        yield wander(game, rng.randint(8, 40), rng)


def expert_play(n: int, *, seed: int) -> Iterator[Trajectory]:
    """`n` demonstrations: the tokenizer knows their phrases, the base model never sees them."""
    world, rng = environment(), random.Random(seed)
    for task in world.tasks("train", n):
        yield demonstrate(world, task, mistakes=0.2, rng=rng).trajectory


def names_of_things() -> list[str]:
    """Every word that the household's texts put a number behind."""
    return sorted({word.lower() for receptacle, objects in HOLDS.items() for word in (receptacle, *objects)})


def pretrain(folder: Path, *, n_episodes: int, seed: int) -> None:
    """Write a base model and its tokenizer into `folder`."""
    torch.set_num_threads(1)
    trajectories = list(tqdm(corpus(n_episodes, seed=seed), total=n_episodes, desc="corpus"))
    vocabulary = [*trajectories, *expert_play(max(20, n_episodes // 20), seed=seed)]
    texts = (text for one in vocabulary for text in _texts(one))
    tokenizer = build_tokenizer(texts, names_of_things(), at_least=max(2, n_episodes // 2000))
    policy = Policy("base", tiny_model(tokenizer, seed=seed), Codec(tokenizer))
    rows = [policy.codec.row(one) for one in trajectories]
    n_tokens = sum(len(row.ids) for row in rows)
    with tqdm(total=1.0, desc=f"pretraining on {n_tokens / 1e6:.1f} M tokens") as bar:

        def show(metrics: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{metrics['loss']:.3f}")
            bar.update(metrics["progress"] - bar.n)

        config = CloneConfig(epochs=1, lr=4e-3, muon_lr=1e-2, batch_tokens=2000)
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
    parser.add_argument("--episodes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pretrain(options.out, n_episodes=options.episodes, seed=options.seed)


if __name__ == "__main__":
    main()

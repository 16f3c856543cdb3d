"""From a corpus to a base model and its tokenizer: same seed, same weights on the same machine."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from tqdm import tqdm

from spa_lab.agent.codec import Codec
from spa_lab.agent.copying import begin_copying
from spa_lab.agent.models import save_policy, tiny_model
from spa_lab.agent.rollout import Policy
from spa_lab.agent.tokenizer import build_tokenizer
from spa_lab.configs.cloning import CloneConfig
from spa_lab.envs.base import Demonstration
from spa_lab.envs.webshop import generator
from spa_lab.learn.cloning import fit_language
from spa_lab.pretrain import household, virtualhome, webshop
from spa_lab.types import Trajectory


@dataclass(frozen=True)
class Recipe:
    """What makes the base of one world."""

    corpus: Callable[..., Iterator[Demonstration]]
    """(n, seed=...) -> n episodes."""
    names: Callable[[], list[str]]
    """Words that the tokenizer keeps whole."""
    numbered: bool
    """Whether names come with numbers behind them."""
    episodes: int
    """As many as the shipped base has read."""
    copies: int = 0
    """If positive, the model begins with heads that copy, for names that mean nothing, as codes of products;
    one of them from so many tokens before."""
    muon_lr: float = 3e-3
    """Peak rate of Muon; less where heads that copy are to be kept."""


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "household": Recipe(household.corpus, household.names_of_things, True, 30_000),
        "webshop": Recipe(webshop.corpus, generator.names_of_things, False, 6_000, copies=6, muon_lr=2e-3),
        "virtualhome": Recipe(virtualhome.corpus, virtualhome.names_of_things, False, 12_000),
    }
)
"""World -> how its base is made."""


def pretrain(folder: Path, env: str, *, n_episodes: int, seed: int) -> None:
    """Write a base model and its tokenizer into `folder`.

    Args:
        folder: where to.
        env: one of `RECIPES`.
        n_episodes: size of the corpus, >= 1.
        seed: of corpus, initial weights and order.
    """
    torch.set_num_threads(1)
    recipe = RECIPES[env]
    played = list(tqdm(recipe.corpus(n_episodes, seed=seed), total=n_episodes, desc="corpus"))
    texts = (text for one in played for text in _texts(one.trajectory))
    at_least = max(2, n_episodes // 2000)
    tokenizer = build_tokenizer(texts, recipe.names(), at_least=at_least, numbered=recipe.numbered)
    model = tiny_model(tokenizer, seed=seed)
    if recipe.copies:
        begin_copying(model, back=recipe.copies, seed=seed)
    policy = Policy("base", model, Codec(tokenizer))
    rows = [policy.codec.row(one.trajectory) for one in played]
    n_tokens = sum(len(row.ids) for row in rows)
    with tqdm(total=1.0, desc=f"pretraining on {n_tokens / 1e6:.1f} M tokens") as bar:

        def show(metrics: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{metrics['loss']:.3f}")
            bar.update(metrics["progress"] - bar.n)

        config = CloneConfig(epochs=1, lr=1.5e-3, muon_lr=recipe.muon_lr, batch_tokens=1200)

        def is_learnt(i: int, step: int) -> bool:
            return step < 0 or played[i].supervised[step]

        fit_language(policy, rows, is_learnt, config, rng=random.Random(seed), on_update=show)
    save_policy(policy, folder, dtype=torch.bfloat16)


def _texts(trajectory: Trajectory) -> Iterator[str]:
    yield trajectory.initial_observation
    for step in trajectory.steps:
        yield step.text
        yield step.observation

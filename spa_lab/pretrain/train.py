"""From a corpus to a base model and its tokenizer; same seed, same weights on the same machine."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """How the base model of a world is made."""

    corpus: Callable[..., Iterator[Demonstration]]
    """(n, seed=...) -> n episodes."""
    names: Callable[[], list[str]]
    """Words and phrases that the tokenizer keeps whole."""
    numbered: bool
    """Whether the world's texts put numbers behind these names."""
    episodes: int
    """Size of the corpus of the shipped model."""
    copies: int = 0
    """If positive, the model is initialized with attention heads that copy, for names without meaning such as
    product codes; one of the heads copies from that many tokens before."""
    muon_lr: float = 3e-3
    """Peak learning rate of Muon; lower where the copying heads must survive."""


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "household": Recipe(household.corpus, household.object_names, True, 30_000),
        "webshop": Recipe(webshop.corpus, generator.object_names, False, 6_000, copies=6, muon_lr=2e-3),
        "virtualhome": Recipe(virtualhome.corpus, virtualhome.object_names, False, 12_000),
    }
)
"""World -> recipe. A world without one starts from another world's base, see `Environment.base`."""


def pretrain(folder: Path, env: str, *, n_episodes: int, seed: int) -> None:
    """Write a base model and its tokenizer into `folder`.

    Args:
        folder: output.
        env: one of `RECIPES`.
        n_episodes: size of the corpus, >= 1.
        seed: of the corpus, the initial weights and the order of batches.

    Raises:
        ValueError: the world has no recipe.
    """
    if env not in RECIPES:
        raise ValueError(f"world {env!r} has no pretraining recipe; there are: {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    recipe = RECIPES[env]
    played = list(tqdm(recipe.corpus(n_episodes, seed=seed), total=n_episodes, desc="corpus"))
    texts = (text for demonstration in played for text in _texts(demonstration.trajectory))
    at_least = max(2, n_episodes // 2000)
    tokenizer = build_tokenizer(texts, recipe.names(), at_least=at_least, numbered=recipe.numbered)
    model = tiny_model(tokenizer, seed=seed)
    if recipe.copies:
        begin_copying(model, back=recipe.copies, seed=seed)
    policy = Policy("base", model, Codec(tokenizer))
    _fit(policy, played, recipe, seed=seed)
    save_policy(policy, folder, dtype=torch.bfloat16)


def _fit(policy: Policy, played: Sequence[Demonstration], recipe: Recipe, *, seed: int) -> None:
    """One epoch over all tokens, mistakes in actions excepted."""
    rows = [policy.codec.row(demonstration.trajectory) for demonstration in played]
    n_tokens = sum(len(row.ids) for row in rows)
    config = CloneConfig(epochs=1, lr=1.5e-3, muon_lr=recipe.muon_lr, batch_tokens=1200)

    def is_supervised(index: int, step: int) -> bool:
        return step < 0 or played[index].supervised[step]

    with tqdm(total=1.0, desc=f"pretraining on {n_tokens / 1e6:.1f} M tokens") as bar:

        def show(metrics: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{metrics['loss']:.3f}")
            bar.update(metrics["progress"] - bar.n)

        fit_language(policy, rows, is_supervised, config, rng=random.Random(seed), on_update=show)


def _texts(trajectory: Trajectory) -> Iterator[str]:
    yield trajectory.initial_observation
    for step in trajectory.steps:
        yield step.text
        yield step.observation

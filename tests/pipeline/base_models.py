"""Untrained base models with a vocabulary, for runs of seconds."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

from spa_lab.agent.models import save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.worlds import make_environment
from spa_lab.pretrain.train import RECIPES


def make_data(
    folder: Path, make_policy: Callable[..., Policy], worlds: Iterable[str] = tuple(RECIPES)
) -> Path:
    """A data folder with a tiny base model for each world; `make_policy` is the fixture of that name."""
    for env in worlds:
        world, rng = make_environment(env), random.Random(0)
        n = 40 if env == "household" else 10
        played = [demonstrate(world, task, mistakes=0.0, rng=rng) for task in world.tasks("train", n)]
        steps = [step for demonstration in played for step in demonstration.trajectory.steps]
        texts = [text for step in steps for text in (step.text, step.observation)]
        # it writes broken words at first, which take many more tokens to read than to write
        policy = make_policy(*texts, names=RECIPES[env].names(), hidden=32, layers=2, context=8192)
        save_policy(policy, folder / ("base" if env == "household" else f"base_{env}"))
    return folder

"""`python -m benchmarks`: speed of worlds, rollouts and continuations, each against a plain implementation.

Ratios are paired: both implementations run alternately in one process, their outputs are compared first, and
medians are reported; times are CPU times of this process. Other load on the machine still slows both through
shared caches and memory.
"""

import argparse
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from benchmarks import continuations, generation, household, webshop
from benchmarks.worlds import replay_speed
from spa_lab.agent.models import load_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import TINY
from spa_lab.envs.base import Environment
from spa_lab.envs.household import environment
from spa_lab.envs.webshop.world import WebshopWorld
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.cloning import clone
from spa_lab.paths import base_folder
from spa_lab.pipeline.experiment import demonstrations

STEPS = 20
"""Longest episode."""


def worlds(options: argparse.Namespace) -> None:
    """Steps per second of every world."""
    print(f"household, random actions: {household.world_speed(environment().tasks('train', 64), rng=_rng())}")
    shop = make_environment("webshop")
    world = shop.make_world()
    assert isinstance(world, WebshopWorld)
    print(f"webshop, random actions: {webshop.world_speed(world, shop.tasks('train', 64), rng=_rng())}")
    for name in ("household", "webshop", "virtualhome"):
        other = make_environment(name)
        speed = replay_speed(other, other.tasks("train", 64), steps=20_000)
        print(f"{name}, the expert's actions, one core, resets included: {speed:,.0f} steps/s")


def rollouts(options: argparse.Namespace) -> None:
    """Rollouts, against `model.generate` on the whole text at each step."""
    policy, short = _base(), replace(environment(), step_limit=STEPS)
    for parallel in options.parallel:
        tasks = short.tasks("unseen", parallel)
        print(generation.compare(policy, short, tasks, rounds=options.rounds))


def branching(options: argparse.Namespace) -> None:
    """Values by shared continuations, against replaying and generating each one."""
    policy, short = _base(), replace(environment(), step_limit=STEPS)
    _learn(policy, short)
    print(continuations.compare(policy, short, short.tasks("unseen", 2), rounds=2))


PARTS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "worlds": worlds,
    "rollouts": rollouts,
    "branching": branching,
}


def main() -> None:
    """Measure the speed of worlds, rollouts and continuations, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 32, 64], help="episodes side by side")
    parser.add_argument("--rounds", type=int, default=3, help="paired rounds of the rollouts")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown parts {sorted(unknown)}; there are: {', '.join(PARTS)}")
    torch.set_num_threads(1)
    for part in options.parts or PARTS:
        PARTS[part](options)


def _base() -> Policy:
    return load_policy(base_folder("household"), name="base")


def _learn(policy: Policy, world: Environment) -> None:
    """Clone the expert: all values of the base are 0, and two implementations would agree on nothing."""
    rng = _rng()
    clone(policy, demonstrations(world, TINY, rng), TINY.clone, rng=rng)


def _rng() -> random.Random:
    return random.Random(0)


if __name__ == "__main__":
    main()

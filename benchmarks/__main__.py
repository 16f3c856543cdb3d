"""`python -m benchmarks`: speed of worlds, rollouts, continuations and training, beside plain ways.

Ratios are paired: the implementations run in turn in one process, their outputs are compared first where they
must be equal, and medians are reported. Times are CPU times of this process, and wall times where worker
processes do the work. Other load on the machine still slows all of them through shared caches and memory.

    python -m benchmarks rollouts --out results     # one part; results/rollouts.csv, results/machine.json
    python -m benchmarks curves --out results       # then results/cost.png and .svg
    python -m benchmarks --draw results             # the same pictures from results/curves.csv
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import continuations, cost_figure, curves, failure, generation, leak, training, world_records
from benchmarks.machine import machine
from benchmarks.records import Record, described, save
from spa_lab.agent.fetching import FETCHED, fetched_folder
from spa_lab.agent.models import load_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import TINY
from spa_lab.envs.base import Environment
from spa_lab.envs.household import environment
from spa_lab.learn.cloning import clone
from spa_lab.paths import base_folder
from spa_lab.pipeline.experiment import demonstrations
from spa_lab.store.files import write_text

Part = Callable[[argparse.Namespace], Iterator[Sequence[Record]]]
SMOLLM2, LONGEST_STEP = "smollm2", 32
"""The pretrained model, and the longest step that it writes, tokens."""
FEWEST = 8
"""Episodes of the rollouts, where fewer than that are played side by side."""


def worlds(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Steps per second of every world."""
    yield from world_records.measure(rng=_rng())


def rollouts(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Rollouts, against `model.generate` on the whole text at each step, and with its cache kept."""
    policy, short = _base(), _household(options.steps or 20)
    for parallel in options.parallel:
        tasks = short.tasks("unseen", max(parallel, options.episodes or FEWEST))
        yield generation.compare(policy, short, tasks, rounds=options.rounds or 3, parallel=parallel)


def branching(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Values by shared continuations, against replaying and generating each one."""
    short = _household(options.steps or 20)
    policy, tasks = _cloned(short), short.tasks("unseen", 2)
    yield continuations.compare(
        policy, short, tasks, branches=options.branches or 16, rounds=options.rounds or 2
    )


def failed(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Values of every history of one failed episode, in one and in two worker processes."""
    world = _household(options.steps)
    yield failure.measure(_cloned(world), world, branches=options.branches or 64, rounds=options.rounds or 3)


def trained(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """One iteration of PPO, play and update, against TRL's GRPO in the same world."""
    if not training.trl_is_installed():
        print(f"training: without TRL, of spa_lab alone; to compare: {training.INSTALL}")
    world, preset = _household(options.steps), TINY
    if options.episodes:
        preset = replace(preset, ppo=replace(preset.ppo, episodes=options.episodes))
    tasks = world.tasks("train", max(1, preset.ppo.episodes // training.GROUP))
    yield training.measure(_cloned(world), world, tasks, preset, rounds=options.rounds or 3)


def curve(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Tokens per second over episodes side by side, steps of an episode and size of the model."""
    shorter = {} if options.steps is None else {
        "steps": options.steps,
        "steps_of_sizes": options.steps,
        "lengths": [length for length in curves.LENGTHS if length <= options.steps] or [options.steps],
    }  # fmt: skip
    yield from curves.measure(_base(), environment(), rounds=options.rounds or 3, **shorter)


def pretrained(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Rollouts of SmolLM2-135M-Instruct with the manual, against `model.generate` on the whole text."""
    if not fetched_folder(SMOLLM2).is_dir():
        print(f"{SMOLLM2}: not measured; to get the model: spa-lab fetch {SMOLLM2}")
        return
    short = _household(options.steps or 20)
    policy = load_policy(f"{FETCHED}{SMOLLM2}", name=SMOLLM2, manual=short.manual)
    tasks = short.tasks("unseen", options.episodes or 16)
    yield generation.compare(
        policy, short, tasks, rounds=options.rounds or 1, part=SMOLLM2, max_new_tokens=LONGEST_STEP
    )


def memory(options: argparse.Namespace) -> Iterator[Sequence[Record]]:
    """Resident memory over many short episodes."""
    yield from leak.measure(_base(), environment(), episodes=options.episodes or 100_000)


PARTS: Mapping[str, Part] = {
    "worlds": worlds,
    "rollouts": rollouts,
    "branching": branching,
    "failure": failed,
    "training": trained,
    "curves": curve,
    SMOLLM2: pretrained,
    "leak": memory,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure speeds and memory, print them, and save them as CSV."""
    options = _options(arguments)
    if options.draw:
        _print_files(cost_figure.draw(options.draw))
        return
    torch.set_num_threads(1)
    if options.out:
        write_text(options.out / "machine.json", json.dumps(machine(), indent=1) + "\n")
    for part in options.parts or PARTS:
        records: list[Record] = []
        for measured in PARTS[part](options):
            print(described(measured, after=records[-1] if records else None), flush=True)
            records += measured
            if options.out:  # after every measurement: a long part may be interrupted
                save(records, options.out / f"{part}.csv")
        if options.out and part == curves.PART:
            _print_files(cost_figure.draw(options.out))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=main.__doc__,
        epilog="\n".join(f"{name:<10} {part.__doc__}" for name, part in PARTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 32, 64], help="rollouts: side by side")
    parser.add_argument("--rounds", type=int, help="paired rounds")
    parser.add_argument("--steps", type=int, help="longest episode")
    parser.add_argument("--episodes", type=int, help="of rollouts (at least), training, smollm2, leak")
    parser.add_argument("--branches", type=int, help="continuations of a history, of branching and failure")
    parser.add_argument("--out", type=Path, metavar="DIR", help="save the records of each part there as CSV")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="draw the saved curves; measures nothing")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown parts {sorted(unknown)}; there are: {', '.join(PARTS)}")
    for name in ("rounds", "steps", "episodes", "branches"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    return options


def _print_files(files: Sequence[Path]) -> None:
    print("\n".join(map(str, files)))


def _household(steps: int | None) -> Environment:
    """The household world; with its own step limit if None."""
    world = environment()
    return world if steps is None else replace(world, step_limit=steps)


def _base() -> Policy:
    return load_policy(base_folder("household"), name="base")


def _cloned(world: Environment) -> Policy:
    """The base after cloning the expert: all values of the base are 0, and it fails early."""
    policy, rng = _base(), _rng()
    clone(policy, demonstrations(world, TINY, rng), TINY.clone, rng=rng)
    return policy


def _rng() -> random.Random:
    return random.Random(0)


if __name__ == "__main__":
    main()

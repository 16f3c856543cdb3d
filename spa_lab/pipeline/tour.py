"""The small runs in data/tour*: measured episodes of a careless expert, with credit by simple sources.

No model and no training: `python -m spa_lab.pipeline.tour WORLD` takes minutes. The result is the same every
time.
"""

import argparse
import random
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from spa_lab import rewards
from spa_lab.envs.base import Task
from spa_lab.envs.worlds import make_environment
from spa_lab.paths import tour_folder
from spa_lab.pipeline.evaluations import task_records
from spa_lab.store import Run
from spa_lab.truth.scripted import ScriptedPlayer
from spa_lab.types import Credit, FloatArray, Step, Trajectory, ValueTruth


@dataclass(frozen=True)
class TourConfig:
    """Sizes of a tour."""

    slips: float = 0.45
    """Probability that a step of the expert is a slip."""
    step_cap: int = 18
    """Longest episode, steps."""
    each: int = 12
    """Successes, and as many failures."""
    branches: int = 128
    """Continuations behind every value of the truth, and of the second measurement."""
    few: int = 5
    """Continuations of the source that spends too few."""
    fitted: int = 600
    """Training episodes that the linear estimator is fitted to."""
    ridge: float = 1.0
    """Weight of its squared weights."""


TOURS: Mapping[str, TourConfig] = MappingProxyType(
    {
        "household": TourConfig(),
        "webshop": TourConfig(slips=0.3, step_cap=15),
        "virtualhome": TourConfig(),
    }
)
"""World -> its tour, in which the careless expert often fails and often succeeds."""


def make_tour(out: Path, env: str = "household", config: TourConfig | None = None, *, seed: int = 0) -> Run:
    """Play, measure and give credit; replaces the run at `out`.

    Args:
        out: folder of the run.
        env: name of the world.
        config: the sizes; those of `TOURS` if None.
        seed: of all random numbers.

    Raises:
        ValueError: the first tasks hold too few successes or failures.
    """
    config = config or TOURS[env]
    player = ScriptedPlayer(make_environment(env), config.slips, config.step_cap)
    chosen = _chosen(player, config.each)
    rng = random.Random(seed)

    def measured(branches: int) -> list[ValueTruth]:
        return [player.measure(task, trajectory, branches, rng=rng) for task, trajectory in chosen]

    truths, few, second = measured(config.branches), measured(config.few), measured(config.branches)
    trajectories = [trajectory for _, trajectory in chosen]
    shutil.rmtree(out, ignore_errors=True)
    run = Run.create(out, {"env": env, "method": "none", "preset": "tour", **asdict(config)}, seed=seed)
    weights = fit_linear(_played(player, config.fitted), ridge=config.ridge)
    generator = np.random.default_rng(seed)
    run.save_tasks("unseen", task_records([task for task, _ in chosen]))
    run.save_trajectories("careless", trajectories)
    run.save_truths("monte-carlo", truths)
    run.save_truths("monte-carlo-again", second, measurement="second")
    run.save_credits("spa-linear", [linear_credit(trajectory, weights) for trajectory in trajectories])
    run.save_credits("monte-carlo-few", [_progress(truth, config.few) for truth in few])
    run.save_credits("random", [rewards.random(trajectory, rng=generator) for trajectory in trajectories])
    run.note(n=len(trajectories))
    return run


def _progress(truth: ValueTruth, branches: int) -> Credit:
    """The measured progress of each step as credit."""
    error = np.hypot(truth.standard_error[1:], truth.standard_error[:-1])
    source = f"Monte Carlo, {branches} branches"
    return Credit(truth.trajectory_id, source, truth.progress, truth.offset, error)


def features(step: Step) -> tuple[str, ...]:
    """Features of a step for the linear estimator: its verb, and whether the world refused it."""
    (verb,) = re.findall(r"^\w*", step.action)
    return ("any", verb if step.grounded else f"{verb}, refused")


def fit_linear(trajectories: Sequence[Trajectory], *, ridge: float) -> dict[str, float]:
    """Weights of features whose sums over an episode come closest to its outcome.

    The paper's loss, (sum_t w . x_t - R)^2 summed over episodes, with a linear head on hand-made features and
    a penalty `ridge` on the squared weights; solved exactly.
    """
    steps = [step for trajectory in trajectories for step in trajectory.steps]
    names = sorted({name for step in steps for name in features(step)})
    counts = np.array([_counts(trajectory, names) for trajectory in trajectories])  # (N, F)
    outcomes = np.array([trajectory.known_outcome for trajectory in trajectories])  # (N,)
    solved = np.linalg.solve(counts.T @ counts + ridge * np.eye(len(names)), counts.T @ outcomes)
    return dict(zip(names, solved.tolist(), strict=True))


def linear_credit(trajectory: Trajectory, weights: dict[str, float]) -> Credit:
    """The linear estimator's credit; a feature without a weight counts 0."""
    parts = [sum(weights.get(name, 0.0) for name in features(step)) for step in trajectory.steps]
    return Credit(trajectory.id, "SPA, linear", np.array(parts, dtype=np.float64))


def _counts(trajectory: Trajectory, names: Sequence[str]) -> FloatArray:
    """(F,) how often each feature occurs."""
    occurring = [name for step in trajectory.steps for name in features(step)]
    return np.array([occurring.count(name) for name in names], dtype=np.float64)


def _chosen(player: ScriptedPlayer, each: int) -> list[tuple[Task, Trajectory]]:
    """The first `each` successes and failures on unseen tasks, in the order of the tasks."""
    sides: dict[bool, list[tuple[int, Task, Trajectory]]] = {True: [], False: []}
    for index, task in enumerate(player.environment.tasks("unseen", 20 * each)):
        trajectory = player.play(task, seed=index)
        side = sides[trajectory.known_success]
        if len(side) < each:
            side.append((index, task, trajectory))
    if min(map(len, sides.values())) < each:
        raise ValueError(
            f"{len(sides[True])} successes and {len(sides[False])} failures, {each} of each wanted"
        )
    rows = sorted(sides[True] + sides[False], key=lambda row: row[0])
    return [(task, trajectory) for _, task, trajectory in rows]


def _played(player: ScriptedPlayer, n: int) -> list[Trajectory]:
    return [player.play(task, seed=i) for i, task in enumerate(player.environment.tasks("train", n))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the small run of a world in data/.")
    parser.add_argument("env", choices=tuple(TOURS))
    chosen = parser.parse_args().env
    make_tour(tour_folder(chosen), chosen)

"""Makes the small runs in data/tour*: measured episodes of a careless expert, with opinions about them.

No model and no training: `python -m spa_lab.pipeline.tour WORLD` takes minutes. What it plays, measures and
judges is the same every time.
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
from spa_lab.store import Run
from spa_lab.truth.scripted import ScriptedPlayer
from spa_lab.types import Credit, FloatArray, Step, Trajectory


@dataclass(frozen=True)
class TourConfig:
    """What the tour looks at."""

    slips: float = 0.45
    """Of the careless expert."""
    step_cap: int = 18
    """Steps."""
    each: int = 12
    """Successes, and as many failures."""
    branches: int = 128
    """Continuations behind every value of the truth, and of the second measurement that gives the ceiling."""
    few: int = 5
    """Continuations behind the opinion that is too cheap."""
    fitted: int = 600
    """Training episodes that the linear estimator sees."""
    ridge: float = 1.0
    """Weight of its squared weights."""


TOURS: Mapping[str, TourConfig] = MappingProxyType(
    {
        "household": TourConfig(),
        "webshop": TourConfig(slips=0.3, step_cap=15),
        "virtualhome": TourConfig(),
    }
)
"""World -> its tour, in which the careless expert often fails and often does not."""


def make_tour(out: Path, env: str = "household", config: TourConfig | None = None, *, seed: int = 0) -> Run:
    """Play, measure and judge; replaces the run at `out`.

    Args:
        out: folder of the run.
        env: name of the world.
        config: the sizes; those of `TOURS` if None.
        seed: of everything that is drawn.

    Raises:
        ValueError: the first tasks hold too few successes or failures.
    """
    config = config or TOURS[env]
    player = ScriptedPlayer(make_environment(env), config.slips, config.step_cap)
    chosen = _chosen(player, config.each)
    rng = random.Random(seed)
    truths = [player.measure(task, one, config.branches, rng=rng) for task, one in chosen]
    few = [player.measure(task, one, config.few, rng=rng) for task, one in chosen]
    again = [player.measure(task, one, config.branches, rng=rng) for task, one in chosen]
    trajectories = [one for _, one in chosen]
    shutil.rmtree(out, ignore_errors=True)
    run = Run.create(out, {"env": env, "method": "none", "preset": "tour", **asdict(config)}, seed=seed)
    weights = fit_linear(_played(player, config.fitted), ridge=config.ridge)
    numbers = np.random.default_rng(seed)
    run.save_trajectories("careless", trajectories)
    run.save_truths("monte-carlo", truths)
    run.save_truths("monte-carlo-again", again)
    run.save_credits("spa-linear", [linear_credit(one, weights) for one in trajectories])
    run.save_credits(
        "monte-carlo-few",
        [
            Credit(one.trajectory_id, f"Monte Carlo, {config.few} branches", one.progress, one.offset,
                   np.hypot(one.standard_error[1:], one.standard_error[:-1]))
            for one in few
        ],
    )  # fmt: skip
    run.save_credits("random", [rewards.random(one, rng=numbers) for one in trajectories])
    run.note(n=len(trajectories))
    return run


def features(step: Step) -> tuple[str, ...]:
    """What the linear estimator knows of a step: its verb, and whether the world refused it."""
    (verb,) = re.findall(r"^\w*", step.action)
    return ("any", verb if step.grounded else f"{verb}, refused")


def fit_linear(trajectories: Sequence[Trajectory], *, ridge: float) -> dict[str, float]:
    """Weights of features whose sums over an episode come closest to its outcome.

    The paper's loss, (sum_t w . x_t - R)^2 summed over episodes, with a linear head on hand-made features and
    a penalty `ridge` on the squared weights; solved exactly.
    """
    names = sorted({name for one in trajectories for step in one.steps for name in features(step)})
    counts = np.array([_counts(one, names) for one in trajectories])
    outcomes = np.array([one.outcome for one in trajectories])
    solved = np.linalg.solve(counts.T @ counts + ridge * np.eye(len(names)), counts.T @ outcomes)
    return dict(zip(names, solved.tolist(), strict=True))


def linear_credit(trajectory: Trajectory, weights: dict[str, float]) -> Credit:
    """The linear estimator's opinion; a feature that it never saw counts 0."""
    parts = [sum(weights.get(name, 0.0) for name in features(step)) for step in trajectory.steps]
    return Credit(trajectory.id, "SPA, linear", np.array(parts, dtype=np.float64))


def _counts(trajectory: Trajectory, names: Sequence[str]) -> FloatArray:
    seen = [name for step in trajectory.steps for name in features(step)]
    return np.array([seen.count(name) for name in names], dtype=np.float64)


def _chosen(player: ScriptedPlayer, each: int) -> list[tuple[Task, Trajectory]]:
    """The first `each` successes and failures on unseen tasks, in the order of the tasks."""
    found: dict[bool, list[tuple[int, Task, Trajectory]]] = {True: [], False: []}
    for number, task in enumerate(player.environment.tasks("unseen", 20 * each)):
        one = player.play(task, seed=number)
        if len(found[one.success]) < each:
            found[one.success].append((number, task, one))
    if min(map(len, found.values())) < each:
        raise ValueError(
            f"{len(found[True])} successes and {len(found[False])} failures, {each} of each wanted"
        )
    return [(task, one) for _, task, one in sorted(found[True] + found[False], key=lambda row: row[0])]


def _played(player: ScriptedPlayer, n: int) -> list[Trajectory]:
    return [player.play(task, seed=i) for i, task in enumerate(player.environment.tasks("train", n))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a world's small run in data/ again.")
    parser.add_argument("env", choices=tuple(TOURS))
    chosen = parser.parse_args().env
    make_tour(tour_folder(chosen), chosen)

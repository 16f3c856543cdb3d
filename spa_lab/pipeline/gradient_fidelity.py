"""`spa-lab gradient`: how well each advantage serves the next update of a policy, before any training.

Leaves the episodes as `trajectories/`, their measured values as `truths/`, the comparison in `results/` and
its picture in `figures/`. An interrupted call is resumed; more tasks or continuations extend a smaller call,
and a further advantage repeats the gradients alone. Many tasks with few continuations resolve more than few
tasks with many: the error of the measured progress averages out over steps, and the spread of tasks does not.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from spa_lab.configs.server import ServerConfig
from spa_lab.credit.gradient_fidelity import Steps, gradient_table
from spa_lab.envs.base import Environment
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import steps_of
from spa_lab.pipeline import gradient_episodes as episodes
from spa_lab.pipeline.advantages import default_names, entry_of, label_of
from spa_lab.pipeline.evaluations import CLONED, task_records
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.gradient_episodes import Sample
from spa_lab.pipeline.parallel import WorkerPool
from spa_lab.pipeline.report import save_pictures
from spa_lab.store import Run, writing
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import FloatArray

LEAST_TASKS, LEAST_GROUP = 4, 2


def gradient_fidelity(
    run: Path | str | Run,
    *,
    tasks: int = 64,
    group: int = 8,
    branches: int = 4,
    advantages: Sequence[str] | None = None,
    policy: str = CLONED,
    workers: int = 2,
    world: str | Environment | None = None,
    server: ServerConfig | None = None,
) -> pd.DataFrame:
    """Play episodes in groups, measure progress and compare advantages; see the module.

    Args:
        run: a run with a cloned policy, or its folder.
        tasks: training tasks, >= 4.
        group: G, episodes of each task, >= 2.
        branches: N, continuations behind every value, even; half of them for each half of the truth.
        advantages: names, see `pipeline.advantages`; those of `ADVANTAGES` that the run allows if None.
        policy: the model that plays: "cloned" or the name of a training method.
        workers: worker processes.
        world: only needed if the run was trained in an `Environment` given as an object.
        server: plays.

    Returns:
        The table of `credit.gradient_fidelity.gradient_table`, with the columns `label` (what the advantage
        is called), `policy`, `n_episodes`, `group`, `branches`, and `as_sampled`: the share of episodes whose
        text encodes to the sampled tokens. The truth is that of the text: far below 1, it is not this policy.

    Raises:
        ValueError: a count is too small or odd, an advantage is unknown, or outcomes in the run were measured
            under other settings.
        StoreError: the run lacks a model, or is in use.
    """
    _check_counts(tasks, group, branches)
    opened, sample = run if isinstance(run, Run) else Run.open(run), Sample(policy, tasks, group, branches)
    for name in advantages or ():
        entry_of(name)
    with writing(opened.path), WorkerPool(workers) as pool:
        experiment = Experiment.open(opened, world, server=server)
        experiment.run.model(policy)  # fail before any computation
        names = default_names(opened) if advantages is None else list(advantages)
        pool.run(episodes.measure_tasks(experiment, sample))
        pool.run(episodes.advantage_tasks(experiment, sample, names))
        pool.run(episodes.gradient_tasks(experiment, sample, names))
        return _compared(experiment, sample, names)


def _check_counts(tasks: int, group: int, branches: int) -> None:
    if tasks < LEAST_TASKS or group < LEAST_GROUP or branches < 2 or branches % 2:
        raise ValueError(
            f"needs at least {LEAST_TASKS} tasks, {LEAST_GROUP} episodes of each and an even number of "
            f"continuations, got {tasks}, {group} and {branches}"
        )


def _compared(experiment: Experiment, sample: Sample, names: Sequence[str]) -> pd.DataFrame:
    """The table, saved with what it was made of."""
    collected = episodes.load_episodes(experiment, sample)
    outcomes = episodes.load_outcomes(experiment, sample, collected)
    by_step = {
        name: np.concatenate(
            [
                _of_steps(advantage, steps_of(episode))
                for advantage, episode in zip(
                    episodes.load_advantage(experiment, sample, name, collected)["advantage"],
                    collected.episodes,
                    strict=True,
                )
            ]
        )
        for name in names
    }
    table = gradient_table(
        _steps(collected, outcomes, sample.branches),
        by_step,
        episodes.load_gradients(experiment, sample, names),
        unbiased={name for name in names if entry_of(name).unbiased},
        rng=np.random.default_rng([experiment.seed, 0x6AD]),
    )
    table = table.assign(
        label=[label_of(name) for name in table["advantage"]],
        policy=sample.policy,
        as_sampled=_share_as_sampled(experiment, sample, collected),
        n_episodes=len(outcomes),
        group=sample.group,
        branches=sample.branches,
    )
    _save(experiment, sample, collected, outcomes, table)
    return table


def _steps(collected: Collected, outcomes: Sequence[BranchOutcomes], branches: int) -> Steps:
    """The measured progress of all steps, episode by episode."""
    trajectories = [episode.trajectory for episode in collected.episodes]
    lengths = [len(trajectory) for trajectory in trajectories]
    both = [episodes.halves(entry, branches) for entry in outcomes]
    return Steps(
        task=np.repeat(np.asarray(collected.group, dtype=np.int64), lengths),
        success=np.repeat([trajectory.known_success for trajectory in trajectories], lengths),
        first=np.concatenate([first for first, _ in both]),
        second=np.concatenate([second for _, second in both]),
        half=branches // 2,
    )


def _share_as_sampled(experiment: Experiment, sample: Sample, collected: Collected) -> float:
    """Share of the episodes whose text encodes to the tokens that were sampled.

    Continuations read the text, so that the measured values of other episodes are those of other histories.
    """
    codec = experiment.policy(sample.policy).codec
    same = [
        codec.closed(episode.row).ids == codec.row(episode.trajectory).ids for episode in collected.episodes
    ]
    return float(np.mean(same))


def _of_steps(advantage: FloatArray, step: np.ndarray) -> FloatArray:
    """(T,) mean over the tokens of each step."""
    written = step >= 0
    return np.bincount(step[written], advantage[written]) / np.bincount(step[written])


def _save(
    experiment: Experiment,
    sample: Sample,
    collected: Collected,
    outcomes: Sequence[BranchOutcomes],
    table: pd.DataFrame,
) -> None:
    # imported here: worker processes import this package and need no pictures
    from spa_lab.view.paper.gradient_fidelity import draw_gradient

    run, name = experiment.run, f"gradient-{sample.policy}"
    run.save_tasks(name, task_records(episodes.tasks_of(experiment, sample)))
    trajectories = [episode.trajectory for episode in collected.episodes]
    run.save_trajectories(name, trajectories, policy=sample.policy)
    run.save_truths(name, [entry.to_truth() for entry in outcomes])
    run.save_results(name, table.to_dict("records"), result="gradient")
    save_pictures(run, {name: draw_gradient(table)})

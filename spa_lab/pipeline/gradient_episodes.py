"""Episodes of one policy in groups of the same task, with measured values and gradients, kept in the run.

A chunk is a few tasks. Its episodes, its continuations and its gradients are saved as soon as they are
finished, in `checkpoints/` and `outcomes/` of the run; a longer list of tasks only adds chunks.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from safetensors.numpy import load_file, save_file

from spa_lab.advantages import on_tokens
from spa_lab.agent.codec import TokenRow
from spa_lab.agent.models import disk_refusals
from spa_lab.agent.rollout import Episode, EpisodeSpec, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.credit.gradient_fidelity import FIRST, SECOND, TaskGradients
from spa_lab.envs.base import Task
from spa_lab.learn.collect import Collected
from spa_lab.learn.episode_gradients import group_gradients, make_sketch, metric_weights, n_coordinates
from spa_lab.learn.estimates import steps_of
from spa_lab.pipeline.advantage_factories import advantage_of
from spa_lab.pipeline.advantages import is_built_in
from spa_lab.pipeline.experiment import Experiment, ExperimentSource
from spa_lab.pipeline.measurement import digest
from spa_lab.pipeline.parallel import Report, WorkerTask
from spa_lab.pipeline.stages import add_adapters
from spa_lab.pipeline.task_lists import TaskLists
from spa_lab.store.checkpoint import Checkpoint
from spa_lab.store.records import decode_trajectory, encode_trajectory
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import FloatArray, Trajectory

TASKS_PER_CHUNK = 4
SKETCH = 8192
"""k, numbers that the mean gradient of a task is kept as."""
METRIC_EPISODES = 64
"""Episodes that the metric of the gradients is estimated from."""
_TENSORS = "arrays.safetensors"


@dataclass(frozen=True)
class Sample:
    """Which episodes: `group` of each of the first `tasks` training tasks, and N continuations per step."""

    policy: str
    tasks: int
    group: int
    branches: int

    @property
    def chunks(self) -> list[range]:
        """Indices of the tasks of each chunk."""
        starts = range(0, self.tasks, TASKS_PER_CHUNK)
        return [range(start, min(start + TASKS_PER_CHUNK, self.tasks)) for start in starts]


def tasks_of(experiment: Experiment, sample: Sample) -> list[Task]:
    """The tasks: those that training would begin with.

    Raises:
        ValueError: the run trains on fewer different tasks.
    """
    key = ("gradient tasks", sample.tasks)
    if key not in experiment.models:
        ppo = replace(experiment.preset.ppo, iterations=1, episodes=sample.tasks)
        tasks = TaskLists(experiment.environment, replace(experiment.preset, ppo=ppo)).trained
        if (n_different := len({task.id for task in tasks})) < sample.tasks:
            raise ValueError(
                f"{experiment.run.path}: asked for {sample.tasks} training tasks, it has {n_different}"
            )
        experiment.models[key] = tasks
    return list(experiment.models[key])


def measure_tasks(experiment: Experiment, sample: Sample) -> list[WorkerTask]:
    """The worker tasks that play and measure what is missing."""
    return [
        WorkerTask(f"play {i + 1}/{len(sample.chunks)}", measure_chunk, (experiment.source, sample, i))
        for i in range(len(sample.chunks))
        if (_chunk(experiment, sample, i).facts() or {}).get("branches", 0) < sample.branches
    ]


def measure_chunk(source: ExperimentSource, sample: Sample, index: int, *, report: Report) -> None:
    """Play a chunk's episodes and continue from each of their steps."""
    experiment = source.open()
    tasks = [tasks_of(experiment, sample)[i] for i in sample.chunks[index]]
    specs = [
        EpisodeSpec(f"gradient/{sample.policy}/{task.id}/{m}", task, seed.randrange(2**31))
        for task in tasks
        for m in range(sample.group)
        for seed in [experiment.rng(f"gradient/{task.id}/{m}")]
    ]
    policy = experiment.player(sample.policy)
    episodes = rollout(policy, experiment.environment, specs, _rollout_config(experiment))
    trajectories = [episode.trajectory for episode in episodes]
    _outcomes(experiment, sample, trajectories, tasks, lambda share: report(share, {}))
    facts = {
        "branches": sample.branches,
        "trajectories": [encode_trajectory(trajectory) for trajectory in trajectories],
        "rows": [asdict(episode.row) for episode in episodes],
        "logprobs": [list(episode.logprobs) for episode in episodes],
    }
    with _chunk(experiment, sample, index).saving(facts):
        pass


def load_episodes(experiment: Experiment, sample: Sample) -> Collected:
    """All played episodes; group g plays task g."""
    episodes: list[Episode] = []
    for i in range(len(sample.chunks)):
        facts = _chunk(experiment, sample, i).facts()
        assert facts is not None, f"chunk {i} was not played"
        for record, row, logprobs in zip(
            facts["trajectories"], facts["rows"], facts["logprobs"], strict=True
        ):
            tokens = TokenRow(row["trajectory_id"], tuple(row["ids"]), tuple(row["step"]))
            episodes.append(Episode(decode_trajectory(record), tokens, tuple(logprobs)))
    group = [i // sample.group for i in range(len(episodes))]
    return Collected(episodes, group, tasks_of(experiment, sample))


def load_outcomes(experiment: Experiment, sample: Sample, collected: Collected) -> list[BranchOutcomes]:
    """The first N continuations of every history of every episode."""
    trajectories = [episode.trajectory for episode in collected.episodes]
    outcomes = _outcomes(experiment, sample, trajectories, tasks_of(experiment, sample))
    return [entry.subset(0, sample.branches) for entry in outcomes]


def _outcomes(
    experiment: Experiment,
    sample: Sample,
    trajectories: Sequence[Trajectory],
    tasks: Sequence[Task],
    on_progress: Callable[[float], object] = lambda share: None,
) -> list[BranchOutcomes]:
    return branch_outcomes(
        experiment.player(sample.policy), experiment.environment, trajectories, tasks,
        _rollout_config(experiment).of_continuations(), branches=sample.branches,
        rng=experiment.rng("gradient-truth"), folder=experiment.run.outcomes / f"gradient-{sample.policy}",
        on_progress=on_progress,
    )  # fmt: skip


def save_advantage(source: ExperimentSource, sample: Sample, name: str, *, report: Report) -> None:
    """One advantage of all episodes → its file in `checkpoints/`."""
    experiment = source.open()
    collected = load_episodes(experiment, sample)
    made = advantage_of(experiment, name, collected, policy=sample.policy, report=report)
    with _advantage_file(experiment, sample, name).saving({"name": name}) as folder, disk_refusals():
        arrays = {
            "advantage": np.concatenate(made.advantage),
            "coefficient": np.concatenate(made.coefficient),
        }
        save_file(arrays, folder / _TENSORS)


def advantage_tasks(experiment: Experiment, sample: Sample, names: Sequence[str]) -> list[WorkerTask]:
    """The worker tasks that make the advantages that are missing, and those whose code or file may be new."""
    return [
        WorkerTask(f"advantage {name}", save_advantage, (experiment.source, sample, name))
        for name in names
        if not is_built_in(name) or _advantage_file(experiment, sample, name).facts() is None
    ]


def load_advantage(
    experiment: Experiment, sample: Sample, name: str, collected: Collected
) -> dict[str, list[FloatArray]]:
    """The fields of an `Advantage` by name: (L,) of each episode."""
    folder = _advantage_file(experiment, sample, name).folder
    assert folder is not None, f"advantage {name} was not made"
    ends = np.cumsum([len(episode.row.ids) for episode in collected.episodes])[:-1]
    return {key: np.split(array, ends) for key, array in load_file(folder / _TENSORS).items()}


def gradient_tasks(experiment: Experiment, sample: Sample, names: Sequence[str]) -> list[WorkerTask]:
    """The worker tasks that compute the gradients that are missing."""
    return [
        WorkerTask(
            f"gradients {i + 1}/{len(sample.chunks)}", save_gradients, (experiment.source, sample, i, names)
        )
        for i in range(len(sample.chunks))
        if _gradient_file(experiment, sample, i, names).facts() is None
    ]


def save_gradients(
    source: ExperimentSource, sample: Sample, index: int, names: Sequence[str], *, report: Report
) -> None:
    """Gradients of a chunk's episodes with all advantages and both halves of the progress."""
    experiment = source.open()
    policy = experiment.policy(sample.policy)
    add_adapters(experiment, policy, experiment.rng("gradient-adapters"))
    collected, temperature = load_episodes(experiment, sample), experiment.preset.ppo.temperature
    here = [i for i, group in enumerate(collected.group) if group in sample.chunks[index]]
    coefficients = dict(zip(here, _coefficients(experiment, sample, names, collected, here), strict=True))
    few = random.Random(0).sample(
        range(len(collected.episodes)), min(METRIC_EPISODES, len(collected.episodes))
    )
    weights = metric_weights(
        policy, [collected.episodes[i] for i in few], temperature=temperature, rng=random.Random(0)
    )
    sketch = make_sketch(n_coordinates(policy), SKETCH, seed=experiment.seed)
    products, means = [], []
    for done, task in enumerate(sample.chunks[index], 1):
        chosen = [i for i in here if collected.group[i] == task]
        product, mean = group_gradients(
            policy,
            [collected.episodes[i] for i in chosen],
            [coefficients[i] for i in chosen],
            weights,
            sketch,
            temperature=temperature,
        )
        products.append(product)
        means.append(mean)
        report(done / len(sample.chunks[index]), {})
    with _gradient_file(experiment, sample, index, names).saving({"names": list(names)}) as folder:
        with disk_refusals():
            save_file({"products": np.stack(products), "means": np.stack(means)}, folder / _TENSORS)


def load_gradients(experiment: Experiment, sample: Sample, names: Sequence[str]) -> TaskGradients:
    """The gradients of all tasks."""
    arrays: dict[str, list[np.ndarray]] = {"products": [], "means": []}
    for i in range(len(sample.chunks)):
        folder = _gradient_file(experiment, sample, i, names).folder
        assert folder is not None, f"gradients of chunk {i} were not computed"
        for key, array in load_file(folder / _TENSORS).items():
            arrays[key].append(array)
    joined = {key: np.concatenate(parts) for key, parts in arrays.items()}
    return TaskGradients([*names, FIRST, SECOND], joined["products"], joined["means"])


def halves(outcomes: BranchOutcomes, branches: int) -> tuple[FloatArray, FloatArray]:
    """(T,) progress by the first and by the second half of the continuations."""
    half = branches // 2
    return outcomes.subset(0, half).progress, outcomes.subset(half, 2 * half).progress


def _coefficients(
    experiment: Experiment, sample: Sample, names: Sequence[str], collected: Collected, chosen: Sequence[int]
) -> list[FloatArray]:
    """(K, L) of each chosen episode: the advantages, then both halves of the progress."""
    rows = [load_advantage(experiment, sample, name, collected)["coefficient"] for name in names]
    measured = load_outcomes(experiment, sample, collected.select(chosen))
    stacked = []
    for i, outcomes in zip(chosen, measured, strict=True):
        step = steps_of(collected.episodes[i])
        truth = [on_tokens(progress, step) for progress in halves(outcomes, sample.branches)]
        stacked.append(np.stack([*(row[i] for row in rows), *truth]))
    return stacked


def _rollout_config(experiment: Experiment) -> RolloutConfig:
    """As in training."""
    return replace(experiment.preset.explore_rollout, temperature=experiment.preset.ppo.temperature)


def _file(experiment: Experiment, sample: Sample, kind: str, key: Mapping[str, object]) -> Checkpoint:
    """A file of this policy, whose name identifies what it was made from."""
    settings = {"seed": experiment.seed, **asdict(_rollout_config(experiment)), "group": sample.group}
    name = digest(json.dumps(settings | dict(key), sort_keys=True))
    return experiment.run.checkpoint(f"gradient-{sample.policy}-{kind}-{name}")


def _chunk(experiment: Experiment, sample: Sample, index: int) -> Checkpoint:
    tasks = tasks_of(experiment, sample)
    return _file(experiment, sample, "episodes", {"tasks": [tasks[i].id for i in sample.chunks[index]]})


def _advantage_file(experiment: Experiment, sample: Sample, name: str) -> Checkpoint:
    """Depends on all episodes: critics are fitted to them."""
    return _file(experiment, sample, "advantage", {"tasks": sample.tasks, "name": name})


def _gradient_file(experiment: Experiment, sample: Sample, index: int, names: Sequence[str]) -> Checkpoint:
    key = {"tasks": sample.tasks, "names": list(names), "branches": sample.branches, "chunk": index}
    # the name of an advantage from outside the package says nothing of its numbers
    own = {name: _numbers(experiment, sample, name) for name in names if not is_built_in(name)}
    return _file(experiment, sample, "gradients", {**key, "own": own} if own else key)


def _numbers(experiment: Experiment, sample: Sample, name: str) -> str:
    """Identifies the numbers of an advantage that was made."""
    folder = _advantage_file(experiment, sample, name).folder
    assert folder is not None, f"advantage {name} was not made"
    return hashlib.sha256((folder / _TENSORS).read_bytes()).hexdigest()

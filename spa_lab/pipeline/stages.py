"""The stages, each a function from an experiment to more files in its run; executed in worker processes.

A stage's random numbers come from the run's seed and the purpose that they serve, so its result does not
depend on which process executes it, or when; all training methods draw from the same streams. Long stages
save their progress: a killed stage loses one wave of episodes, one epoch or one iteration, and the resumed
one ends with the same bits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from spa_lab.agent.lora import add_lora, has_lora
from spa_lab.agent.models import save_policy
from spa_lab.agent.player import Player
from spa_lab.agent.processes import processes
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Demonstration, Environment
from spa_lab.learn.cloning import clone
from spa_lab.learn.estimator import fit_estimator, save_estimator
from spa_lab.learn.method import TrainingInputs, TrainingMethod
from spa_lab.pipeline.checkpoints import TrainingCheckpoint
from spa_lab.pipeline.evaluations import BASE, CLONED, task_records
from spa_lab.pipeline.experiment import ESTIMATOR, Experiment, ExperimentSource
from spa_lab.pipeline.parallel import Report
from spa_lab.pipeline.sampled_tokens import merge_waves, remove_waves, rows_of, save_wave
from spa_lab.store import Run
from spa_lab.store.checkpoint import Shards

LIVE_METRICS_SECONDS = 2.0
"""Seconds between two savings of the metrics of a running stage, for `view.widgets.Monitor`."""
SMOOTHED_UPDATES = 20
"""Updates over which a progress bar's numbers are averaged."""
CHECKPOINTS = ("clone", "explore", "estimate", "ppo-", "eval-")
"""Beginnings of the names of checkpoints and shards that stages leave while they are at work."""

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """What a training stage tells the process that writes run.json."""

    earlier_seconds: float
    """Wall time of interrupted attempts that this one continued."""
    device: str | None = None
    """Where the model was, as far as it is noted."""


def clone_stage(source: ExperimentSource, *, report: Report) -> Trained:
    """Stage 1: base → `models/cloned`.

    Without demonstrations nothing is cloned, and `models/cloned` is the base.
    """
    experiment = source.open()
    run, preset = experiment.run, experiment.preset
    rng = experiment.rng("clone")
    policy = experiment.policy(BASE)
    add_adapters(experiment, policy, rng)
    history: list[Metrics] = []
    checkpoint = TrainingCheckpoint(run.checkpoint("clone"), history)
    if demonstrations := experiment.demonstrations(rng):
        clone(
            policy,
            demonstrations,
            preset.clone,
            rng=rng,
            on_update=_metric_logger(run, "clone", history, report, "loss", "accuracy"),
            checkpoint=checkpoint,
        )
    run.save_metrics("clone", history)
    _save_model(run, CLONED, partial(save_policy, policy))
    checkpoint.remove()
    return Trained(checkpoint.earlier_seconds, str(policy.model.device))


def cloned_demonstrations(experiment: Experiment) -> list[Demonstration]:
    """The very demonstrations of stage 1: its random numbers are drawn again."""
    rng = experiment.rng("clone")
    if experiment.preset.lora_rank is not None:
        rng.randrange(2**31)  # the seed of the adapters
    return experiment.demonstrations(rng)


def add_adapters(experiment: Experiment, policy: Policy, rng: Any) -> None:
    """Give the policy LoRA adapters if the preset trains those instead of all weights."""
    if experiment.preset.lora_rank is not None:
        add_lora(policy.model, rank=experiment.preset.lora_rank, seed=rng.randrange(2**31))


def explore_specs(experiment: Experiment) -> list[EpisodeSpec]:
    """The episodes of stage 2, in the order in which their waves are numbered."""
    rng = experiment.rng("explore")
    return [
        EpisodeSpec(f"explore/{task.id}/{m}", task, rng.randrange(2**31))
        for task in experiment.explore_tasks
        for m in range(experiment.preset.rollouts_per_task)
    ]


def explore_stage(source: ExperimentSource, waves: Sequence[int], *, report: Report) -> None:
    """Stage 2, some of its waves: the cloned policy's own trajectories → a shard for each wave."""
    experiment = source.open()
    run = experiment.run

    def keep_tokens(wave: int, episodes: Sequence[Episode]) -> None:
        if experiment.preset.keep_tokens:
            save_wave(run, wave, [episode.row for episode in episodes])

    play_waves(
        experiment.player(CLONED),
        experiment.environment,
        explore_specs(experiment),
        experiment.preset.explore_rollout,
        run.shards("explore"),
        waves,
        report,
        before_saving=keep_tokens,
    )


def save_explorations(experiment: Experiment) -> None:
    """The shards of stage 2 → `trajectories/explore`, in the world's own order of tasks.

    The last tasks are held out: sorted by id, those would be the last task types of an official benchmark.
    """
    run, shards = experiment.run, experiment.run.shards("explore")
    if experiment.preset.keep_tokens:
        merge_waves(run)
    explored = {trajectory.id: trajectory for i in shards.indices() for trajectory in shards.load(i)}
    run.save_tasks("train", task_records(experiment.explore_tasks))
    trajectories = [explored[spec.id] for spec in explore_specs(experiment)]
    run.save_trajectories("explore", trajectories, role="explored", policy=CLONED, panel="train")
    shards.remove()
    remove_waves(run)


def n_waves(specs: Sequence[EpisodeSpec], config: RolloutConfig) -> int:
    """Number of waves of `config.parallel` episodes."""
    return -(-len(specs) // config.parallel)


def play_waves(
    policy: Player,
    environment: Environment,
    specs: Sequence[EpisodeSpec],
    config: RolloutConfig,
    shards: Shards,
    waves: Sequence[int],
    report: Report,
    *,
    before_saving: Callable[[int, Sequence[Episode]], object] = lambda wave, episodes: None,
) -> None:
    """Play waves of episodes and save each as a shard as soon as it is finished.

    A wave is played side by side, so the result does not depend on which process plays which waves. Processes
    that work together play a wave each; the main one saves them.

    Args:
        policy: the one that plays.
        environment: its world.
        specs: all episodes; wave i holds those from i * config.parallel on.
        config: temperature, limits, width of a wave.
        shards: where the waves are saved.
        waves: indices of those to play.
        report: called with the finished share.
        before_saving: called with each wave's index and episodes; a wave whose shard is there was passed on.
    """
    total, done, team = len(waves), 0, processes()
    while done < total:
        at_once = waves[done : done + team.size]
        played = []
        for wave in team.share(at_once):
            start = wave * config.parallel
            played.append(rollout(policy, environment, specs[start : start + config.parallel], config))
        for wave, episodes in zip(at_once, team.gather(played), strict=True):
            if team.is_main:
                before_saving(wave, episodes)
                shards.save(wave, [episode.trajectory for episode in episodes])
        done += len(at_once)
        report(done / total, {})


def estimate_stage(source: ExperimentSource, *, report: Report) -> Trained:
    """Stage 3: explorations → `models/estimator`, and its credit on tasks that it was not fitted to."""
    experiment = source.open()
    run, explored = experiment.run, experiment.explored
    history: list[Metrics] = []
    checkpoint = TrainingCheckpoint(run.checkpoint("estimate"), history)
    estimator = fit_estimator(
        experiment.policy(CLONED),
        explored.fitted,
        experiment.preset.estimator,
        rng=experiment.rng("estimate"),
        on_update=_metric_logger(run, "estimate", history, report, "loss", "share_on_last_step"),
        checkpoint=checkpoint,
        rows=rows_of(run, explored.fitted),
    )
    run.save_metrics("estimate", history)
    credits = estimator.credit(explored.held_out, rows=rows_of(run, explored.held_out))
    run.save_credits("held-out-spa", credits, role="held_out")
    _save_model(run, ESTIMATOR, partial(save_estimator, estimator))
    checkpoint.remove()
    return Trained(checkpoint.earlier_seconds)


def training_inputs(experiment: Experiment, method: TrainingMethod) -> TrainingInputs:
    """What a training method receives: a fresh copy of the cloned policy, and what its `needs` name."""
    policy = experiment.policy(CLONED)
    if not has_lora(policy.model):
        add_adapters(experiment, policy, experiment.rng("adapters"))
    explored = experiment.explored.fitted if "explored" in method.needs else ()
    return TrainingInputs(
        policy,
        experiment.environment,
        experiment.preset,
        experiment.rng("training"),
        explored=explored,
        explored_rows=rows_of(experiment.run, explored) if explored else None,
        estimator=experiment.estimator() if "estimator" in method.needs else None,
        demonstrations=cloned_demonstrations(experiment) if "demonstrations" in method.needs else (),
        seed=experiment.seed,
    )


def train_stage(source: ExperimentSource, method: TrainingMethod, *, report: Report) -> Trained:
    """Stage 4: cloned → `models/<method>`, one checkpoint per iteration."""
    experiment = source.open()
    run, ppo, name = experiment.run, experiment.preset.ppo, method.name
    learner = method.make(training_inputs(experiment, method))
    history: list[Metrics] = []
    checkpoint = TrainingCheckpoint(run.checkpoint(f"ppo-{name}"), history)
    state = checkpoint.load()
    if state is not None:
        learner.load_state(state)
    tasks = experiment.training_tasks
    for i in range(len(history), ppo.iterations):
        history.append(learner.iterate(tasks[i * ppo.episodes : (i + 1) * ppo.episodes]))
        checkpoint.save(learner.state())
        run.save_metrics(f"ppo-{name}", history, stage="ppo", method=name)  # at once, for the monitor
        report((i + 1) / ppo.iterations, _numbers(history[-1], "success", "grounding", "kl"))
    run.save_metrics(f"ppo-{name}", history, stage="ppo", method=name)
    _save_model(run, name, partial(save_policy, learner.policy))
    checkpoint.remove()
    return Trained(checkpoint.earlier_seconds)


def evaluate_stage(source: ExperimentSource, policy: str, panel: str, *, report: Report) -> None:
    """Stage 5: a policy on a panel → `trajectories/eval-<policy>-<panel>`, and the panel's tasks."""
    experiment = source.open()
    run, config = experiment.run, experiment.preset.evaluate_rollout
    tasks = experiment.environment.tasks(panel, experiment.panels[panel])
    specs = [EpisodeSpec(f"{policy}/{task.id}", task, i) for i, task in enumerate(tasks)]
    name = evaluation_name(policy, panel)
    shards = run.shards(name)
    missing = sorted(set(range(n_waves(specs, config))) - set(shards.indices()))
    play_waves(experiment.player(policy), experiment.environment, specs, config, shards, missing, report)
    if not processes().is_main:
        return
    played = [trajectory for wave in range(n_waves(specs, config)) for trajectory in shards.load(wave)]
    run.save_tasks(panel, task_records(tasks))
    run.save_trajectories(name, played, role="evaluation", policy=policy, panel=panel)
    shards.remove()


def credit_stage(source: ExperimentSource, policy: str, panel: str, *, report: Report) -> None:
    """Stage 5: the estimator's credit of a policy's episodes → `credits/eval-<policy>-<panel>`.

    It shows in the inspector, step by step, what the estimator pays each policy, and gives the report its
    counts of gaming.
    """
    experiment = source.open()
    name = evaluation_name(policy, panel)
    credits = experiment.estimator().credit(experiment.run.load_trajectories(name))
    experiment.run.save_credits(name, credits, role="evaluation")


def _save_model(run: Run, name: str, save: Callable[[Path], object]) -> None:
    """A model → `models/<name>`; of processes that work together all have it, and the main one saves it."""
    if processes().is_main:
        with run.saving_model(name) as target:
            save(target)


def evaluation_name(policy: str, panel: str) -> str:
    """Name of the trajectories of a policy on a panel."""
    return f"eval-{policy}-{panel}"


def _metric_logger(
    run: Run, stage: str, history: list[Metrics], report: Report, *names: str
) -> Callable[[Metrics], None]:
    """Keeps and regularly saves the metrics of every update, and reports those of `names` smoothed."""
    saved = perf_counter()

    def log(metrics: Metrics) -> None:
        nonlocal saved
        history.append(metrics)
        if perf_counter() - saved > LIVE_METRICS_SECONDS:
            run.save_metrics(stage, history)
            saved = perf_counter()
        recent = history[-SMOOTHED_UPDATES:]
        means = {name: float(np.mean([_numbers(row, name)[name] for row in recent])) for name in names}
        report(metrics["progress"], means)

    return log


def _numbers(metrics: Metrics, *names: str) -> dict[str, float]:
    """Some of the metrics; NaN where one is missing or undefined."""
    values = {name: metrics.get(name) for name in names}
    return {name: float("nan") if value is None else float(value) for name, value in values.items()}

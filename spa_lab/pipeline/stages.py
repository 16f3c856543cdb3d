"""The stages, each a function from a run folder to more files in it.

A stage's random numbers come from the run's seed and the stage's name, so it does the same whether or
not earlier stages were done by the same process.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np
import torch

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.agent.lora import add_lora
from spa_lab.agent.models import load_policy, save_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.presets import EMBEDDED, Preset
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.credit.methods import Cost, critic_td
from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.cloning import clone
from spa_lab.learn.ensemble_critic import EnsembleCritic, EnsembleCriticConfig, fit_ensemble_critic
from spa_lab.learn.estimator import ProgressEstimator, fit_estimator, load_estimator, save_estimator
from spa_lab.learn.ppo import PPOTrainer, RewardFunction
from spa_lab.paths import base_folder
from spa_lab.pipeline.parallel import Report
from spa_lab.store import Run, TaskRecord
from spa_lab.types import Credit, FloatArray, Trajectory

WATCHED_EVERY = 2.0
"""Seconds between two savings of the metrics of a stage at work, for `view.widgets.Monitor`."""
SMOOTHED_OVER = 20
"""Updates over which a progress bar's numbers are averaged."""


class ReadCredit(Protocol):
    """Credit by a model that reads."""

    def __call__(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        """N trajectories, and the tokens that they were really written as → N credits."""


def stage_rng(run: Run, stage: str) -> random.Random:
    """The stage's own random numbers."""
    return random.Random(f"{run.seed}/{stage}")


def base_policy(preset: Preset, environment: Environment) -> Policy:
    """The model that the run starts from."""
    source: str | Path = preset.base
    if preset.base == EMBEDDED:
        source = base_folder(environment.name)
    return load_policy(source, name="base", **_load_kwargs(preset, environment))


def saved_policy(run: Run, name: str, preset: Preset, environment: Environment) -> Policy:
    """A policy that an earlier stage left in the run."""
    return load_policy(run.model(name), name=name, **_load_kwargs(preset, environment))


def saved_estimator(run: Run, preset: Preset, environment: Environment) -> ProgressEstimator:
    """The estimator that an earlier stage left in the run."""
    return load_estimator(run.model("estimator"), preset.estimator, **_load_kwargs(preset, environment))


def _load_kwargs(preset: Preset, environment: Environment) -> dict[str, str]:
    """What the models of this preset are told before the first observation, and where they are."""
    return {"manual": environment.manual if preset.use_manual else "", "device": device_of(preset)}


def device_of(preset: Preset) -> str:
    """The torch device of this preset's models on this machine."""
    found = torch.accelerator.current_accelerator(check_available=True) if preset.device == "auto" else None
    return str(found or "cpu")


def adapt(policy: Policy, preset: Preset, rng: random.Random) -> None:
    """Give the policy adapters if the preset trains those instead of all weights."""
    if preset.lora_rank is not None:
        add_lora(policy.model, rank=preset.lora_rank, seed=rng.randrange(2**31))


def _metric_logger(
    run: Run, stage: str, history: list[dict[str, float]], report: Report, *names: str
) -> Callable[[dict[str, float]], None]:
    """Keeps the metrics of every update, reports those of `names` smoothed, and lets others watch."""
    saved = perf_counter()

    def note(metrics: dict[str, float]) -> None:
        nonlocal saved
        history.append(metrics)
        if perf_counter() - saved > WATCHED_EVERY:
            run.save_metrics(stage, history)
            saved = perf_counter()
        recent = history[-SMOOTHED_OVER:]
        report(metrics["progress"], {name: float(np.mean([row[name] for row in recent])) for name in names})

    return note


def demonstrations(environment: Environment, preset: Preset, rng: random.Random) -> list[Demonstration]:
    """The expert's episodes that a preset clones."""
    tasks = environment.tasks("train", preset.demonstrations)
    return [demonstrate(environment, task, mistakes=preset.mistake_rate, rng=rng) for task in tasks]


def clone_stage(folder: Path, env: str, preset: Preset, *, report: Report) -> None:
    """Stage 1: base → `models/cloned`."""
    run, environment = Run.open(folder), make_environment(env)
    rng = stage_rng(run, "clone")
    policy = base_policy(preset, environment)
    run.note(device=str(policy.model.device))
    adapt(policy, preset, rng)
    history: list[dict[str, float]] = []
    note = _metric_logger(run, "clone", history, report, "loss", "accuracy")
    clone(policy, demonstrations(environment, preset, rng), preset.clone, rng=rng, on_update=note)
    run.save_metrics("clone", history)
    with run.saving_model("cloned") as target:
        save_policy(policy, target)


def explore_tasks(environment: Environment, preset: Preset) -> Sequence[Task]:
    """Training tasks to explore: those after the demonstrated ones."""
    return environment.tasks("train", preset.demonstrations + preset.explore_tasks)[preset.demonstrations :]


def explore_stage(
    folder: Path, env: str, preset: Preset, part: int, parts: int, *, report: Report
) -> list[Trajectory]:
    """Stage 2, one of `parts` shares: the cloned policy's own trajectories, without demonstrations.

    Shares are whole waves of episodes, so the result does not depend on how many processes share them.
    """
    run, environment = Run.open(folder), make_environment(env)
    rng = stage_rng(run, "explore")
    run.save_tasks("train", task_records(explore_tasks(environment, preset)))
    jobs = [
        EpisodeSpec(f"explore/{task.id}/{m}", task, rng.randrange(2**31))
        for task in explore_tasks(environment, preset)
        for m in range(preset.rollouts_per_task)
    ]
    policy = saved_policy(run, "cloned", preset, environment)
    return played(
        policy,
        environment,
        share_of(jobs, part, parts, preset.explore_rollout.parallel),
        preset.explore_rollout,
        report,
    )


def share_of(jobs: Sequence[EpisodeSpec], part: int, parts: int, wave: int) -> list[EpisodeSpec]:
    """Every `parts`-th wave of jobs, beginning with wave `part`."""
    waves = [jobs[start : start + wave] for start in range(0, len(jobs), wave)]
    return [job for one in waves[part::parts] for job in one]


def played(
    policy: Policy,
    environment: Environment,
    jobs: Sequence[EpisodeSpec],
    config: RolloutConfig,
    report: Report,
) -> list[Trajectory]:
    """The trajectories of `jobs`, with progress."""
    done = 0

    def note(n: int) -> None:
        nonlocal done
        done += n
        report(done / len(jobs), {})

    return [episode.trajectory for episode in rollout(policy, environment, jobs, config, on_episodes=note)]


def estimate_stage(folder: Path, env: str, preset: Preset, *, report: Report) -> None:
    """Stage 3: D_explore → `models/estimator`, and its credits on tasks that it never saw."""
    run, environment = Run.open(folder), make_environment(env)
    fitted, held_out = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
    policy = saved_policy(run, "cloned", preset, environment)
    history: list[dict[str, float]] = []
    note = _metric_logger(run, "estimate", history, report, "loss", "share_on_last_step")
    estimator = fit_estimator(
        policy, fitted, preset.estimator, rng=stage_rng(run, "estimate"), on_update=note
    )
    run.save_metrics("estimate", history)
    run.save_credits("held-out-spa", estimator.credit(held_out), role="held_out")
    with run.saving_model("estimator") as target:
        save_estimator(estimator, target)


def split_by_task(
    trajectories: Sequence[Trajectory], held_out: float
) -> tuple[list[Trajectory], list[Trajectory]]:
    """(fitted, held out): the last tasks, in order of appearance, are held out, at least one on each side.

    Raises:
        ValueError: there are less than two tasks.
    """
    tasks = list(dict.fromkeys(trajectory.task_id for trajectory in trajectories))
    if len(tasks) < 2:
        raise ValueError(f"needs trajectories of at least 2 tasks to hold some out, got {len(tasks)}")
    n_fitted = min(max(1, round(len(tasks) * (1 - held_out))), len(tasks) - 1)
    fitted = set(tasks[:n_fitted])
    return (
        [trajectory for trajectory in trajectories if trajectory.task_id in fitted],
        [trajectory for trajectory in trajectories if trajectory.task_id not in fitted],
    )


def ppo_stage(folder: Path, env: str, preset: Preset, method: str, *, report: Report) -> None:
    """Stage 4: cloned → `models/<method>` by PPO on that method's step rewards."""
    run, environment = Run.open(folder), make_environment(env)
    rng = stage_rng(run, f"ppo-{method}")
    policy = saved_policy(run, "cloned", preset, environment)
    adapt(policy, preset, rng)
    reward = saved_reward(run, method, preset, environment, rng)
    trainer = PPOTrainer(policy, preset.ppo, rng=rng, playing=preset.explore_rollout)
    first = preset.demonstrations + preset.explore_tasks
    tasks = environment.tasks("train", first + preset.ppo.iterations * preset.ppo.episodes)[first:]
    history: list[dict[str, float]] = []
    for i in range(preset.ppo.iterations):
        own = tasks[i * preset.ppo.episodes : (i + 1) * preset.ppo.episodes]
        history.append(trainer.iterate(environment, own, reward))
        run.save_metrics(f"ppo-{method}", history, stage="ppo", method=method)  # at once, for the monitor
        shown = {name: history[-1][name] for name in ("success", "grounding", "kl")}
        report((i + 1) / preset.ppo.iterations, shown)
    with run.saving_model(method) as target:
        save_policy(policy, target)


def saved_reward(
    run: Run, method: str, preset: Preset, environment: Environment, rng: random.Random
) -> RewardFunction:
    """What PPO is paid for by a method, with what earlier stages left in the run for it."""
    read: ReadCredit | None = None
    if method == "spa":
        read = saved_estimator(run, preset, environment).credit
    elif method == "critic":
        fitted, _ = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
        policy = saved_policy(run, "cloned", preset, environment)
        read = critic_credit(fitted_critic(run, policy, fitted))
    return reward_function(method, preset, read, np.random.default_rng(rng.randrange(2**31)))


def fitted_critic(
    run: Run,
    policy: Policy,
    fitted: Sequence[Trajectory],
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
) -> EnsembleCritic:
    """A critic on the cloned policy's features, fitted to its trajectories in seconds; the same each time."""
    config = EnsembleCriticConfig(heads=min(5, len({one.task_id for one in fitted})))
    return fit_ensemble_critic(policy, fitted, config, rng=stage_rng(run, "critic"), on_update=on_update)


def critic_credit(heads: EnsembleCritic) -> ReadCredit:
    """TD errors of the heads: what a step changed in the outcome that the cloned policy may expect."""

    def read(trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None) -> list[Credit]:
        return critic_td(partial(heads.values, rows=rows), fitting=Cost(), source="critic")(trajectories)

    return read


def reward_function(
    method: str, preset: Preset, read: ReadCredit | None, rng: np.random.Generator
) -> RewardFunction:
    """What PPO is paid for: "ppo" the bare outcome, all others their credit fused with grounding.

    Args:
        method: member of `METHODS`, not "sft".
        preset: how credit and grounding are fused.
        read: credit by a model that reads, for the methods that have one.
        rng: of random credit.
    """

    def reward(episodes: Sequence[Episode]) -> list[FloatArray]:
        trajectories = [episode.trajectory for episode in episodes]
        if method == "ppo":
            return [rewards.terminal(trajectory).contributions for trajectory in trajectories]
        if method == "mean":
            credits = [rewards.mean(trajectory) for trajectory in trajectories]
        elif method == "random":
            credits = [rewards.random(trajectory, rng=rng) for trajectory in trajectories]
        else:
            assert read is not None
            credits = read(trajectories, rows=[episode.row for episode in episodes])
        return [
            rewards.fuse(one, credit, preset.reward)
            for one, credit in zip(trajectories, credits, strict=True)
        ]

    return reward


def evaluate_stage(
    folder: Path, env: str, preset: Preset, policy_name: str, split: str, *, report: Report
) -> None:
    """Stage 5: a policy on a panel → `trajectories/eval-<policy>-<split>`."""
    run, environment = Run.open(folder), make_environment(env)
    is_base = policy_name == "base"
    policy = (
        base_policy(preset, environment) if is_base else saved_policy(run, policy_name, preset, environment)
    )
    n = preset.evaluation_tasks if split == "unseen" else preset.by_length_tasks
    tasks = environment.tasks(split, n)
    jobs = [EpisodeSpec(f"{policy_name}/{task.id}", task, i) for i, task in enumerate(tasks)]
    run.save_tasks(split, task_records(tasks))
    run.save_trajectories(
        f"eval-{policy_name}-{split}", played(policy, environment, jobs, preset.evaluate_rollout, report),
        role="evaluation", policy=policy_name, panel=split,
    )  # fmt: skip


def task_records(tasks: Sequence[Task]) -> list[TaskRecord]:
    """What the run keeps of tasks that are played in it."""
    return [
        TaskRecord(task.id, task.kind, task.split, task.instruction, task.expert_length) for task in tasks
    ]

"""From a preset to a finished run: which stages, in which order, side by side where they can be."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, get_args

from spa_lab.configs.presets import METHODS, Preset
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline import stages
from spa_lab.pipeline.parallel import WorkerPool, WorkerTask
from spa_lab.pipeline.report import write_report
from spa_lab.store import Run, writing

UNSEEN, BY_LENGTH = "unseen", "unseen_by_length"
Stage = Literal["clone", "explore", "estimate", "ppo", "evaluate", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)


def train(
    out: Path,
    env: str,
    methods: Sequence[str],
    preset: Preset,
    *,
    seed: int,
    workers: int,
    until: Stage = "report",
) -> Run:
    """Everything that `methods` need, each finished part once; a killed run goes on where it stopped.

    Args:
        out: run folder, new or begun with the same settings.
        env: name of the world.
        methods: members of `METHODS`.
        preset: scale.
        seed: of all random numbers.
        workers: processes side by side; the results do not depend on it.
        until: the last stage to do; a later call with the same settings goes on from there.

    Raises:
        ValueError: an unknown world, method or stage, no worker, or a folder that holds another run.
        StoreError: the disk refused, or another command writes into the folder.
        ChildProcessError: a process was killed in the middle of its work.
    """
    _check_known("method", methods, METHODS)
    _check_known("stage", [until], STAGES)
    make_environment(env)
    config = {
        "env": env,
        **make_environment(env).settings,
        "methods": list(methods),
        "preset": asdict(preset),
    }
    learners = [method for method in methods if method != "sft"]
    with writing(out), WorkerPool(workers) as crew:
        run = Run.create(out, config, seed=seed)
        for stage in STAGES[: STAGES.index(until) + 1]:
            if not run.finished(stage) and _needed(stage, learners):
                with run.stage(stage):
                    _do(stage, run, env, preset, learners, crew)
    return run


def _needed(stage: Stage, learners: Sequence[str]) -> bool:
    if stage == "explore":
        return not {"spa", "critic"}.isdisjoint(learners)
    return stage != "estimate" or "spa" in learners


def _check_known(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"no {what} {name!r}; there are: {', '.join(known)}")


def _do(stage: Stage, run: Run, env: str, preset: Preset, learners: Sequence[str], crew: WorkerPool) -> None:
    """Do one stage; parts of it that an interrupted attempt finished are not done again."""
    if stage == "report":
        write_report(run)
    elif stage == "explore":
        _explore(run, env, preset, crew)
    elif stage == "clone":
        crew.run(_clone_jobs(run, env, preset))
    elif stage == "estimate":
        crew.run(_estimate_jobs(run, env, preset))
    elif stage == "ppo":
        crew.run(_ppo_jobs(run, env, preset, learners))
    else:
        crew.run(_evaluations(run, env, preset, learners))


def _clone_jobs(run: Run, env: str, preset: Preset) -> list[WorkerTask]:
    """Stage 1; the base is judged meanwhile."""
    jobs = [] if "cloned" in run.names("models") else [_task(run, "clone", stages.clone_stage, env, preset)]
    return [*jobs, *_evaluation(run, env, preset, "base", UNSEEN)]


def _explore(run: Run, env: str, preset: Preset, crew: WorkerPool) -> None:
    """Stage 2, shared by the workers; the result does not depend on how many there are."""
    parts = [
        _task(run, f"explore {part + 1}/{crew.size}", stages.explore_stage, env, preset, part, crew.size)
        for part in range(crew.size)
    ]
    found = {one.id: one for part in crew.run(parts) for one in part}
    run.save_trajectories("explore", [found[name] for name in sorted(found)], role="explored")


def _estimate_jobs(run: Run, env: str, preset: Preset) -> list[WorkerTask]:
    """Stage 3; the cloned policy is judged meanwhile."""
    done = "estimator" in run.names("models")
    jobs = [] if done else [_task(run, "estimate", stages.estimate_stage, env, preset)]
    return [*jobs, *_evaluation(run, env, preset, "cloned", UNSEEN)]


def _ppo_jobs(run: Run, env: str, preset: Preset, learners: Sequence[str]) -> list[WorkerTask]:
    """Stage 4: one job for each method that is not trained yet."""
    todo = [method for method in learners if method not in run.names("models")]
    return [_task(run, f"ppo: {method}", stages.ppo_stage, env, preset, method) for method in todo]


def _evaluations(run: Run, env: str, preset: Preset, learners: Sequence[str]) -> list[WorkerTask]:
    """Stage 5: every policy on every panel that it has not played yet."""
    splits = (UNSEEN, BY_LENGTH) if preset.by_length_tasks else (UNSEEN,)
    return [
        job
        for split in splits
        for name in ("cloned", *learners)
        for job in _evaluation(run, env, preset, name, split)
    ]


def _evaluation(run: Run, env: str, preset: Preset, policy: str, split: str) -> list[WorkerTask]:
    if f"eval-{policy}-{split}" in run.names("trajectories"):
        return []
    return [_task(run, f"judge {policy}, {split}", stages.evaluate_stage, env, preset, policy, split)]


def _task(run: Run, label: str, stage: object, *arguments: object) -> WorkerTask:
    assert callable(stage)
    return WorkerTask(label, stage, (run.path, *arguments))

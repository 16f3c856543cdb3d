"""From a preset to a finished run: a graph of tasks on worker processes, each done once.

    clone ─┬─ explore ─┬─ estimate ── ppo: spa ── evaluate spa
           │           └─ ppo: methods that need explorations ── evaluate
           ├─ ppo: methods that need neither ── evaluate
           └─ evaluate cloned                       evaluate base

A task starts as soon as the results that it needs exist. Results depend neither on the order nor on the
number of workers.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from spa_lab.agent.models import check_source
from spa_lab.agent.processes import join, launch_size
from spa_lab.configs.checks import SettingError
from spa_lab.configs.presets import EMBEDDED, Preset, changed_settings
from spa_lab.configs.server import ServerConfig
from spa_lab.envs.base import Environment
from spa_lab.envs.worlds import WORLDS, make_environment
from spa_lab.learn.method import TrainingMethod, method_facts
from spa_lab.learn.methods import METHODS, find_method
from spa_lab.learn.settings_read import unread
from spa_lab.pipeline import stages
from spa_lab.pipeline.evaluations import BASE, CLONED
from spa_lab.pipeline.experiment import ESTIMATOR, Experiment, check_can_be_served, check_portable, config_of
from spa_lab.pipeline.launched import LaunchedPool
from spa_lab.pipeline.metrics_feed import MetricsFeed, OnMetrics
from spa_lab.pipeline.parallel import TaskPool, TaskResult, WorkerPool, WorkerTask
from spa_lab.pipeline.report import write_report
from spa_lab.pipeline.sampled_tokens import remove_waves
from spa_lab.pipeline.task_lists import TaskLists
from spa_lab.store import Run, writing

_LOG = logging.getLogger(__name__)
Stage = Literal["clone", "explore", "estimate", "ppo", "evaluate", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)
SFT = "sft"
"""The method without a training stage: the cloned policy is the result."""
Beside = Callable[[Experiment], Sequence[WorkerTask]]
"""A run -> tasks that belong to none of its stages."""
CLONE, ESTIMATE = "clone", "estimate"
"""Labels of tasks that others wait for."""


@dataclass(frozen=True)
class StageTask:
    """A task of the graph, and the stage that it belongs to."""

    stage: Stage
    task: WorkerTask


def train(
    out: Path,
    world: str | Environment,
    methods: Sequence[str | TrainingMethod],
    preset: Preset,
    *,
    seed: int,
    workers: int | WorkerPool,
    until: Stage = "report",
    on_metrics: OnMetrics | None = None,
    server: ServerConfig | None = None,
    beside: Beside | None = None,
    quiet: bool = False,
) -> Run:
    """Do everything that `methods` need; a killed run is resumed where it stopped.

    Args:
        out: run folder, new or started with the same settings.
        world: its name, "package.module:attribute", or an `Environment` that can be sent to worker processes.
        methods: "sft" (cloning only), names of `learn.methods.METHODS`, "package.module:attribute", or
            training methods; in the order of tables.
        preset: scale.
        seed: of all random numbers.
        workers: number of worker processes, or a pool of them that is open. Not read by processes that
            `accelerate launch` has started: they do every task together, and the main one writes.
        until: the last stage to do; a later call with the same settings continues from there.
        on_metrics: called in this process with every row of metrics, a second or so after it was measured,
            and with the result of every evaluation; see `pipeline.metrics_feed`. A row goes through once,
            also when the run is resumed, and rows of an earlier call without it come first. What it raises
            is logged and ends the calls, not the training. A slow one delays the workers.
        server: plays all episodes, with the adapters of each policy; no setting of the run, but noted in it.
        beside: gives further tasks for workers that have nothing else to do; see `after_exploring`.
        quiet: do not log which settings that differ from the preset's none of the methods reads.

    Raises:
        ValueError: an unknown world, method or stage, no worker, a world or method that cannot be sent to
            worker processes, or a folder that holds another run.
        StoreError: the disk refused, or another command writes into the folder.
        ChildProcessError: a process was killed in the middle of its work.
    """
    if until not in STAGES:
        raise ValueError(f"no stage {until!r}; there are: {', '.join(STAGES)}")
    if launch_size() == 1:
        return _train(out, world, methods, preset, seed, workers, until, on_metrics, server, beside, quiet)
    with LaunchedPool(join(cpu=preset.device == "cpu")) as pool:
        if pool.team.is_main:
            return _train(out, world, methods, preset, seed, pool, until, on_metrics, server, beside, quiet)
        pool.follow()
    return Run(out)  # not opened: there is none if the main process refused


def _train(
    out: Path,
    world: str | Environment,
    methods: Sequence[str | TrainingMethod],
    preset: Preset,
    seed: int,
    workers: int | TaskPool,
    until: Stage,
    on_metrics: OnMetrics | None,
    server: ServerConfig | None,
    beside: Beside | None,
    quiet: bool,
) -> Run:
    environment = make_environment(world)
    trained = trained_methods(methods)
    check_can_be_done(environment, world, preset, trained)
    check_can_be_served(preset, server)
    if not quiet:
        _note_unread(environment, preset, trained)
    named = [method if isinstance(method, str) else method.name for method in methods]
    config = config_of(world, environment, named, preset) | method_facts(trained)
    with writing(out), _pool(workers) as pool:
        run = Run.create(out, config, seed=seed)
        run.note(methods=_titles(methods, trained), server=server.root if server else None)
        wanted = _needed_stages(trained, until)
        feed = MetricsFeed(run, on_metrics)
        feed.deliver()  # what an interrupted attempt left
        if not all(run.finished(stage) for stage in wanted):
            experiment = Experiment(run, environment, world=world, server=server)
            _do(experiment, trained, wanted, pool, feed, beside(experiment) if beside else ())
    return run


def prepare(
    out: Path,
    world: str,
    preset: Preset,
    stages: Sequence[Stage],
    *,
    seed: int,
    workers: int | WorkerPool,
    server: ServerConfig | None = None,
) -> Run:
    """Do stages that come before any method, for runs that take their results over; see `train`.

    Args:
        out: run folder.
        world: its name, or "package.module:attribute".
        preset: scale.
        stages: some of "clone", "explore", "estimate", "evaluate", in this order.
        seed: of all random numbers.
        workers: number of worker processes, or a pool of them that is open.
        server: as of `train`.
    """
    environment = make_environment(world)
    check_can_be_done(environment, world, preset, ())
    check_can_be_served(preset, server)
    with writing(out), _pool(workers) as pool:
        run = Run.create(out, config_of(world, environment, (), preset), seed=seed)
        if server is not None:
            run.note(server=server.root)
        if not all(run.finished(stage) for stage in stages):
            feed = MetricsFeed(run, None)
            _do(Experiment(run, environment, world=world, server=server), (), stages, pool, feed)
    return run


def _pool(workers: int | TaskPool) -> AbstractContextManager[TaskPool]:
    return WorkerPool(workers) if isinstance(workers, int) else nullcontext(workers)


def trained_methods(methods: Sequence[str | TrainingMethod]) -> list[TrainingMethod]:
    """The methods that have a training stage, in order.

    Raises:
        ValueError: an unknown method (names those there are), or two of one name.
    """
    trained = [find_method(method) for method in methods if method != SFT]
    names = [method.name for method in trained]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two training methods are called {name!r}")
    return trained


def check_can_be_done(
    environment: Environment, world: str | Environment, preset: Preset, methods: Sequence[TrainingMethod]
) -> None:
    """Raise ValueError for what would fail in a worker process, before anything is written."""
    if isinstance(world, Environment):
        check_portable(f"world {environment.name!r}", world)
    for method in methods:
        check_portable(f"training method {method.name!r}", method)
        try:
            _check_needs(method, preset)
            method.check(preset)
            method.check_world(environment)
        except ValueError as error:
            raise ValueError(f"training method {method.name!r}: {error}") from None
    if environment.make_expert is None and environment.demonstrations is None and preset.demonstrations:
        recordings = WORLDS[environment.name].recordings if environment.name in WORLDS else ""
        hint = f"; {recordings} may name a file of recordings" if recordings else "; set demonstrations to 0"
        raise ValueError(
            f"world {environment.name!r} has neither an expert nor demonstrations to clone{hint}"
        )
    if preset.base != EMBEDDED:
        check_source(preset.base)
    TaskLists(environment, preset).check(trains=bool(methods))


def _note_unread(environment: Environment, preset: Preset, methods: Sequence[TrainingMethod]) -> None:
    """Log the settings without effect on training. No error: other commands read the run's settings, too."""
    changed = changed_settings(preset, environment.name, environment.base)
    for key in unread(changed, methods) if methods else ():
        names = ", ".join(method.name for method in methods)
        _LOG.warning("%s: %s has no effect on training: not read by %s", key, changed[key], names)


def _check_needs(method: TrainingMethod, preset: Preset) -> None:
    """Raise SettingError where the stages before would leave the method too little."""
    if "demonstrations" in method.needs and not preset.demonstrations:
        raise SettingError("demonstrations", "at least 1, which the method learns from", 0)
    if {"explored", "estimator"} & method.needs and preset.explore_tasks < 2:
        raise SettingError("explore_tasks", "at least 2, as some are held out", preset.explore_tasks)


def _titles(methods: Sequence[str | TrainingMethod], trained: Sequence[TrainingMethod]) -> dict[str, str]:
    titles = {SFT: METHODS[SFT].title} if SFT in methods else {}
    return titles | {method.name: method.title for method in trained}


def _needed_stages(methods: Sequence[TrainingMethod], until: Stage) -> list[Stage]:
    """The stages to do, in order."""
    needs = {need for method in methods for need in method.needs} - {"demonstrations"}
    skipped = set() if "estimator" in needs else {"estimate"}
    if not needs:
        skipped.add("explore")
    return [stage for stage in STAGES[: STAGES.index(until) + 1] if stage not in skipped]


def _do(
    experiment: Experiment,
    methods: Sequence[TrainingMethod],
    wanted: Sequence[Stage],
    pool: TaskPool,
    feed: MetricsFeed,
    beside: Sequence[WorkerTask] = (),
) -> None:
    """Do the stages; parts that an interrupted attempt finished are not done again."""
    run = experiment.run
    tasks = list(plan(experiment, methods, wanted, pool.size))
    todo = [entry.task for entry in tasks]
    stage_of = {entry.task.label: entry.stage for entry in tasks}
    waves = {task.label for task in todo if stage_of[task.label] == "explore"}

    def note(result: TaskResult) -> None:
        trained = result.value if isinstance(result.value, stages.Trained) else stages.Trained(0.0)
        if result.label in stage_of:
            seconds = trained.earlier_seconds + result.seconds
            run.record(stage_of.pop(result.label), result.label, seconds)
        if trained.device is not None:
            run.note(device=trained.device)
        waves.discard(result.label)
        finish()
        feed.deliver()

    def finish() -> None:
        """Merge complete explorations and mark every stage of which nothing is left to do, in order."""
        if not waves and "explore" in wanted and "explore" not in run.names("trajectories"):
            stages.save_explorations(experiment)
        for stage in wanted:
            if stage == "report" or stage in stage_of.values():
                return
            if not run.finished(stage):
                run.finish(stage)

    finish()
    pool.run([*todo, *beside], on_result=note, on_progress=feed.look)
    if "report" in wanted:
        # left by a process that was killed between saving a result and removing what it was made of
        run.remove_checkpoints(stages.CHECKPOINTS)
        remove_waves(run)
        if not run.finished("report"):
            with run.stage("report"):
                write_report(experiment)


def plan(
    experiment: Experiment, methods: Sequence[TrainingMethod], wanted: Sequence[Stage], workers: int
) -> Iterable[StageTask]:
    """What is left to do, in the order of preference: tasks that most others wait for come first.

    Args:
        experiment: the run.
        methods: those to train.
        wanted: stages to do.
        workers: explorations are divided among as many tasks.

    Yields:
        The tasks of these stages whose results are not in the run yet.
    """
    run, main = experiment.run, experiment.main_panel
    models = run.names("models")
    if CLONED not in models:
        yield StageTask("clone", WorkerTask(CLONE, stages.clone_stage, (experiment.source,)))
    yield from _evaluation(experiment, BASE, main, "clone", after=())
    explore = list(_explorations(experiment, workers)) if "explore" in wanted else []
    yield from explore
    explored = [entry.task.label for entry in explore]
    if "estimate" in wanted and ESTIMATOR not in models:
        after = frozenset({CLONE, *explored})
        task = WorkerTask(ESTIMATE, stages.estimate_stage, (experiment.source,), after)
        yield StageTask("estimate", task)
    if "ppo" in wanted:
        for method in (method for method in methods if method.name not in models):
            needs = {"explored": explored, "estimator": [*explored, ESTIMATE], "demonstrations": []}
            after = frozenset({CLONE, *(label for need in method.needs for label in needs[need])})
            arguments = (experiment.source, method)
            yield StageTask("ppo", WorkerTask(_ppo(method.name), stages.train_stage, arguments, after))
    if "estimate" in wanted:
        yield from _evaluation(experiment, CLONED, main, "estimate", after=(CLONE,))
    if "evaluate" in wanted:
        for panel in experiment.panels:
            if panel != main or "estimate" not in wanted:
                yield from _evaluation(experiment, CLONED, panel, "evaluate", after=(CLONE,))
            for method in methods:
                trained = (_ppo(method.name),)
                yield from _evaluation(experiment, method.name, panel, "evaluate", after=trained)
        if "estimate" in wanted:
            for policy in (CLONED, *(method.name for method in methods)):
                yield from _credit(experiment, policy, main)


def _ppo(method: str) -> str:
    return f"ppo: {method}"


def _explorations(experiment: Experiment, workers: int) -> Iterable[StageTask]:
    """The waves that are not saved yet, divided among as many tasks as there are workers."""
    if "explore" in experiment.run.names("trajectories"):
        return
    n = stages.n_waves(stages.explore_specs(experiment), experiment.preset.explore_rollout)
    missing = sorted(set(range(n)) - set(experiment.run.shards("explore").indices()))
    for part in range(min(workers, len(missing))):
        arguments = (experiment.source, tuple(missing[part::workers]))
        label, after = _explore(part, workers), frozenset({CLONE})
        yield StageTask("explore", WorkerTask(label, stages.explore_stage, arguments, after))


def _explore(part: int, workers: int) -> str:
    return f"explore {part + 1}/{workers}"


def after_exploring(workers: int) -> frozenset[str]:
    """Labels of the tasks that `beside` must wait for if it reads the cloned policy or its explorations."""
    return frozenset({CLONE, *(_explore(part, workers) for part in range(workers))})


def _evaluation(
    experiment: Experiment, policy: str, panel: str, stage: Stage, *, after: Sequence[str]
) -> Iterable[StageTask]:
    """The evaluation of a policy on a panel, unless it is done."""
    if stages.evaluation_name(policy, panel) not in experiment.run.names("trajectories"):
        label, arguments = _evaluate(policy, panel), (experiment.source, policy, panel)
        yield StageTask(stage, WorkerTask(label, stages.evaluate_stage, arguments, frozenset(after)))


def _credit(experiment: Experiment, policy: str, panel: str) -> Iterable[StageTask]:
    """The estimator's credit of a policy's episodes on a panel, unless it is done."""
    if stages.evaluation_name(policy, panel) not in experiment.run.names("credits"):
        arguments = (experiment.source, policy, panel)
        after = frozenset({ESTIMATE, _evaluate(policy, panel)})
        task = WorkerTask(f"credit {policy}, {panel}", stages.credit_stage, arguments, after)
        yield StageTask("evaluate", task)


def _evaluate(policy: str, panel: str) -> str:
    return f"evaluate {policy}, {panel}"

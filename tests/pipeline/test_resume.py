"""A stage that is interrupted right after it saved its progress ends with the bits of an undisturbed one."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spa_lab.learn.checkpoint import LearnerState
from spa_lab.learn.methods import find_method
from spa_lab.pipeline import checkpoints, stages
from spa_lab.pipeline.checkpoints import TrainingCheckpoint
from spa_lab.pipeline.experiment import Experiment, ExperimentSource
from spa_lab.pipeline.parallel import TaskResult, WorkerTask
from spa_lab.pipeline.train import train
from spa_lab.store import Run
from spa_lab.store.checkpoint import Shards

ROOMS = "tests.examples.rooms:environment"


def _quiet(*progress: object) -> None: ...


def _files(run: Run) -> dict[str, bytes]:
    kinds = ("models", "metrics", "trajectories", "credits", "checkpoints")
    files = [path for kind in kinds for path in sorted((run.path / kind).rglob("*")) if path.is_file()]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in files}


def _interrupted(
    source: ExperimentSource,
    do: Callable[[ExperimentSource], object],
    kind: type,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[int, object]:
    """Repeat a stage, interrupted after each save; returns the number of interruptions and its result."""
    save, interruptions = kind.save, 0

    def save_and_stop(*arguments: object) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    while interruptions < 20:
        with monkeypatch.context() as patch:
            patch.setattr(kind, "save", save_and_stop)
            try:
                result = do(source)
            except KeyboardInterrupt:
                interruptions += 1
                continue
            return interruptions, result
    raise AssertionError("no progress")


def test_every_stage_goes_on_with_the_same_bits(
    micro: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs of cloning and of the estimator, waves of exploration, iterations of three methods.

    In a world of short episodes; `test_train.py` kills a run in the household in every stage.
    """
    estimator = replace(micro.MICRO.estimator, epochs=2)
    preset = replace(micro.MICRO, estimator=estimator, clone=replace(micro.MICRO.clone, epochs=2))
    config = {"env": "rooms", "world": ROOMS, "methods": [], "preset": asdict(preset)}
    smooth = Experiment.open(Run.create(tmp_path / "smooth", config, seed=0)).source
    rough = Experiment.open(Run.create(tmp_path / "rough", config, seed=0)).source

    def explore(source: ExperimentSource) -> None:
        experiment = source.open()
        n = stages.n_waves(stages.explore_specs(experiment), preset.explore_rollout)
        missing = sorted(set(range(n)) - set(experiment.run.shards("explore").indices()))
        stages.explore_stage(source, missing, report=_quiet)
        stages.save_explorations(experiment)

    def trained(name: str) -> Callable[[ExperimentSource], object]:
        return lambda source: stages.train_stage(source, find_method(name), report=_quiet)

    steps: list[tuple[Callable[[ExperimentSource], object], type, int]] = [
        (lambda source: stages.clone_stage(source, report=_quiet), TrainingCheckpoint, 2),
        (explore, Shards, 3),
        (lambda source: stages.estimate_stage(source, report=_quiet), TrainingCheckpoint, 2),
        *((trained(name), TrainingCheckpoint, 2) for name in ("spa", "critic", "random")),
    ]
    for do, kind, expected in steps:
        do(smooth)
        interruptions, result = _interrupted(rough, do, kind, monkeypatch)
        assert interruptions == expected
        assert kind is Shards or (isinstance(result, stages.Trained) and result.earlier_seconds > 0)
        assert _files(Run.open(rough.folder)) == _files(Run.open(smooth.folder))
        shutil.rmtree(rough.folder / "checkpoints", ignore_errors=True)
        shutil.rmtree(smooth.folder / "checkpoints", ignore_errors=True)


def test_a_checkpoint_adds_up_the_time_of_its_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an attempt did after its last checkpoint is lost, and not counted."""
    clock = iter([0.0, 10.0, 100.0, 103.0, 1000.0])
    monkeypatch.setattr(checkpoints, "perf_counter", lambda: next(clock))
    run = Run.create(tmp_path / "run", {}, seed=0)
    for earlier in (0.0, 10.0, 13.0):
        checkpoint = TrainingCheckpoint(run.checkpoint("ppo-spa"), [])
        checkpoint.load()
        assert checkpoint.earlier_seconds == earlier
        if earlier < 13.0:
            checkpoint.save(LearnerState())


def test_run_json_has_the_time_of_all_attempts(micro: ModuleType, tmp_path: Path) -> None:
    class Pool:
        """Says that a clone took 2 s now and 5 s in an interrupted attempt."""

        size = 1

        def run(self, tasks: Sequence[WorkerTask], *, on_result: Any, on_progress: Any) -> list[Any]:
            for task in tasks:
                value = stages.Trained(5.0, "a device") if task.label == "clone" else None
                on_result(TaskResult(task.label, value, 2.0))
            return []

    run = train(tmp_path / "run", ROOMS, ["terminal"], micro.MICRO, seed=0, workers=Pool(), until="clone")  # type: ignore[arg-type]
    assert run.provenance["stages"]["clone"]["tasks"]["clone"] == 7.0
    assert run.provenance["stages"]["clone"]["seconds"] > 7.0 and run.provenance["device"] == "a device"

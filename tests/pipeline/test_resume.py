"""A stage that is interrupted right after it saved its progress ends with the bits of an undisturbed one."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest

from spa_lab.learn.methods import find_method
from spa_lab.pipeline import stages
from spa_lab.pipeline.checkpoints import TrainingCheckpoint
from spa_lab.pipeline.experiment import Experiment, ExperimentSource
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
) -> int:
    """Repeat a stage, interrupted after each save but the last; returns the number of interruptions."""
    save, interruptions = kind.save, 0

    def save_and_stop(*arguments: object) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    while interruptions < 20:
        with monkeypatch.context() as patch:
            patch.setattr(kind, "save", save_and_stop)
            try:
                do(source)
            except KeyboardInterrupt:
                interruptions += 1
                continue
            return interruptions
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
        assert _interrupted(rough, do, kind, monkeypatch) == expected
        assert _files(Run.open(rough.folder)) == _files(Run.open(smooth.folder))
        shutil.rmtree(rough.folder / "checkpoints", ignore_errors=True)
        shutil.rmtree(smooth.folder / "checkpoints", ignore_errors=True)

"""`spa-lab demo`: a run and a small measurement of the truth in one command."""

from collections.abc import Sequence
from pathlib import Path

from spa_lab.configs.presets import Preset
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.fidelity import fidelity, measure_held_out
from spa_lab.pipeline.parallel import WorkerPool, WorkerTask
from spa_lab.pipeline.report import render_summary
from spa_lab.pipeline.train import after_exploring, train

SOURCES = ("spa", "spa_progress")
"""Credit that is shown beside the measured values."""
TRAJECTORIES, BRANCHES = 4, 16
"""Held-out explorations of each outcome, and continuations behind each of their values: enough to see in the
inspector, too few for the scoreboard of a paper (`spa-lab fidelity`)."""


def demo(out: Path, world: str, methods: Sequence[str], preset: Preset, *, seed: int, workers: int) -> str:
    """Train, evaluate, measure and draw; a killed demo is resumed where it stopped.

    The truth is measured while the last methods train and leave a worker free.

    Args:
        out: run folder, new or started with the same settings.
        world: its name, or "package.module:attribute".
        methods: to train, one of them with an estimator.
        preset: scale.
        seed: of all random numbers.
        workers: worker processes.

    Returns:
        The table of success and the scoreboard of credit.

    Raises:
        ValueError, StoreError: as `train.train` and `fidelity.fidelity`.
    """

    def truth(experiment: Experiment) -> list[WorkerTask]:
        arguments = (experiment.source, TRAJECTORIES, BRANCHES)
        return [WorkerTask("measure", measure_held_out, arguments, after_exploring(workers))]

    with WorkerPool(workers) as pool:
        run = train(out, world, methods, preset, seed=seed, workers=pool, beside=truth)
        board = fidelity(run=run, trajectories=TRAJECTORIES, branches=BRANCHES, workers=pool, sources=SOURCES)
    head = f"credit of a few held-out explorations against {BRANCHES} Monte Carlo continuations per value"
    return "\n\n".join((render_summary(run), head, board))

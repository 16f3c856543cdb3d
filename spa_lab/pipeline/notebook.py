"""Training in a notebook with the training monitor beside it."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

from IPython.display import clear_output, display

from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment
from spa_lab.learn.method import TrainingMethod
from spa_lab.pipeline.metrics_feed import OnMetrics
from spa_lab.pipeline.train import Stage, train
from spa_lab.store import Run
from spa_lab.view.widgets.monitor import Monitor

POLL_SECONDS = 0.1
"""Between two checks whether the run's folder exists."""


async def watched_train(
    out: Path,
    world: str | Environment,
    methods: Sequence[str | TrainingMethod],
    preset: Preset,
    *,
    seed: int,
    workers: int,
    until: Stage = "report",
    on_metrics: OnMetrics | None = None,
) -> Run:
    """`train` in a thread: the kernel stays free, and a `Monitor` draws the metrics as they are saved.

    To be awaited in a cell. If the cell is interrupted, the worker processes are ended; a later call resumes
    what they saved. Arguments and errors are those of `train`; `on_metrics` is called in that thread.
    """
    others = set(multiprocessing.active_children())
    work = asyncio.create_task(
        asyncio.to_thread(
            train, out, world, methods, preset, seed=seed, workers=workers, until=until, on_metrics=on_metrics
        )
    )
    while not (out / "run.json").exists() and not work.done():
        await asyncio.sleep(POLL_SECONDS)
    if not (out / "run.json").exists():
        return await work  # raises the error
    monitor = Monitor(out)
    display(monitor)
    monitor.live = True
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        monitor.live = False
        monitor.look()
        clear_output(wait=True)  # the static copy still shows the state at the start
        display(monitor)

"""Training in a notebook with the training monitor beside it."""

import asyncio
import multiprocessing
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

from IPython.display import clear_output, display

from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment
from spa_lab.learn.method import TrainingMethod
from spa_lab.pipeline.metrics_feed import OnMetrics
from spa_lab.pipeline.parallel import RunningTask, WorkerPool
from spa_lab.pipeline.train import Stage, train
from spa_lab.store import Run
from spa_lab.view.widgets.monitor import Monitor

POLL_SECONDS = 0.1
"""Between two checks whether the run's folder exists."""
ANNOUNCE_SECONDS = 0.5
"""Between two updates of the line that says what is running."""


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

    To be awaited in a cell. A line at the edge of the page says what is running and for how long, wherever in
    the notebook the reader is. If the cell is interrupted, the worker processes are ended; a later call
    resumes what they saved. Arguments and errors are those of `train`; `on_metrics` is called in that thread.
    """
    others = set(multiprocessing.active_children())
    pool = WorkerPool(workers)

    def do() -> Run:
        with pool:
            return train(
                out, world, methods, preset, seed=seed, workers=pool, until=until, on_metrics=on_metrics
            )

    work = asyncio.create_task(asyncio.to_thread(do))
    while not (out / "run.json").exists() and not work.done():
        await asyncio.sleep(POLL_SECONDS)
    if not (out / "run.json").exists():
        return await work  # raises the error
    monitor = Monitor(out)
    display(monitor)
    monitor.live = True
    try:
        while not work.done():
            monitor.banner = in_words(pool.running, perf_counter())
            await asyncio.wait([work], timeout=ANNOUNCE_SECONDS)
        return work.result()
    except asyncio.CancelledError:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        monitor.live, monitor.banner = False, ""
        monitor.look()
        clear_output(wait=True)  # the static copy still shows the state at the start
        display(monitor)


def in_words(running: Mapping[str, RunningTask], now: float) -> str:
    """What is running, how far each task is and how long it may still take; empty if nothing is.

    Args:
        running: tasks by label.
        now: on the clock of `perf_counter`, seconds.
    """
    parts = []
    for label, task in dict(running).items():
        left = f", about {(now - task.started) * (1 / task.share - 1):.0f} s left" if task.share else ""
        parts.append(f"{label} {task.share:.0%}{left}")
    return " · ".join(parts)

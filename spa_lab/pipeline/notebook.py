"""Training in a notebook with the training monitor beside it."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

from IPython.display import clear_output, display

from spa_lab.configs.presets import Preset
from spa_lab.pipeline.train import Stage, train
from spa_lab.store import Run
from spa_lab.view.widgets import Monitor

LOOK_AGAIN = 0.1
"""Seconds between two looks for the run's folder."""


async def watched_train(
    out: Path,
    env: str,
    methods: Sequence[str],
    preset: Preset,
    *,
    seed: int,
    workers: int,
    until: Stage = "report",
) -> Run:
    """As `train`, in a thread; the kernel stays free, and a `Monitor` draws what the stages write down.

    To be awaited in a cell. Where the cell is interrupted, the worker processes are ended; a later call goes
    on from what they finished. Arguments and errors are those of `train`.
    """
    others = set(multiprocessing.active_children())
    work = asyncio.create_task(
        asyncio.to_thread(train, out, env, methods, preset, seed=seed, workers=workers, until=until)
    )
    while not (out / "run.json").exists() and not work.done():
        await asyncio.sleep(LOOK_AGAIN)
    if not (out / "run.json").exists():
        return await work  # raises what went wrong
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
        clear_output(wait=True)  # the copy for pages without a kernel was made at the beginning
        display(monitor)

"""Jobs in worker processes, with a progress bar each; results come back in the order of the jobs.

Tiny models are fastest on one thread, so both cores are used by two processes and never by two threads.
"""

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from tqdm.auto import tqdm

Report = Callable[[float, dict[str, float]], object]
"""Called by a job with the share that is done (0 to 1) and numbers worth showing."""


@dataclass(frozen=True)
class PlannedJob:
    """A function of this package, called as `function(*arguments, report=...)` in a fresh process."""

    label: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def run_jobs(jobs: Sequence[PlannedJob], *, workers: int) -> list[Any]:
    """Run all jobs, at most `workers` at a time; the first error of a job is raised here."""
    context = multiprocessing.get_context("spawn")  # forking a process that holds torch threads can hang
    with context.Manager() as manager, ProcessPoolExecutor(workers, context, _one_thread) as pool:
        news = manager.Queue()
        futures = [pool.submit(_call, job, i, news) for i, job in enumerate(jobs)]
        _show(jobs, futures, news)
        return [future.result() for future in futures]


def _one_thread() -> None:
    torch.set_num_threads(1)


def _call(job: PlannedJob, number: int, news: Any) -> Any:
    return job.function(*job.arguments, report=lambda share, numbers: news.put((number, share, numbers)))


def _show(jobs: Sequence[PlannedJob], futures: Sequence[Future[Any]], news: Any) -> None:
    """Keep one bar per job up to date until all futures are done."""
    shape = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
    bars = [tqdm(total=1.0, desc=f"{job.label:<24}", bar_format=shape) for job in jobs]
    while not all(future.done() for future in futures):
        try:
            number, share, numbers = news.get(timeout=0.2)
        except queue.Empty:
            continue
        bars[number].set_postfix({name: f"{value:.3f}" for name, value in numbers.items()}, refresh=False)
        bars[number].update(share - bars[number].n)
        if any(future.done() and future.exception() for future in futures):
            break
    for bar, future in zip(bars, futures, strict=True):
        if future.done() and not future.exception():
            bar.update(1.0 - bar.n)
        bar.close()

"""Jobs in worker processes, with a progress bar each; results come back in the order of the jobs.

Tiny models are fastest on one thread, so both cores are used by two processes and never by two threads.
A process takes seconds to import torch, so a crew keeps its processes from one list of jobs to the next.
None outlives its crew: not after an error, not after Ctrl-C, not when the parent is killed.
"""

import ctypes
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

import torch
from tqdm.auto import tqdm
from transformers.utils.logging import disable_progress_bar

Report = Callable[[float, dict[str, float]], object]
"""Called by a job with the share that is done (0 to 1) and numbers worth showing."""

_BAR = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"


@dataclass(frozen=True)
class WorkerTask:
    """A function of a module, called as `function(*arguments, report=...)` in a worker process."""

    label: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Progress:
    share: float
    numbers: dict[str, float]


@dataclass(frozen=True)
class _Done:
    result: Any


@dataclass(frozen=True)
class _Failed:
    error: Exception


class WorkerPool:
    """At most `size` worker processes, begun when first needed and ended with the `with` block.

    Raises:
        ValueError: `size` is below 1.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"needs at least 1 worker process, got {size}")
        self.size = size
        self._members: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shutdown()

    def run(self, jobs: Sequence[WorkerTask]) -> list[Any]:
        """Do all jobs, `size` at a time; the first error ends the processes of all others.

        Returns:
            What each job returned, in the order of `jobs`.

        Raises:
            ChildProcessError: a process ended in the middle of a job without a word (killed, out of memory).
            Exception: what a job raised, with the traceback of its process as a note. A class that is
                neither Python's nor ours arrives as the built-in one that it is derived from.
        """
        waiting, results = deque(range(len(jobs))), [None] * len(jobs)
        busy: dict[Connection, int] = {}
        bars: dict[Connection, tqdm] = {}
        with ExitStack() as at_end, ExitStack() as on_error:
            on_error.callback(self._shutdown)
            while waiting or busy:
                while waiting and len(busy) < self.size:
                    number = waiting.popleft()
                    with _interrupts_later():
                        connection = self._give(jobs[number], busy)
                        busy[connection] = number
                        bars[connection] = at_end.enter_context(_bar(jobs[number]))
                ready = wait(list(busy))
                for connection in [one for one in busy if one in ready]:
                    news = self._receive(connection, jobs[busy[connection]])
                    if isinstance(news, _Progress):
                        _show(bars[connection], news)
                    else:
                        results[busy.pop(connection)] = news.result
                        _finish(bars.pop(connection))
            on_error.pop_all()
        return results

    def _give(self, job: WorkerTask, busy: dict[Connection, int]) -> Connection:
        """Hand the job to a process that has none, or to a new one."""
        connection = next((one for one in self._members if one not in busy), None) or self._spawn()
        with suppress(BrokenPipeError):  # it was killed meanwhile; hearing from it says so
            connection.send(job)
        return connection

    def _spawn(self) -> Connection:
        context = multiprocessing.get_context("spawn")  # forking a process that holds torch threads can hang
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        self._members[ours] = process
        return ours

    def _receive(self, connection: Connection, job: WorkerTask) -> _Progress | _Done:
        try:
            news = connection.recv()
        except (EOFError, ConnectionResetError):
            process = self._members[connection]
            process.join()
            raise ChildProcessError(f"{job.label!r}: its process {_how_it_ended(process)}") from None
        if isinstance(news, _Failed):
            raise news.error
        return news

    def _shutdown(self) -> None:
        for process in self._members.values():
            process.terminate()
        for connection, process in self._members.items():
            process.join()
            connection.close()
        self._members.clear()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal; those begun here leave it to the parent to end them.

    The mask is what they inherit: ignoring the signal in the child would leave the seconds in which it
    imports. Nor may the parent be interrupted between beginning something and noting down that it is to be
    ended; its other threads have no mask, so the handler waits, too.
    """
    resource_tracker.ensure_running()  # or its start, in the middle of the block, would undo the mask
    missed: list[int] = []
    in_charge = threading.current_thread() is threading.main_thread()  # nobody else may set handlers
    handler = signal.signal(signal.SIGINT, lambda number, _: missed.append(number)) if in_charge else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if in_charge:
            signal.signal(signal.SIGINT, handler)
        if missed:
            signal.raise_signal(signal.SIGINT)


def _how_it_ended(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name} (out of memory?)"


def _bar(job: WorkerTask) -> tqdm:
    return tqdm(total=1.0, desc=f"{job.label:<24}", bar_format=_BAR)


def _show(bar: tqdm, news: _Progress) -> None:
    bar.set_postfix({name: f"{value:.3f}" for name, value in news.numbers.items()}, refresh=False)
    bar.update(news.share - bar.n)


def _finish(bar: tqdm) -> None:
    bar.update(1.0 - bar.n)
    bar.close()


def _work(crew: Connection) -> None:
    """The whole life of a process: jobs in, results out, until one fails or nobody is there any more."""
    torch.set_num_threads(1)
    disable_progress_bar()  # of models being loaded and saved
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = crew.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            result = job.function(*job.arguments, report=lambda *news: crew.send(_Progress(*news)))
        except Exception as error:
            crew.send(_Failed(_portable(error, job)))
            raise SystemExit(1) from error
        crew.send(_Done(result))
        del result
        _give_memory_back()


def _give_memory_back() -> None:
    """The C library keeps what was freed, in pieces: hundreds of megabytes that the next job cannot use."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)


def _end_with_parent() -> None:
    """A killed parent cannot end its processes, and they must not go on writing into the run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _portable(error: Exception, job: WorkerTask) -> Exception:
    """The error as it can travel: classes of other packages may not survive being sent."""
    kind = next(one for one in type(error).__mro__ if one.__module__.split(".")[0] in ("builtins", "spa_lab"))
    sent = error if kind is type(error) else kind(str(error))
    sent.add_note(f"in the process of {job.label!r}:\n{''.join(traceback.format_exception(error))}")
    return sent

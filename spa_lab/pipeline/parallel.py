"""Tasks in worker processes, with a progress bar each and dependencies between them.

Tiny models are fastest on one thread, so two cores are used by two processes and never by two threads. A
process takes seconds to import torch and transformers, so a pool keeps its processes from one list of tasks
to the next, and on Linux all pools of a program fork their processes from a server that has imported them
once. No worker outlives its pool: not after an error, not after Ctrl-C, not when the parent is killed.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from time import perf_counter
from typing import Any, Protocol, Self

import torch
from tqdm.auto import tqdm
from transformers.utils.logging import disable_progress_bar

from spa_lab.agent.memory import release_memory
from spa_lab.pipeline.usage import Meter, Usage

Report = Callable[[float, dict[str, float]], object]
"""Called by a task with the finished share (0 to 1) and numbers to show beside the bar."""

_FORKED_WITH = (
    "spa_lab.pipeline.fidelity",
    "spa_lab.pipeline.stages",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
)
"""Modules that every worker needs; it imports others, such as those of a larger model, itself."""
_BAR = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"


@dataclass(frozen=True)
class WorkerTask:
    """A function of a module, called as `function(*arguments, report=...)` in a worker process."""

    label: str
    """Unique within a list of tasks."""
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    after: frozenset[str] = frozenset()
    """Labels of the tasks that must be finished before; labels that are not in the list count as finished."""


@dataclass(frozen=True)
class TaskResult:
    """What a task returned."""

    label: str
    value: Any
    seconds: float
    """Wall time of the task."""


@dataclass(frozen=True)
class RunningTask:
    """How far a task is."""

    share: float
    """Finished, 0 to 1, as the task last reported."""
    started: float
    """When, on the clock of `perf_counter`, seconds."""


@dataclass(frozen=True)
class Progress:
    """What a task reports."""

    share: float
    numbers: dict[str, float]


@dataclass(frozen=True)
class _Done:
    value: Any
    seconds: float
    used: Usage


@dataclass(frozen=True)
class _Failed:
    error: Exception


class TaskPool(Protocol):
    """Does tasks: a `WorkerPool`, or the processes of a launch."""

    size: int
    """Tasks that are done side by side."""

    def run(
        self,
        tasks: Sequence[WorkerTask],
        *,
        on_result: Callable[[TaskResult], object] = ...,
        on_progress: Callable[[], object] = ...,
    ) -> list[Any]:
        """Do all tasks, in order as far as dependencies allow; returns their results."""


class WorkerPool:
    """At most `size` worker processes, started when first needed and ended with the `with` block.

    Args:
        size: number of processes.
        bars: show a progress bar for each task.

    Raises:
        ValueError: `size` is below 1.
    """

    def __init__(self, size: int, *, bars: bool = True) -> None:
        if size < 1:
            raise ValueError(f"needs at least 1 worker process, got {size}")
        self.size, self.bars = size, bars
        self.used = Usage()
        """By all tasks that were finished."""
        self.running: dict[str, RunningTask] = {}
        """By label, for a thread that watches; empty unless `run` is at work."""
        self._members: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shutdown()

    def run(
        self,
        tasks: Sequence[WorkerTask],
        *,
        on_result: Callable[[TaskResult], object] = lambda result: None,
        on_progress: Callable[[], object] = lambda: None,
    ) -> list[Any]:
        """Do all tasks, `size` at a time, in order as far as dependencies allow; an error ends all of them.

        Args:
            tasks: with unique labels.
            on_result: called in this process as soon as a task is finished, before tasks that wait for it
                start.
            on_progress: called in this process whenever a task reports progress.

        Returns:
            Their results, in the order of `tasks`.

        Raises:
            ValueError: two tasks have one label, or the dependencies form a cycle.
            ChildProcessError: a process ended in the middle of a task (killed, out of memory).
            Exception: what a task raised, with the traceback of its process as a note; a class of another
                package arrives as the built-in one that it is derived from.
        """
        check_order(tasks)
        waiting = {task.label: task for task in tasks}
        results: dict[str, Any] = {}
        busy: dict[Connection, WorkerTask] = {}
        bars: dict[Connection, tqdm] = {}
        with ExitStack() as at_end, ExitStack() as on_error:
            on_error.callback(self._shutdown)
            while waiting or busy:
                unfinished = {*waiting, *(task.label for task in busy.values())}
                for task in [task for task in waiting.values() if not task.after & unfinished]:
                    if len(busy) == self.size:
                        break
                    self._start(waiting.pop(task.label), busy, bars, at_end)
                for connection, message in self._messages(busy):
                    if isinstance(message, Progress):
                        show(bars[connection], message)
                        on_progress()
                        continue
                    label = busy.pop(connection).label
                    results[label] = message.value
                    self.used += message.used
                    finish_bar(bars.pop(connection))
                    on_result(TaskResult(label, message.value, message.seconds))
            on_error.pop_all()
        return [results[task.label] for task in tasks]

    def _start(
        self,
        task: WorkerTask,
        busy: dict[Connection, WorkerTask],
        bars: dict[Connection, tqdm],
        at_end: ExitStack,
    ) -> None:
        """Hand the task to a process and draw its bar, which `at_end` closes."""
        with _deferred_interrupts():  # a bar outside of `at_end` would be drawn after the error
            bar = at_end.enter_context(task_bar(task, shown=self.bars))
        with _deferred_interrupts():  # apart: a first process takes seconds to start
            connection = self._submit(task, busy)
            busy[connection], bars[connection] = task, bar

    def _note(self, label: str, share: float) -> None:
        started = self.running[label].started if label in self.running else perf_counter()
        self.running[label] = RunningTask(share, started)

    def _messages(self, busy: dict[Connection, WorkerTask]) -> list[tuple[Connection, Progress | _Done]]:
        """Wait for messages of workers; returns one of each worker that has sent any."""
        ready = wait(list(busy))
        return [(member, self._receive(member, task)) for member, task in busy.items() if member in ready]

    def _submit(self, task: WorkerTask, busy: dict[Connection, WorkerTask]) -> Connection:
        """Hand the task to an idle process, or to a new one."""
        idle = (member for member in self._members if member not in busy)
        connection = next(idle, None) or self._spawn()
        with suppress(BrokenPipeError):  # it was killed meanwhile; `_receive` reports that
            connection.send(task)
        self._note(task.label, 0.0)
        return connection

    def _spawn(self) -> Connection:
        context = _context()
        ours, theirs = context.Pipe()
        process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, dict(os.environ)), daemon=True
        )
        process.start()
        theirs.close()
        self._members[ours] = process
        return ours

    def _receive(self, connection: Connection, task: WorkerTask) -> Progress | _Done:
        try:
            message = connection.recv()
        except (EOFError, ConnectionResetError):
            process = self._members[connection]
            process.join()
            raise ChildProcessError(f"{task.label!r}: its process {_exit_reason(process)}") from None
        if isinstance(message, _Failed):
            raise message.error
        if isinstance(message, Progress):
            self._note(task.label, message.share)
        else:
            self.running.pop(task.label, None)
        return message

    def _shutdown(self) -> None:
        for process in self._members.values():
            process.terminate()
        for connection, process in self._members.items():
            process.join()
            connection.close()
        self._members.clear()
        self.running.clear()


def _context() -> BaseContext:
    """How processes are started; none is forked from this process, which may hold threads of torch.

    The server that forks them never runs a model. Libraries of accelerators do not survive a fork, nor do
    those of macOS: there, every process starts anew.
    """
    anew = sys.platform != "linux" or torch.accelerator.is_available()
    context = multiprocessing.get_context("spawn" if anew else "forkserver")
    if not anew:
        context.set_forkserver_preload([*_FORKED_WITH])
    if multiprocessing.get_start_method(allow_none=True) == "loky":
        # in a worker of joblib: children are told this process's method, and know no "loky"
        multiprocessing.set_start_method(context.get_start_method(), force=True)
    return context


def check_order(tasks: Sequence[WorkerTask]) -> None:
    """Raise ValueError for a duplicate label and for tasks that wait for each other."""
    left = {task.label: task.after for task in tasks}
    if len(left) < len(tasks):
        raise ValueError(f"{len(tasks)} tasks have {len(left)} different labels")
    while left:
        ready = [label for label, after in left.items() if not after & left.keys()]
        if not ready:
            raise ValueError(f"tasks wait for each other: {', '.join(sorted(left))}")
        for label in ready:
            del left[label]


@contextmanager
def _deferred_interrupts() -> Iterator[None]:
    """Hold back Ctrl-C while a process is started, and let the process ignore it.

    A terminal sends Ctrl-C to all its processes; workers leave it to the parent to end them. They inherit a
    blocked signal: ignoring it in the child would leave out the seconds in which it imports. The parent must
    not be interrupted between starting a process and registering it; its other threads have no mask, so the
    handler is replaced, too.
    """
    resource_tracker.ensure_running()  # its start inside of the block would reset the mask
    missed: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()  # only it may set handlers
    handler = signal.signal(signal.SIGINT, lambda signum, _: missed.append(signum)) if is_main else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if is_main:
            signal.signal(signal.SIGINT, handler)
        if missed:
            signal.raise_signal(signal.SIGINT)


def _exit_reason(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name} (out of memory?)"


def task_bar(task: WorkerTask, *, shown: bool) -> tqdm:
    """The progress bar of a task."""
    return tqdm(total=1.0, desc=f"{task.label:<24}", bar_format=_BAR, disable=not shown)


def show(bar: tqdm, progress: Progress) -> None:
    """Show what a task reports."""
    bar.set_postfix({name: f"{value:.3f}" for name, value in progress.numbers.items()}, refresh=False)
    bar.update(progress.share - bar.n)


def finish_bar(bar: tqdm) -> None:
    """Show that a task is finished."""
    bar.update(1.0 - bar.n)
    bar.close()


def _work(parent: Connection, environment: dict[str, str]) -> None:
    """The main loop of a worker: tasks in, results out, until one fails or the parent is gone.

    Args:
        parent: where tasks come from and results go to.
        environment: variables of the parent; a forked worker has those of the server's start.
    """
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    disable_progress_bar()  # of models being loaded and saved
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task = parent.recv()
        except (EOFError, ConnectionResetError):
            return
        except Exception as error:  # an object that exists in the parent's main module only
            message = (
                f"a worker process cannot receive a task ({error}); name its objects as module:attribute"
            )
            parent.send(_Failed(ValueError(message)))
            raise SystemExit(1) from error
        start, meter = perf_counter(), Meter()
        try:
            value = task.function(*task.arguments, report=lambda *progress: parent.send(Progress(*progress)))
        except Exception as error:
            parent.send(_Failed(_portable(error, task)))
            raise SystemExit(1) from error
        parent.send(_Done(value, perf_counter() - start, meter.read()))
        del value
        release_memory()


def _end_with_parent() -> None:
    """A killed parent cannot end its workers, and they must not go on writing into the run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _portable(error: Exception, task: WorkerTask) -> Exception:
    """The error in a form that can be sent: classes of other packages may not survive it."""
    kind = next(
        base for base in type(error).__mro__ if base.__module__.split(".")[0] in ("builtins", "spa_lab")
    )
    sent = error if kind is type(error) else kind(str(error))
    sent.add_note(f"in the process of {task.label!r}:\n{''.join(traceback.format_exception(error))}")
    return sent

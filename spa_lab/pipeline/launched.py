"""A run done by the processes of `accelerate launch`: every task by all, the rest by the main one.

The main process plans, writes the run folder, shows bars and tells the others which task comes next. They
read the run folder, so it lies in a file system that all of them see.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Self

from tqdm.auto import tqdm

from spa_lab.agent.processes import Processes, together
from spa_lab.pipeline.parallel import (
    Progress,
    TaskResult,
    WorkerTask,
    check_order,
    finish_bar,
    show,
    task_bar,
)
from spa_lab.pipeline.usage import Meter, Usage


class LaunchedPool:
    """What `WorkerPool` is for worker processes, for the processes of a launch."""

    size = 1

    def __init__(self, team: Processes) -> None:
        self.team, self.used = team, Usage()
        self._in_task = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.team.is_main and not self._in_task:  # else the launcher ends the others, who wait for us
            self.team.send(None)

    def run(
        self,
        tasks: Sequence[WorkerTask],
        *,
        on_result: Callable[[TaskResult], object] = lambda result: None,
        on_progress: Callable[[], object] = lambda: None,
    ) -> list[Any]:
        """In the main process: do all tasks, one after the other; arguments and errors as of `WorkerPool`."""
        check_order(tasks)
        waiting = {task.label: task for task in tasks}
        results: dict[str, Any] = {}
        with ExitStack() as at_end:
            while waiting:
                task = next(task for task in waiting.values() if not task.after & waiting.keys())
                bar = at_end.enter_context(task_bar(task, shown=True))

                def report(*given: Any, bar: tqdm = bar) -> None:
                    show(bar, Progress(*given))
                    on_progress()

                start, meter = perf_counter(), Meter()
                self._in_task = True
                self.team.send(task)
                with together(self.team):
                    results[task.label] = task.function(*task.arguments, report=report)
                self._in_task = False
                self.used += meter.read()
                finish_bar(bar)
                del waiting[task.label]
                on_result(TaskResult(task.label, results[task.label], perf_counter() - start))
        return [results[task.label] for task in tasks]

    def follow(self) -> None:
        """Do, in every process but the main one, the tasks that it sends, until it is done."""
        while (task := self.team.send(None)) is not None:
            with together(self.team):
                task.function(*task.arguments, report=lambda *given: None)

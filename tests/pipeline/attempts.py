"""Attempts at a run that can be killed, each a session of its own, with its worker processes.

They are forked from a server that has imported everything: a program takes longer to import torch than a
small run takes to train.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spa_lab.pipeline import parallel

DEADLINE = 60.0
"""Seconds within which killed processes must have ended."""
IMPORTED = ("spa_lab.pipeline.fidelity", "spa_lab.pipeline.train", "matplotlib.pyplot")


class Attempt:
    """`function(*arguments)` in a new session.

    Args:
        function: of a module that other processes can import, too.
        arguments: of the function.
        environment: variables that the attempt has besides those of this process.
        log: file for what it prints.
    """

    def __init__(
        self, function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str], log: Path
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*parallel._FORKED_WITH, *IMPORTED])
        ours, theirs = context.Pipe()
        variables = os.environ | environment
        self._process = context.Process(target=_begin, args=(theirs, variables, log, function, arguments))
        self._process.start()
        theirs.close()
        ours.recv()  # until it leads its session, there is nothing to kill
        ours.close()

    def wait(self, seconds: float | None = None) -> int | None:
        """Exit code, negative for a signal; None if it is still running after `seconds`."""
        self._process.join(seconds)
        if self._process.exitcode is not None:
            self._wait_for_workers()
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL to the attempt and its workers."""
        assert self._process.pid is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()

    def _wait_for_workers(self) -> None:
        """A killed worker that was flushing a file lives until the disk answers."""
        assert self._process.pid is not None
        end = time.monotonic() + DEADLINE
        while not is_empty(self._process.pid):
            assert time.monotonic() < end, "a process is left"
            time.sleep(0.02)


def is_empty(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def _begin(
    parent: Connection,
    environment: dict[str, str],
    log: Path,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    # workers of the server would belong to its session; forked from here, they die with the attempt
    parallel._context = lambda: multiprocessing.get_context("fork")
    tqdm.monitor_interval = 0  # no thread beside the one that forks
    parent.send(None)
    parent.close()
    raise SystemExit(function(*arguments))

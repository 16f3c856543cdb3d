"""Tasks of worker processes in the tests of pools; the workers import this file by its name."""

import os
import time
from pathlib import Path
from typing import NoReturn

from spa_lab.pipeline.parallel import Report
from spa_lab.store import StoreError


class ForeignError(ValueError):
    """A class of another package that cannot be pickled: its constructor has other arguments."""

    def __init__(self, *, request: str, response: int) -> None:
        super().__init__(f"{request} answered {response}")


def echo(text: str, *, report: Report) -> tuple[str, int]:
    """The text and the id of the process, after a delay, so that tasks overlap."""
    for share in (0.25, 0.5):
        time.sleep(0.1)
        report(share, {"loss": share / 2})
    return text, os.getpid()


def write(file: str, text: str, *, report: Report) -> tuple[str, int]:
    """The text and the id of the process, after making an empty file."""
    Path(file).touch()
    return text, os.getpid()


def wait_for(file: str, text: str, *, report: Report) -> tuple[str, int]:
    """The text and the id of the process, as soon as another task has made the file."""
    deadline = time.monotonic() + 120
    while not Path(file).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{file}: no other task made it")
        time.sleep(0.05)
    return text, os.getpid()


def fail(kind: str, after: str, *, report: Report) -> NoReturn:
    """Raise an error as soon as the file `after` exists."""
    while after and not Path(after).exists():
        time.sleep(0.05)
    if kind == "foreign":
        raise ForeignError(request="GET", response=404)
    if kind == "disk":
        raise StoreError(Path("runs/a"), "cannot write: disk full")
    raise IndexError("a bug")


def die(signal_number: int, *, report: Report) -> None:
    os.kill(os.getpid(), signal_number)


def write_and_sleep(file: str, *, report: Report) -> None:
    """Write the process id to `file`."""
    Path(file).write_text(str(os.getpid()))
    report(0.0, {})
    time.sleep(300)

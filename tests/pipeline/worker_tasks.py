"""What worker processes are told to do in the tests of crews; they import this file by its name."""

import os
import time
from pathlib import Path
from typing import NoReturn

from spa_lab.pipeline.parallel import Report
from spa_lab.store import StoreError


class ForeignError(ValueError):
    """A class of another package that cannot be sent: made from other arguments than it keeps."""

    def __init__(self, *, request: str, response: int) -> None:
        super().__init__(f"{request} answered {response}")


def say(text: str, *, report: Report) -> tuple[str, int]:
    """The text and the process that said it; after a moment, so that jobs overlap."""
    for share in (0.25, 0.5):
        time.sleep(0.1)
        report(share, {"loss": share / 2})
    return text, os.getpid()


def fail(kind: str, after: str, *, report: Report) -> NoReturn:
    """As soon as the file `after` exists."""
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
    """Leaves the number of its process in `file`."""
    Path(file).write_text(str(os.getpid()))
    report(0.0, {})
    time.sleep(60)

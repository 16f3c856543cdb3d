"""Folders that all worker processes of pytest-xdist share."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A temporary folder that the first process that needs it fills, while the others wait.

    Args:
        factory: pytest's.
        name: of the folder; two of one name are the same.
        make: fills an empty folder; what it made is read by all, so tests that write need a copy.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, complete = base / name, base / f"{name}.complete"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by one that failed
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder

"""One command at a time writes into a run folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spa_lab.store.files import StoreError, disk


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep every other command out of `folder`, which is made if missing, until the block ends.

    The kernel takes the lock back however a process ends: a file that a killed one left behind locks
    nothing. What is in the file only says who holds it.

    Raises:
        StoreError: another command writes there (gives its process id), or the disk refused.
    """
    with disk(folder, "make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with disk(folder, "lock"):
        descriptor = _locked(path)
    try:
        yield
    finally:
        with suppress(OSError):  # a file that stays locks nothing
            path.unlink()
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Descriptor of the lock file, locked and signed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # else its owner removed it meanwhile, and others find a new one
            if os.fstat(descriptor).st_nlink:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode() or "?"
            os.close(descriptor)
            raise StoreError(path.parent, f"process {owner} is writing there; one at a time") from None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)

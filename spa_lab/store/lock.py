"""One command at a time writes into a run folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spa_lab.store.files import StoreError, disk


class InUseError(StoreError):
    """Another command writes into the folder; the disk is fine."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Lock `folder` against other commands until the block ends; makes it if it is missing.

    The kernel releases the lock however the process ends, so a lock file left by a killed process locks
    nothing. Its content only names the process that holds the lock.

    Raises:
        InUseError: another command writes there; names its process id.
        StoreError: the disk refused.
    """
    with disk(folder, "make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with disk(folder, "lock"):
        descriptor = _locked(path)
    try:
        yield
    finally:
        with suppress(OSError):  # a file that is left locks nothing
            path.unlink()
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Descriptor of the lock file, locked, with our process id written to it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # otherwise its owner has removed it meanwhile, and others see a new file
            if os.fstat(descriptor).st_nlink:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode() or "?"
            os.close(descriptor)
            raise InUseError(path.parent, f"process {owner} is writing there; one at a time") from None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)

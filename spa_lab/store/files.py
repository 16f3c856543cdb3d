"""Files and folders that are replaced whole or not at all.

Everything is first written beside its target under a hidden name, flushed to the disk and renamed. Whatever
ends the process, the target holds the old content or the new one; what is left over is hidden, never read,
and removed by `tidy`. For POSIX systems; one process at a time writes to a target.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = re.compile(r"\..+\.(\d+)\.partial")


class StoreError(Exception):
    """The disk refused: full, read-only, missing or not readable. What was there before is still there."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # both, so that it can travel between processes
        self.path = path
        """The file or folder that was asked for, not the hidden one beside it."""
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@contextmanager
def disk(path: Path, doing: str) -> Iterator[None]:
    """Turns every OSError of the block into a `StoreError` that names `path` and what was being done."""
    try:
        yield
    except OSError as error:
        raise StoreError(path, f"cannot {doing}: {error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or a folder under the yielded path; it becomes `path` only if the block succeeds.

    An existing file is replaced in one move. An existing folder cannot be: it is first moved to the hidden
    name of `previous`, where `settled` and `tidy` find it should the process end between the two moves.

    Args:
        path: the target; missing parent folders are made.

    Yields:
        A path beside the target at which nothing exists yet; the block makes a file or a folder there.

    Raises:
        StoreError: the disk refused, or the block wrote nothing. Exceptions of the block that are no OSError
            pass through. In every case the target is as before and the partial work is removed.
    """
    partial = _partial(path)
    with disk(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        _restore(path)
        remove(partial)
        try:
            yield partial
            if not os.path.lexists(partial):
                raise StoreError(path, f"nothing was written to {partial.name}")
            _flush(partial)
            _swap(partial, path)
        except BaseException:
            with suppress(OSError):  # a disk that refuses even this: tidied up later
                remove(partial)
            raise


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8; raises StoreError if the disk refuses."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        StoreError: it is missing or cannot be read.
        ValueError: it is not UTF-8.
    """
    with disk(path, "read"):
        content = path.read_bytes()
    return decoded(content, path)


def decoded(content: bytes, path: Path) -> str:
    """Bytes of a file as text; raises ValueError naming the file if they are not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8, byte {error.start} of {len(content)}: {error.reason}") from None


def settled(path: Path) -> Path:
    """Where the content of `path` is: there, or where a process killed while replacing it left it."""
    previous = _previous(path)
    return previous if not os.path.lexists(path) and os.path.lexists(previous) else path


def tidy(folder: Path) -> None:
    """Remove what killed processes left in `folder` (not below it), and put back what they had moved away.

    Partial work of another process that still runs is left alone.

    Raises:
        StoreError: the disk refused.
    """
    with disk(folder, "tidy up"):
        for left in sorted(folder.glob(".*")):
            writer = _PARTIAL.fullmatch(left.name)
            if writer and not _runs_elsewhere(int(writer[1])):
                remove(left)
            elif left.name.endswith(".previous"):
                _restore(left.with_name(left.name.removeprefix(".").removesuffix(".previous")))


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _previous(path: Path) -> Path:
    return path.with_name(f".{path.name}.previous")


def _swap(partial: Path, path: Path) -> None:
    """Move `partial` to `path` and what was there out of the way; both are complete and on the disk."""
    if not path.is_dir() or path.is_symlink():
        os.replace(partial, path)
        _sync(path.parent)
        return
    previous = _previous(path)
    os.rename(path, previous)
    try:
        os.rename(partial, path)
    except BaseException:
        os.rename(previous, path)
        raise
    _sync(path.parent)
    with suppress(OSError):  # the new folder stands; what stays of the old one is tidied up later
        _discard(previous, partial)


def _restore(path: Path) -> None:
    """Undo a replacement of a folder that ended between its two moves."""
    previous = _previous(path)
    if not os.path.lexists(previous):
        return
    if os.path.lexists(path):
        _discard(previous, _partial(path))
    else:
        os.rename(previous, path)
        _sync(path.parent)


def _discard(previous: Path, partial: Path) -> None:
    """Remove a folder that was moved away, under the name of partial work: a `previous` is always whole."""
    os.rename(previous, partial)
    remove(partial)


def remove(path: Path) -> None:
    """Delete a file or a whole folder, if it is there; raises OSError if the disk refuses."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Bring a file, or a folder with all that is in it, to the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            _sync(Path(folder, name))
        _sync(Path(folder))
    if not path.is_dir():
        _sync(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _runs_elsewhere(process: int) -> bool:
    """Whether another process of this machine has that id. Containers give theirs again: ours is no other."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

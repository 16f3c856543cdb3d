"""Files and folders that are replaced completely or not at all.

Content is first written beside its target under a hidden name, flushed to the disk and renamed. However the
process ends, the target holds the old content or the new one; leftovers are hidden, never read, and removed
by `tidy`. For POSIX systems; one process at a time writes to a target.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = re.compile(r"\..+\.(\d+)\.partial")


class StoreError(Exception):
    """The disk refused: full, read-only, missing or unreadable. Earlier content is unchanged."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # both, so that it can be pickled
        self.path = path
        """The requested file or folder, not the hidden one beside it."""
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@contextmanager
def disk(path: Path, doing: str) -> Iterator[None]:
    """Turns every OSError of the block into a `StoreError` that names `path` and the action `doing`."""
    try:
        yield
    except OSError as error:
        raise StoreError(path, f"cannot {doing}: {error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or a folder under the yielded path; it becomes `path` only if the block succeeds.

    An existing file is replaced in one move. An existing folder cannot be: it is first moved to a hidden
    name, where `settled` and `tidy` find it if the process ends between the two moves.

    Args:
        path: the target; missing parent folders are made.

    Yields:
        A path beside the target where nothing exists yet; the block makes a file or a folder there.

    Raises:
        StoreError: the disk refused, the block wrote nothing, or it wrote a file where there is a folder, all
            of which would be lost. Exceptions of the block other than OSError pass through. In every case the
            target is unchanged and the partial work is removed.
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
            if path.is_dir() and not partial.is_dir():
                raise StoreError(path, "is a folder; a file cannot be written there")
            _flush(partial)
            _swap(partial, path)
        except BaseException:
            with suppress(OSError):  # if the disk refuses even this, `tidy` removes it later
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


def decoded(content: bytes, where: Path | str) -> str:
    """Bytes of a file as text; raises ValueError naming the file or line if they are not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"byte {error.start} of {len(content)}"
        raise ValueError(f"{where}: not UTF-8, {place}: {error.reason}") from None


def settled(path: Path) -> Path:
    """Where the content of `path` is: there, or where a process killed while replacing it left it."""
    previous = _previous(path)
    return previous if not os.path.lexists(path) and os.path.lexists(previous) else path


def tidy(folder: Path) -> None:
    """Remove what killed processes left in `folder` (not below it), and restore what they had moved away.

    Partial work of a process that is still running is left alone.

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
    """Move `partial` to `path`, and the earlier content out of the way; both are complete and on disk."""
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
    with suppress(OSError):  # the new folder is in place; `tidy` removes the rest of the old one later
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
    """Remove a folder that was moved away, renamed as partial work first: a `previous` is always complete."""
    os.rename(previous, partial)
    remove(partial)


def remove(path: Path) -> None:
    """Delete a file or a whole folder, if it is there; raises OSError if the disk refuses."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Flush a file, or a folder with everything in it, to the disk."""
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
    """Whether another process of this machine has that id. Containers reuse ids: our own does not count."""
    return process != os.getpid() and is_running(process)


def is_running(process: int) -> bool:
    """Whether a process of this machine has that id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""What ran, failed, and how long: one file a cell, replaced as a whole.

Only the process that works on a cell writes its file, under the cell's lock; the process that runs the grid
writes before the first cell begins, and a worker marks a cell that it cannot try. So a grid that is killed at
any moment knows which cells are done.
"""

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal, get_args

from spa_lab.pipeline.usage import Usage
from spa_lab.store import InUseError, writing
from spa_lab.store.files import read_text, write_text
from spa_lab.store.lines import SCHEMA, dump, load

State = Literal["waiting", "running", "done", "failed", "blocked"]
"""Blocked: a cell that it needs has failed or is blocked, or another process works on it."""
End = Literal["running", "done", "failed", "interrupted"]
LOCK_SECONDS = 60.0
"""How long to wait for a process that still works on a cell although its grid was killed."""


@dataclass(frozen=True)
class Attempt:
    """One try at a cell."""

    end: End
    begun: str
    """Time of day, UTC."""
    host: str
    process: int
    seconds: float | None = None
    """Wall time; None unless it ended by itself."""
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    """Largest resident memory of a process."""
    error: str | None = None
    """One line."""
    traceback: str | None = None


@dataclass(frozen=True)
class Record:
    """A cell and its attempts, the latest last."""

    id: str
    state: State = "waiting"
    attempts: tuple[Attempt, ...] = ()
    reason: str = ""
    """Why it is blocked, if no other cell tells."""

    @property
    def error(self) -> str:
        """Why it is blocked, or the error of the latest attempt; "" without one."""
        return self.reason or (self.attempts and self.attempts[-1].error) or ""

    def total(self, field: Literal["seconds", "cpu_seconds"]) -> float:
        """Over all attempts that ended by themselves."""
        return sum(getattr(attempt, field) or 0.0 for attempt in self.attempts)

    @property
    def peak_bytes(self) -> int:
        """The largest of all attempts; 0 without one."""
        return max((attempt.peak_bytes or 0 for attempt in self.attempts), default=0)


class Ledger:
    """The records of a grid.

    Args:
        folder: holds them; a folder a cell.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, cell: str) -> Record:
        """The record of a cell; one that waits if nothing has been tried.

        Raises:
            ValueError: the file is broken (names it).
            StoreError: it cannot be read.
        """
        path = self._path(cell)
        if not path.exists():
            return Record(cell)
        facts = load(read_text(path), str(path))
        try:
            attempts = tuple(Attempt(**attempt) for attempt in facts["attempts"])
            record = Record(facts["cell"], facts["state"], attempts, facts.get("reason", ""))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: no record of a cell: {error!r}") from None
        if record.state not in get_args(State):
            raise ValueError(f"{path}: 'state' is {record.state!r}, expected {', '.join(get_args(State))}")
        return record

    def settle(self, cells: Iterable[str], *, retry: bool) -> None:
        """Before a grid is run: what was running was interrupted and waits again.

        So do blocked cells, and failed ones if `retry`. Only while nobody else runs the grid.
        """
        for cell in cells:
            record = self.read(cell)
            if record.state == "running":
                self._write(_ended(record, "waiting", "interrupted"))
            elif record.state == "blocked" or (record.state == "failed" and retry):
                self._write(replace(record, state="waiting", reason=""))

    def reopen(self, cell: str) -> State:
        """A cell that was done waits again; what it took then counts no more."""
        record = self.read(cell)
        undone = (
            replace(each, end="interrupted", seconds=None, cpu_seconds=None) if each.end == "done" else each
            for each in record.attempts
        )
        self._write(replace(record, state="waiting", attempts=tuple(undone)))
        return "waiting"

    @contextmanager
    def working(self, cell: str) -> Iterator[None]:
        """The cell's lock; waits `LOCK_SECONDS` for another process that works on the cell.

        Raises:
            InUseError: the other process needs longer.
            StoreError: the disk refused.
        """
        end = monotonic() + LOCK_SECONDS
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(writing(self._path(cell).parent))
                    break
                except InUseError:
                    if monotonic() > end:
                        raise
                    sleep(0.1)
            yield

    def start(self, cell: str) -> None:
        """An attempt begins; an attempt that was killed counts as interrupted."""
        record = self.read(cell)
        if record.attempts and record.attempts[-1].end == "running":
            record = _ended(record, "running", "interrupted")
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        attempt = Attempt("running", begun, socket.gethostname(), os.getpid())
        self._write(replace(record, state="running", reason="", attempts=(*record.attempts, attempt)))

    def block(self, cell: str, reason: str = "") -> None:
        """The cell cannot be tried now, unless another process has ended it meanwhile.

        Args:
            cell: its id.
            reason: one line; "" if a cell that it needs has failed.
        """
        record = self.read(cell)
        if record.state not in ("done", "failed"):
            self._write(replace(record, state="blocked", reason=reason))

    def finish(self, cell: str, seconds: float, used: Usage) -> None:
        """The running attempt is done."""
        facts = {"seconds": round(seconds, 3), "cpu_seconds": round(used.cpu_seconds, 3)}
        self._write(_ended(self.read(cell), "done", "done", **facts, peak_bytes=used.peak_bytes))

    def fail(self, cell: str, seconds: float, error: str, traceback: str) -> None:
        """The running attempt failed."""
        facts = {"seconds": round(seconds, 3), "error": error, "traceback": traceback}
        self._write(_ended(self.read(cell), "failed", "failed", **facts))

    def _path(self, cell: str) -> Path:
        return self.folder / cell / "cell.json"

    def _write(self, record: Record) -> None:
        attempts = [asdict(attempt) for attempt in record.attempts]
        facts = {"schema": SCHEMA, "holds": "cell", "cell": record.id, "state": record.state}
        if record.reason:
            facts["reason"] = record.reason
        write_text(self._path(record.id), dump(facts | {"attempts": attempts}, indent=1) + "\n")


def _ended(record: Record, state: State, end: End, **facts: Any) -> Record:
    """The record with its latest attempt ended."""
    *earlier, last = record.attempts
    return replace(record, state=state, reason="", attempts=(*earlier, replace(last, end=end, **facts)))

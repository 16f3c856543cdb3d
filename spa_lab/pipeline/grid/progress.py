"""How much of a grid is done, and how long the rest will take."""

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

from tqdm.auto import tqdm

from spa_lab.pipeline.grid.ledger import Ledger, Record
from spa_lab.store import StoreError

if TYPE_CHECKING:
    from spa_lab.pipeline.grid.execute import Work

LOOK_SECONDS, LOG_SECONDS = 1.0, 60.0
"""Between two looks at the ledger, on a terminal and where every look adds a line to a log."""
_BAR = "{n_fmt}/{total_fmt} cells |{bar}| {elapsed}{postfix}"


def expected_seconds(cells: "Sequence[Work]", records: dict[str, Record]) -> dict[str, float | None]:
    """Cell -> wall time that it took or is likely to take, from what is done.

    Args:
        cells: of a grid.
        records: of these cells.

    Returns:
        The cell's own time if it is done; else the mean of those of the same setting with other seeds, else
        of the same kind, else of all arms or all shared stages; None if nothing of that is done.
    """
    done = [cell for cell in cells if records[cell.id].state == "done"]
    seconds = {cell.id: records[cell.id].total("seconds") for cell in done}
    expected: dict[str, float | None] = {}
    for cell in cells:
        alike = (
            [other for other in done if other.id == cell.id],
            [other for other in done if other.setting == cell.setting],
            [other for other in done if other.kind == cell.kind],
            [other for other in done if (other.parent is None) == (cell.parent is None)],
        )
        known = next((group for group in alike if group), [])
        expected[cell.id] = fmean(seconds[other.id] for other in known) if known else None
    return expected


def seconds_left(
    cells: "Sequence[Work]", records: dict[str, Record], jobs: int, now: datetime
) -> tuple[float, bool]:
    """Wall time that is left with so many jobs, and whether it covers all cells that are left.

    A running cell that has taken longer than expected is not covered.
    """
    expected = expected_seconds(cells, records)
    left, complete = 0.0, True
    for cell in cells:
        record, likely = records[cell.id], expected[cell.id]
        if record.state in ("done", "failed", "blocked"):
            continue
        begun = datetime.fromisoformat(record.attempts[-1].begun) if record.state == "running" else now
        remaining = (likely or 0.0) - (now - begun).total_seconds()
        complete &= likely is not None and remaining >= 0
        left += max(remaining, 0.0)
    return left / jobs, complete


def in_words(seconds: float) -> str:
    """E.g. "45 s", "12 min", "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


class Watch:
    """A line on stderr while a grid is run: cells done, running and failed, and the time left.

    Args:
        ledger: of the grid.
        cells: all of them.
        jobs: cells side by side.
        shown: False shows nothing.
    """

    def __init__(self, ledger: Ledger, cells: "Sequence[Work]", jobs: int, *, shown: bool) -> None:
        self._ledger, self._cells, self._jobs = ledger, cells, jobs
        self._records = {cell.id: ledger.read(cell.id) for cell in cells}
        self._bar = tqdm(total=len(cells), bar_format=_BAR, disable=not shown)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()
        self._look()
        self._bar.close()

    def _look_on(self) -> None:
        while not self._end.wait(LOOK_SECONDS if sys.stderr.isatty() else LOG_SECONDS):
            self._look()

    def _look(self) -> None:
        for cell in self._cells:
            if self._records[cell.id].state != "done":
                with suppress(StoreError, ValueError):  # a disk that is slow to show a new file
                    self._records[cell.id] = self._ledger.read(cell.id)
        states = [record.state for record in self._records.values()]
        left, complete = seconds_left(self._cells, self._records, self._jobs, datetime.now(UTC))
        running = [cell.title for cell in self._cells if self._records[cell.id].state == "running"]
        failed = f", {states.count('failed')} failed" if "failed" in states else ""
        about = f"{'about' if complete else 'more than'} {in_words(left)} left"
        if not complete and not left:
            about = "time left unknown"
        self._bar.n = states.count("done")
        self._bar.set_postfix_str(f"{about}{failed}; {'; '.join(running) or 'none running'}")

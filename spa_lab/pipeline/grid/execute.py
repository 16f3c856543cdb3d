"""Runs cells on joblib: side by side here, or on the workers of Ray or Dask, on one file system.

Every cell is a function call that waits for its parent, takes the cell's lock, works, and leaves its end in
the ledger. It raises only if the ledger cannot be read or written, which ends the grid: cells that need this
one would wait forever. Cells start in order and each comes after its parent, so that of those that were
started, the first unfinished one never waits.
"""

import os
import socket
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import perf_counter, sleep
from types import MappingProxyType
from typing import Protocol, TypeVar

from joblib import Parallel, delayed, parallel_config

from spa_lab.pipeline.grid.ledger import Ledger
from spa_lab.pipeline.grid.progress import Watch
from spa_lab.pipeline.usage import Usage
from spa_lab.store import InUseError, writing
from spa_lab.store.files import is_running

LEDGER = "ledger"
"""Folder of the ledger within a grid's."""
POLL_SECONDS = 0.2
SHOWN_ERROR = 300
"""Characters of an error in the ledger; the traceback is whole."""


class Work(Protocol):
    """A cell as the executor sees it."""

    @property
    def id(self) -> str:
        """Unique within a grid; parts of it are separated by "/"."""

    @property
    def title(self) -> str:
        """For a line of text."""

    @property
    def setting(self) -> str:
        """Cells of the same setting take about as long."""

    @property
    def kind(self) -> str:
        """Cells of one kind take a similar time, if nothing better is known."""

    @property
    def parent(self) -> str | None:
        """Id of the cell that must be done before."""


W = TypeVar("W", bound=Work)


@dataclass(frozen=True)
class Owner:
    """The process that runs the grid."""

    host: str
    process: int


def run_cells(
    out: Path,
    cells: Sequence[W],
    do: Callable[[Path, W], Usage],
    *,
    jobs: int = 1,
    backend: str = "loky",
    retry: bool = False,
    watch: bool = True,
    there: Callable[[Path, W], bool] = lambda out, cell: True,
) -> None:
    """Do all cells that are not done; what fails is in the ledger and stops only the cells that need it.

    Args:
        out: the grid's folder, shared by all workers.
        cells: each after its parent.
        do: a function of a module that does a cell, given the grid's folder; called again after a kill, it
            continues.
        jobs: cells side by side, >= 1.
        backend: of joblib: "loky" (processes of this machine), "ray", "dask".
        retry: try failed cells again.
        watch: show progress on stderr.
        there: whether the results of a done cell are still there; otherwise it is done again if needed.

    Raises:
        ValueError: `jobs` is below 1, or the backend is unknown or not installed.
        StoreError: another process runs this grid, or the disk refused.
        ChildProcessError: a worker of the backend was killed; what it did continues with the next call.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    _register(backend)
    ledger, owner = Ledger(out / LEDGER), Owner(socket.gethostname(), os.getpid())
    with writing(out):
        ledger.settle([cell.id for cell in cells], retry=retry)
        _reopen(ledger, cells, lambda cell: there(out, cell))
        todo = [cell for cell in cells if ledger.read(cell.id).state == "waiting"]
        if not todo:
            return
        with Watch(ledger, cells, jobs, shown=watch), parallel_config(backend=backend, n_jobs=jobs):
            calls = (delayed(attempt)(out, cell, do, owner) for cell in todo)
            try:
                # no cell may be handed out before all before it were started: see the module
                Parallel(batch_size=1, pre_dispatch="n_jobs")(calls)
            except RuntimeError as error:  # loky's TerminatedWorkerError, among others
                raise ChildProcessError(
                    f"{out}: a worker process ended ({type(error).__name__}); run the grid again to continue"
                ) from error


def _reopen(ledger: Ledger, cells: Sequence[W], there: Callable[[W], bool]) -> None:
    """Let done cells wait again whose results are gone, where a cell that waits needs them."""
    needed: set[str | None] = set()
    for cell in reversed(cells):  # each comes after its parent
        state = ledger.read(cell.id).state
        if state == "done" and cell.id in needed and not there(cell):
            state = ledger.reopen(cell.id)
        if state == "waiting":
            needed.add(cell.parent)


def attempt(out: Path, cell: W, do: Callable[[Path, W], Usage], owner: Owner) -> None:
    """Try a cell, in a worker of the backend; see the module."""
    end_with(owner)
    ledger = Ledger(out / LEDGER)
    if not _parent_done(ledger, cell):
        ledger.block(cell.id)
        return
    try:
        with ledger.working(cell.id):
            # a worker of a grid that was killed may still have been at it
            if ledger.read(cell.id).state not in ("done", "failed"):
                _work(out, cell, do, ledger)
    except InUseError as error:  # and may need longer: the next call of the grid looks again
        ledger.block(cell.id, error.reason)


def _work(out: Path, cell: W, do: Callable[[Path, W], Usage], ledger: Ledger) -> None:
    """Do a cell whose lock is ours."""
    ledger.start(cell.id)
    began = perf_counter()
    try:
        used = do(out, cell)
    except Exception as error:  # noqa: BLE001  whatever a method raises is the end of its cell alone
        line = " ".join(f"{type(error).__name__}: {error}".split())[:SHOWN_ERROR]
        text = "".join(traceback.format_exception(error))
        ledger.fail(cell.id, perf_counter() - began, line, text)
    else:
        ledger.finish(cell.id, perf_counter() - began, used)


def _parent_done(ledger: Ledger, cell: Work) -> bool:
    """Wait for the cell's parent; False if it failed or waits for one that did."""
    while cell.parent is not None:
        state = ledger.read(cell.parent).state
        if state in ("done", "failed", "blocked"):
            return state == "done"
        sleep(POLL_SECONDS)
    return True


_ends_with: set[Owner] = set()
"""Owners that this process already watches."""


def end_with(owner: Owner) -> None:
    """End this process when the owner, on the same machine, is gone: a killed grid leaves nobody writing."""
    if owner in _ends_with or owner.host != socket.gethostname() or owner.process == os.getpid():
        return
    _ends_with.add(owner)
    is_child = os.getppid() == owner.process

    def look() -> None:
        while os.getppid() == owner.process if is_child else is_running(owner.process):
            sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _ray() -> None:
    import_module("ray.util.joblib").register_ray()


def _dask() -> None:
    import_module("dask.distributed").Client()  # the scheduler of Dask's configuration, or one of its own


BACKENDS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"loky": lambda: None, "ray": _ray, "dask": _dask}
)
"""Backend of joblib -> what makes it available."""


def _register(backend: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; there are: {', '.join(BACKENDS)}")
    try:
        BACKENDS[backend]()
    except ImportError as error:
        raise ValueError(f"backend {backend!r} is not installed: {error}") from None

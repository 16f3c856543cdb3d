"""Cells of milliseconds for the tests of grids; as a program, a grid of them to be killed.

    python grid_tasks.py FOLDER JOBS

Every cell appends a line to FOLDER/log when it begins and leaves FOLDER/results/ID when it ends.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spa_lab.pipeline.grid.execute import run_cells
from spa_lab.pipeline.usage import Usage
from spa_lab.store.files import write_text


@dataclass(frozen=True)
class FakeCell:
    id: str
    parent: str | None = None

    @property
    def title(self) -> str:
        return self.id

    @property
    def setting(self) -> str:
        return self.id.rpartition("-seed-")[0]

    @property
    def kind(self) -> str:
        return self.id.split("-")[0]


def fake_cells(seeds: int) -> list[FakeCell]:
    """Per seed a chain of two shared cells, and three arms on either."""
    shared, arms = [], []
    for seed in range(seeds):
        clone, explore = f"shared/clone-seed-{seed}", f"shared/explore-seed-{seed}"
        shared += [FakeCell(clone), FakeCell(explore, clone)]
        arms += [
            FakeCell(f"runs/{name}-seed-{seed}", parent)
            for name, parent in (("plain", clone), ("spa", explore), ("critic", explore))
        ]
    return [*sorted(shared, key=lambda cell: cell.parent is not None), *arms]


def do_fake(out: Path, cell: FakeCell) -> Usage:
    """A result that depends on the parent's; "broken" in the id fails until the file `mended` exists."""
    with (out / "log").open("a") as log:
        log.write(f"{cell.id} {os.getpid()}\n")
    if "broken" in cell.id and not (out / "mended").exists():
        raise ValueError(f"{cell.id} is\nbroken")
    time.sleep(0.01)
    before = (out / "results" / cell.parent).read_text() if cell.parent else ""
    write_text(out / "results" / cell.id, f"{before}{cell.id}\n")
    return Usage(0.5, 1000)


if __name__ == "__main__":
    run_cells(Path(sys.argv[1]), fake_cells(8), do_fake, jobs=int(sys.argv[2]), watch=False)

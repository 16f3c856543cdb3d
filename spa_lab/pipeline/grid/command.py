"""The command `spa-lab compare`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spa_lab.configs.server import ServerConfig
from spa_lab.pipeline.comparison import Comparison
from spa_lab.pipeline.grid.cells import Cell, check_reads, grid_cells
from spa_lab.pipeline.grid.comparison import as_spec, compare
from spa_lab.pipeline.grid.execute import LEDGER
from spa_lab.pipeline.grid.ledger import Ledger, Record
from spa_lab.pipeline.grid.progress import expected_seconds, in_words
from spa_lab.pipeline.grid.report import write_report
from spa_lab.pipeline.joined import joined, joined_notes
from spa_lab.view.markdown import markdown_table
from spa_lab.view.tables.comparison_rows import comparison_rows


def run_compare(options: argparse.Namespace, server: ServerConfig | None) -> tuple[str, bool]:
    """Run, list or report a grid; what to print, and whether all cells are done.

    Raises:
        ValueError, StoreError, ChildProcessError: as `compare`, `Comparison.read` and `joined`.
    """
    spec = as_spec(options.spec)
    out = options.out or Path("runs") / options.spec.stem
    if options.dry_run:
        check_reads(spec)
        return _listing(grid_cells(spec), Ledger(out / LEDGER), options.jobs), True
    others = [Comparison.read(folder) for folder in options.join]  # a wrong folder is said before the work
    made = compare(
        spec, out, jobs=options.jobs, backend=options.backend, retry=options.retry, run=not options.report,
        server=server,
    )  # fmt: skip
    if others:
        made = joined([made, *others])
    return _summary(made, out), bool((made.outcomes.cells["state"] == "done").all())


def _listing(cells: Sequence[Cell], ledger: Ledger, jobs: int) -> str:
    """A line a cell: its state, its wall time or an estimate; and the total of what is left."""
    records = {cell.id: ledger.read(cell.id) for cell in cells}
    expected = expected_seconds(cells, records)
    width = max(len(cell.title) for cell in cells)
    lines = [
        f"{records[cell.id].state:<10} {_duration(records[cell.id], expected[cell.id]):>14}  "
        f"{cell.title:<{width}}  {cell.id}"
        for cell in cells
    ]
    left = [cell for cell in cells if records[cell.id].state != "done"]
    seconds = [expected[cell.id] for cell in left]
    known = sum(value or 0.0 for value in seconds) / jobs
    about = f"{'more than' if None in seconds else 'about'} {in_words(known)} left with {jobs} at a time"
    if left and not known:
        about = "time left unknown"
    total = f"{len(cells)} cells, {len(cells) - len(left)} done; {about}"
    return "\n".join([*lines, "", total])


def _duration(record: Record, expected: float | None) -> str:
    if expected is None:
        return "unknown"
    return in_words(expected) if record.state == "done" else f"about {in_words(expected)}"


def _summary(made: Comparison, out: Path) -> str:
    """The table of every world, what failed, what was joined, and where the report is."""
    parts = []
    for world, table in made.tables.items():
        parts += [world, "", markdown_table(*comparison_rows(table, made.reference))]
    for row in made.failed.itertuples():
        parts.append(f"{row.state}: {row.cell}: {row.error}")
    parts += joined_notes(made)
    counts = made.outcomes.cells["state"].value_counts()
    parts.append(", ".join(f"{n} {state}" for state, n in counts.items()) + f" of {counts.sum()} cells")
    if made.worlds:
        report, *pictures = write_report(made, out / "report")
        parts.append(f"report: {report}, {len(pictures)} figures")
    return "\n".join(parts)

"""Grids of tiny cells: order, failures, retries, kills, and what the ledger knows."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spa_lab.pipeline.grid import ledger as ledger_module
from spa_lab.pipeline.grid.execute import LEDGER, run_cells
from spa_lab.pipeline.grid.ledger import Attempt, Ledger, Record
from spa_lab.pipeline.grid.progress import expected_seconds, in_words, seconds_left
from spa_lab.pipeline.usage import Usage
from spa_lab.store import StoreError, writing

HERE = Path(__file__).resolve().parent
DEADLINE = 240.0


@pytest.fixture(scope="module")
def tasks(importable: Callable[[str], ModuleType]) -> ModuleType:
    return importable("grid_tasks")


def _begun(out: Path) -> list[str]:
    log = out / "log"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def _states(out: Path, cells: list) -> dict[str, str]:
    return {cell.id: Ledger(out / LEDGER).read(cell.id).state for cell in cells}


def test_each_cell_is_done_once_and_after_its_parent(tasks: ModuleType, tmp_path: Path) -> None:
    cells = tasks.fake_cells(2)
    run_cells(tmp_path, cells, tasks.do_fake, watch=False)
    assert _begun(tmp_path) == [cell.id for cell in cells]
    assert set(_states(tmp_path, cells).values()) == {"done"}
    assert (tmp_path / "results/runs/spa-seed-1").read_text().split() == [
        "shared/clone-seed-1",
        "shared/explore-seed-1",
        "runs/spa-seed-1",
    ]
    record = Ledger(tmp_path / LEDGER).read("runs/spa-seed-1")
    (only,) = record.attempts
    assert (only.end, only.cpu_seconds, record.peak_bytes, only.process) == ("done", 0.5, 1000, os.getpid())
    assert record.total("seconds") >= 0.01 and record.error == ""
    run_cells(tmp_path, cells, tasks.do_fake, watch=False)
    run_cells(tmp_path, tasks.fake_cells(3), tasks.do_fake, watch=False)
    assert sorted(_begun(tmp_path)) == sorted(cell.id for cell in tasks.fake_cells(3))


def test_a_failure_stops_only_what_needs_it(tasks: ModuleType, tmp_path: Path) -> None:
    cells = [
        tasks.FakeCell("shared/broken-seed-0"),
        tasks.FakeCell("shared/middle-seed-0", "shared/broken-seed-0"),
        tasks.FakeCell("runs/last-seed-0", "shared/middle-seed-0"),
        tasks.FakeCell("runs/other-seed-0"),
    ]
    run_cells(tmp_path, cells, tasks.do_fake, watch=False)
    assert list(_states(tmp_path, cells).values()) == ["failed", "blocked", "blocked", "done"]
    (tried,) = Ledger(tmp_path / LEDGER).read(cells[0].id).attempts
    assert tried.error == "ValueError: shared/broken-seed-0 is broken"
    assert "do_fake" in (tried.traceback or "")
    (tmp_path / "mended").touch()
    run_cells(tmp_path, cells, tasks.do_fake, watch=False)  # not without being asked
    assert list(_states(tmp_path, cells).values()) == ["failed", "blocked", "blocked", "done"]
    run_cells(tmp_path, cells, tasks.do_fake, retry=True, watch=False)
    assert set(_states(tmp_path, cells).values()) == {"done"}
    ends = [attempt.end for attempt in Ledger(tmp_path / LEDGER).read(cells[0].id).attempts]
    assert ends == ["failed", "done"]
    assert _begun(tmp_path).count("runs/other-seed-0") == 1


def test_a_done_cell_whose_results_were_removed_is_done_again_if_needed(
    tasks: ModuleType, tmp_path: Path
) -> None:
    def there(out: Path, cell: Any) -> bool:
        return (out / "results" / cell.id).exists()

    cells = tasks.fake_cells(1)
    run_cells(tmp_path, cells, tasks.do_fake, watch=False)
    shared = [cell for cell in cells if cell.id.startswith("shared/")]
    for cell in shared:
        (tmp_path / "results" / cell.id).unlink()
    run_cells(tmp_path, cells, tasks.do_fake, watch=False, there=there)
    assert _begun(tmp_path) == [cell.id for cell in cells], "nobody needs them"
    more = [*cells, tasks.FakeCell("runs/new-seed-0", shared[-1].id)]
    run_cells(tmp_path, more, tasks.do_fake, watch=False, there=there)
    assert _begun(tmp_path)[len(cells) :] == [*(cell.id for cell in shared), "runs/new-seed-0"]
    assert set(_states(tmp_path, more).values()) == {"done"}
    ends = [attempt.end for attempt in Ledger(tmp_path / LEDGER).read(shared[-1].id).attempts]
    assert ends == ["interrupted", "done"], "its time counts once"


def test_killed_at_random_moments(tasks: ModuleType, tmp_path: Path) -> None:
    """SIGKILL of the grid with two workers, which must not go on; then it is finished here."""
    rng, cells = random.Random(0), tasks.fake_cells(8)
    kills = 0
    while kills < 2:
        before, done = len(_begun(tmp_path)), set(_finished(tmp_path, cells))
        command = [sys.executable, str(HERE / "grid_tasks.py"), str(tmp_path), "2"]
        grid = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        end, wanted = time.monotonic() + DEADLINE, before + rng.randint(1, 4)
        while len(_begun(tmp_path)) < wanted and time.monotonic() < end:
            time.sleep(0.005)
        grid.send_signal(signal.SIGKILL)
        grid.wait()
        kills += 1
        assert not done & set(_begun(tmp_path)[before:]), "a cell that was done began again"
    before, done = len(_begun(tmp_path)), set(_finished(tmp_path, cells))
    run_cells(tmp_path, cells, tasks.do_fake, watch=False)
    assert set(_finished(tmp_path, cells)) == {cell.id for cell in cells}
    assert not done & set(_begun(tmp_path)[before:])
    for cell in cells:
        assert (tmp_path / "results" / cell.id).read_text().splitlines()[-1] == cell.id
        ends = [attempt.end for attempt in Ledger(tmp_path / LEDGER).read(cell.id).attempts]
        assert ends.count("done") == 1 and set(ends) <= {"done", "interrupted"}


def _finished(out: Path, cells: list) -> list[str]:
    return [cell for cell, state in _states(out, cells).items() if state == "done"]


def test_two_grids_cannot_run_in_one_folder(tasks: ModuleType, tmp_path: Path) -> None:
    with writing(tmp_path), pytest.raises(StoreError, match="is writing there"):
        run_cells(tmp_path, tasks.fake_cells(1), tasks.do_fake, watch=False)


def test_a_cell_that_another_process_works_on_is_left_alone(
    tasks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_SECONDS", 0.0)
    cell, ledger = tasks.FakeCell("runs/a-seed-0"), Ledger(tmp_path / LEDGER)
    child = tasks.FakeCell("runs/b-seed-0", cell.id)
    with ledger.working(cell.id):
        run_cells(tmp_path, [cell, child], tasks.do_fake, watch=False)
    assert _begun(tmp_path) == []
    assert list(_states(tmp_path, [cell, child]).values()) == ["blocked", "blocked"], "nobody waits forever"
    assert ledger.read(cell.id).error == f"process {os.getpid()} is writing there; one at a time"
    run_cells(tmp_path, [cell, child], tasks.do_fake, watch=False)
    assert set(_states(tmp_path, [cell, child]).values()) == {"done"} and ledger.read(cell.id).error == ""


def test_a_cell_that_another_process_ends_meanwhile_is_not_blocked(tasks: ModuleType, tmp_path: Path) -> None:
    cell, ledger = tasks.FakeCell("runs/a-seed-0"), Ledger(tmp_path / LEDGER)
    ledger.start(cell.id)  # of a grid that was killed
    ledger.settle([cell.id], retry=False)
    ledger.block(cell.id, "in use")
    ledger.finish(cell.id, 1.0, Usage(0.5, 1000))
    ledger.block(cell.id, "in use")
    assert (ledger.read(cell.id).state, ledger.read(cell.id).error) == ("done", "")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_refuses_the_ledger_ends_the_grid(tasks: ModuleType, tmp_path: Path, jobs: int) -> None:
    cells = [tasks.FakeCell("a-seed-0"), tasks.FakeCell("b-seed-0", "a-seed-0")]
    (tmp_path / LEDGER).mkdir()
    (tmp_path / LEDGER / "a-seed-0").write_text("")  # a file is in the way of the cell's folder
    with pytest.raises(StoreError, match="a-seed-0: cannot make the folder"):
        run_cells(tmp_path, cells, tasks.do_fake, jobs=jobs, watch=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "jobs must be at least 1, got 0"),
        ({"backend": "spark"}, "no backend 'spark'; there are: loky, ray, dask"),
    ],
)
def test_bad_arguments(tasks: ModuleType, tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_cells(tmp_path / "grid", tasks.fake_cells(1), tasks.do_fake, watch=False, **arguments)
    assert not (tmp_path / "grid").exists()


def test_a_backend_that_is_not_installed(
    tasks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="backend 'ray' is not installed"):
        run_cells(tmp_path, tasks.fake_cells(1), tasks.do_fake, backend="ray", watch=False)


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a" / "cell.json"
    path.parent.mkdir()
    path.write_text('{"schema": 2, "cell": "a", "state": "lost", "attempts": []}')
    with pytest.raises(ValueError, match=r"cell\.json: 'state' is 'lost', expected waiting, running"):
        Ledger(tmp_path).read("a")
    path.write_text('{"schema": 2, "cell": "a"}')
    with pytest.raises(ValueError, match=r"cell\.json: no record of a cell: KeyError"):
        Ledger(tmp_path).read("a")


def test_time_left(tasks: ModuleType) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    cells = [tasks.FakeCell(f"{name}-seed-{seed}") for name in ("runs/a", "runs/b") for seed in (0, 1, 2)]
    records = {cell.id: Record(cell.id) for cell in cells}
    assert seconds_left(cells, records, 1, now) == (0.0, False)

    def ended(cell: str, seconds: float) -> Record:
        return Record(cell, "done", (Attempt("done", now.isoformat(), "host", 1, seconds=seconds),))

    records["runs/a-seed-0"] = ended("runs/a-seed-0", 10.0)
    records["runs/a-seed-1"] = ended("runs/a-seed-1", 30.0)
    begun = (now - timedelta(seconds=5)).isoformat()
    records["runs/a-seed-2"] = Record("runs/a-seed-2", "running", (Attempt("running", begun, "host", 1),))
    expected = expected_seconds(cells, records)
    assert (expected["runs/a-seed-0"], expected["runs/a-seed-2"]) == (10.0, 20.0)  # the mean of its seeds
    assert expected["runs/b-seed-0"] == 20.0  # nothing of b is done
    # 15 s of the running one, three times 20 s, with two jobs
    assert seconds_left(cells, records, 2, now) == (37.5, True)
    late = now + timedelta(seconds=60)  # the running one takes longer than its seeds
    assert seconds_left(cells, records, 2, late) == (30.0, False)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (90, "2 min"), (3599, "1 h 00 min"), (7500, "2 h 05 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words

"""Training with a monitor: it draws while stages run, and an interrupted cell ends the workers."""

import asyncio
import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from spa_lab.configs.presets import LESSON
from spa_lab.pipeline import notebook as live
from spa_lab.pipeline.parallel import RunningTask, WorkerPool
from spa_lab.store import Run
from spa_lab.widgets import Monitor

CONFIG: dict[str, Any] = {"env": "household", "methods": ["spa"]}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Monitor]:
    """The displayed monitors, which reread the run often."""
    displayed: list[Monitor] = []
    monkeypatch.setattr(live, "display", displayed.append)
    monkeypatch.setattr(live, "clear_output", lambda wait: None)
    monkeypatch.setattr(live, "Monitor", lambda out: Monitor(out, seconds=0.01))
    return displayed


def _watched(out: Path) -> Any:
    return live.watched_train(out, "household", ("spa",), LESSON, seed=0, workers=1)


def test_the_monitor_draws_while_a_stage_runs(
    shown: list[Monitor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = threading.Event()

    def train(out: Path, *arguments: Any, **settings: Any) -> Run:
        run = Run.create(out, CONFIG, seed=settings["seed"])
        run.save_metrics("clone", [{"loss": 0.5}])
        for _ in range(500):
            if shown and "clone" in shown[0].shown:
                seen.set()
                break
            time.sleep(0.01)
        run.save_metrics("clone", [{"loss": 0.5}, {"loss": 0.25}])
        return run

    monkeypatch.setattr(live, "train", train)
    run = asyncio.run(_watched(tmp_path / "run"))
    assert seen.is_set() and run.path == tmp_path / "run"
    first, last = shown
    assert first is last and not last.live and last.to_frame()["loss"].tolist() == [0.5, 0.25]


def test_a_line_says_what_is_running_until_nothing_is(
    shown: list[Monitor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    def train(out: Path, *arguments: Any, workers: WorkerPool, **settings: Any) -> Run:
        run = Run.create(out, CONFIG, seed=0)
        workers.running["clone"] = RunningTask(0.25, time.perf_counter() - 5.0)
        for _ in range(500):
            if shown and shown[0].banner:
                seen.append(shown[0].banner)
                break
            time.sleep(0.01)
        return run

    monkeypatch.setattr(live, "train", train)
    asyncio.run(_watched(tmp_path / "run"))
    assert seen[0].startswith("clone 25%, about ") and shown[0].banner == ""


def test_what_is_running_in_words() -> None:
    running = {"clone": RunningTask(0.5, 10.0), "explore 1/2": RunningTask(0.0, 12.0)}
    assert live.in_words(running, 20.0) == "clone 50%, about 10 s left · explore 1/2 0%"
    assert live.in_words({}, 20.0) == ""


def test_errors_before_the_run_exists_are_raised(
    shown: list[Monitor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="there are: household"):
        asyncio.run(live.watched_train(tmp_path / "run", "moon", ("spa",), LESSON, seed=0, workers=1))
    assert shown == []


def test_an_interrupted_cell_ends_the_workers(
    shown: list[Monitor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workers: list[Any] = []

    def train(out: Path, *arguments: Any, **settings: Any) -> Run:
        run = Run.create(out, CONFIG, seed=0)
        workers.append(multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,)))
        workers[0].start()
        workers[0].join()
        return run

    monkeypatch.setattr(live, "train", train)

    async def interrupted() -> None:
        cell = asyncio.create_task(_watched(tmp_path / "run"))
        while not (workers and workers[0].is_alive() and shown):
            await asyncio.sleep(0.01)
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell

    asyncio.run(interrupted())
    workers[0].join(20)
    assert workers[0].exitcode is not None and workers[0].exitcode < 0

"""Worker pools: results in order, errors as they were raised, and no process left running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import active_children
from pathlib import Path
from types import ModuleType

import pytest

from spa_lab.pipeline.parallel import WorkerPool, WorkerTask
from spa_lab.store import StoreError

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 120.0
"""Seconds, enough on a busy machine; a worker that is not stopped sleeps for 300."""


@pytest.fixture(scope="module")
def worker_tasks(importable: Callable[[str], ModuleType]) -> ModuleType:
    return importable("worker_tasks")


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    assert active_children() == []


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{process}/stat")  # a zombie that its new parent has not reaped yet
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.05)


def test_results_in_order_from_processes_that_stay(
    worker_tasks: ModuleType, capsys: pytest.CaptureFixture
) -> None:
    with WorkerPool(2) as pool:
        assert pool.run([]) == []
        assert active_children() == []  # no process is started without a task
        tasks = [WorkerTask(f"say {text}", worker_tasks.echo, (text,)) for text in "abcde"]
        heard: list[None] = []
        seen: set[tuple[str, ...]] = set()
        first = pool.run(
            tasks,
            on_result=lambda result: seen.add(tuple(pool.running)),
            on_progress=lambda: heard.append(None),
        )
        assert len(heard) == 10  # two of each task
        assert pool.running == {} and max(map(len, seen)) <= 1  # one of two is finished, others wait
        assert {label for labels in seen for label in labels} <= {f"say {text}" for text in "abcde"}
        second = pool.run([WorkerTask(f"again {text}", worker_tasks.echo, (text,)) for text in "xy"])
    assert [text for text, _ in first] == list("abcde")
    assert [text for text, _ in second] == list("xy")
    processes = {process for _, process in (*first, *second)}
    assert len(processes) == 2 and os.getpid() not in processes
    bars = capsys.readouterr().err
    for text in "abcde":
        assert f"say {text} " in bars
    assert "loss=0.125" in bars and "100%|" in bars


def test_a_task_waits_for_those_it_needs_and_for_nothing_else(
    worker_tasks: ModuleType, tmp_path: Path
) -> None:
    """The task that all others wait for ends only if "any time" has been started beside it."""
    finished: list[str] = []
    made = str(tmp_path / "made")
    tasks = [
        WorkerTask("last", worker_tasks.echo, ("c",), frozenset({"middle", "not in the list"})),
        WorkerTask("middle", worker_tasks.echo, ("b",), frozenset({"first"})),
        WorkerTask("first", worker_tasks.wait_for, (made, "a")),
        WorkerTask("any time", worker_tasks.write, (made, "d")),
    ]
    with WorkerPool(2) as pool:
        results = pool.run(tasks, on_result=lambda result: finished.append(result.label))
    assert [text for text, _ in results] == list("cbad"), "in the order of the tasks"
    assert [label for label in finished if label != "any time"] == ["first", "middle", "last"]


def test_tasks_that_can_never_start_are_refused(worker_tasks: ModuleType) -> None:
    circle = [WorkerTask(a, worker_tasks.echo, (a,), frozenset({b})) for a, b in ("ab", "bc", "cb")]
    with WorkerPool(1) as pool:
        with pytest.raises(ValueError, match="tasks wait for each other: a, b, c"):
            pool.run(circle)
        with pytest.raises(ValueError, match="2 tasks have 1 different labels"):
            pool.run([WorkerTask("a", worker_tasks.echo, ("a",))] * 2)


def test_the_first_error_ends_all(worker_tasks: ModuleType, tmp_path: Path) -> None:
    process_file = tmp_path / "process"
    started = time.monotonic()
    with WorkerPool(2) as pool, pytest.raises(StoreError) as caught:
        pool.run(
            [
                WorkerTask("sleep", worker_tasks.write_and_sleep, (str(process_file),)),
                WorkerTask("fail", worker_tasks.fail, ("disk", str(process_file))),
                WorkerTask("never started", worker_tasks.write_and_sleep, (str(tmp_path / "never"),)),
            ]
        )
    assert time.monotonic() - started < 240
    assert str(caught.value) == "runs/a: cannot write: disk full" and caught.value.path == Path("runs/a")
    (note,) = caught.value.__notes__
    assert note.startswith("in the process of 'fail':\nTraceback") and "worker_tasks.py" in note
    assert _is_gone(int(process_file.read_text())) and not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("kind", "expected", "message"),
    [("foreign", ValueError, "GET answered 404"), ("bug", IndexError, "a bug")],
)
def test_errors_keep_their_type_and_message(
    worker_tasks: ModuleType, kind: str, expected: type[Exception], message: str, capfd: pytest.CaptureFixture
) -> None:
    with WorkerPool(1) as pool, pytest.raises(expected) as caught:
        pool.run([WorkerTask("fail", worker_tasks.fail, (kind, ""))])
    assert type(caught.value) is expected and str(caught.value) == message
    assert "Traceback" not in capfd.readouterr().err


def test_the_error_names_the_task_of_a_killed_process(worker_tasks: ModuleType) -> None:
    with WorkerPool(1) as pool, pytest.raises(ChildProcessError, match=r"'ppo': .* by SIGKILL .*memory"):
        pool.run([WorkerTask("ppo", worker_tasks.die, (int(signal.SIGKILL),))])


def test_a_process_killed_between_tasks_is_reported(worker_tasks: ModuleType) -> None:
    """Not as a broken pipe, which the command line takes for a closed standard output."""
    with WorkerPool(1) as pool:
        ((_, process),) = pool.run([WorkerTask("one", worker_tasks.echo, ("a",))])
        os.kill(process, signal.SIGKILL)
        _wait_until(lambda: _is_gone(process))
        with pytest.raises(ChildProcessError, match="'two': its process was killed by SIGKILL"):
            pool.run([WorkerTask("two", worker_tasks.echo, ("b",))])


def test_workers_end_with_a_killed_parent(worker_tasks: ModuleType, tmp_path: Path) -> None:
    """A remaining worker would write into a run that may have been resumed."""
    file = tmp_path / "process"
    program = (
        "from spa_lab.pipeline.parallel import WorkerPool, WorkerTask\n"
        "import worker_tasks\n"
        f"task = WorkerTask('sleep', worker_tasks.write_and_sleep, ({str(file)!r},))\n"
        "with WorkerPool(1) as pool: pool.run([task])"
    )
    path = os.pathsep.join((str(ROOT), str(Path(str(worker_tasks.__file__)).parent)))
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE
    )
    _wait_until(lambda: file.exists() and file.read_text() != "")
    parent.kill()
    _, stderr = parent.communicate()
    _wait_until(lambda: _is_gone(int(file.read_text())))
    assert b"Traceback" not in stderr


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least 1 worker process, got 0"):
        WorkerPool(0)

"""Crews of worker processes: results in order, errors as they were raised, and nobody left behind."""

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
PROMPTLY = 30.0
"""Seconds on a busy machine; what is not stopped sleeps for 60."""


@pytest.fixture(scope="module")
def jobs(importable: Callable[[str], ModuleType]) -> ModuleType:
    return importable("worker_tasks")


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    assert active_children() == []


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{process}/stat")  # an orphan whose new parent has not asked for it yet
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PROMPTLY
    while not condition():
        assert time.monotonic() < end, "still not"
        time.sleep(0.05)


def test_results_in_order_from_processes_that_stay(jobs: ModuleType, capsys: pytest.CaptureFixture) -> None:
    with WorkerPool(2) as crew:
        assert crew.run([]) == []
        assert active_children() == []  # nobody is begun for nothing
        first = crew.run([WorkerTask(f"say {text}", jobs.say, (text,)) for text in "abcde"])
        second = crew.run([WorkerTask(f"again {text}", jobs.say, (text,)) for text in "xy"])
    assert [text for text, _ in first] == list("abcde")
    assert [text for text, _ in second] == list("xy")
    processes = {process for _, process in (*first, *second)}
    assert len(processes) == 2 and os.getpid() not in processes
    bars = capsys.readouterr().err
    for text in "abcde":
        assert f"say {text} " in bars
    assert "loss=0.125" in bars and "100%|" in bars


def test_a_task_waits_for_those_it_needs_and_for_nothing_else(jobs: ModuleType) -> None:
    finished: list[str] = []
    tasks = [
        WorkerTask("last", jobs.say, ("c",), frozenset({"middle", "not in the list"})),
        WorkerTask("middle", jobs.say, ("b",), frozenset({"first"})),
        WorkerTask("first", jobs.say, ("a",)),
        WorkerTask("any time", jobs.say, ("d",)),
    ]
    with WorkerPool(2) as pool:
        results = pool.run(tasks, on_result=lambda result: finished.append(result.label))
    assert [text for text, _ in results] == list("cbad"), "in the order of the tasks"
    assert [label for label in finished if label != "any time"] == ["first", "middle", "last"]
    assert finished.index("any time") < finished.index("last")


def test_tasks_that_can_never_start_are_refused(jobs: ModuleType) -> None:
    circle = [WorkerTask(a, jobs.say, (a,), frozenset({b})) for a, b in ("ab", "bc", "cb")]
    with WorkerPool(1) as pool:
        with pytest.raises(ValueError, match="tasks wait for each other: a, b, c"):
            pool.run(circle)
        with pytest.raises(ValueError, match="2 tasks have 1 different labels"):
            pool.run([WorkerTask("a", jobs.say, ("a",))] * 2)


def test_the_first_error_ends_all(jobs: ModuleType, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    started = time.monotonic()
    with WorkerPool(2) as crew, pytest.raises(StoreError) as caught:
        crew.run(
            [
                WorkerTask("sleep", jobs.write_and_sleep, (str(begun),)),
                WorkerTask("fail", jobs.fail, ("disk", str(begun))),
                WorkerTask("never begun", jobs.write_and_sleep, (str(tmp_path / "never"),)),
            ]
        )
    assert time.monotonic() - started < 60
    assert str(caught.value) == "runs/a: cannot write: disk full" and caught.value.path == Path("runs/a")
    (note,) = caught.value.__notes__
    assert note.startswith("in the process of 'fail':\nTraceback") and "worker_tasks.py" in note
    assert _is_gone(int(begun.read_text())) and not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("kind", "expected", "message"),
    [("foreign", ValueError, "GET answered 404"), ("bug", IndexError, "a bug")],
)
def test_errors_arrive_as_what_they_are(
    jobs: ModuleType, kind: str, expected: type[Exception], message: str, capfd: pytest.CaptureFixture
) -> None:
    with WorkerPool(1) as crew, pytest.raises(expected) as caught:
        crew.run([WorkerTask("fail", jobs.fail, (kind, ""))])
    assert type(caught.value) is expected and str(caught.value) == message
    assert "Traceback" not in capfd.readouterr().err


def test_a_killed_process_is_named(jobs: ModuleType) -> None:
    with WorkerPool(1) as crew, pytest.raises(ChildProcessError, match=r"'ppo': .* by SIGKILL .*memory"):
        crew.run([WorkerTask("ppo", jobs.die, (int(signal.SIGKILL),))])


def test_a_process_killed_between_jobs_is_named(jobs: ModuleType) -> None:
    """Not as a broken pipe, which the command takes for a reader of its output that left."""
    with WorkerPool(1) as crew:
        ((_, process),) = crew.run([WorkerTask("one", jobs.say, ("a",))])
        os.kill(process, signal.SIGKILL)
        _wait_until(lambda: _is_gone(process))
        with pytest.raises(ChildProcessError, match="'two': its process was killed by SIGKILL"):
            crew.run([WorkerTask("two", jobs.say, ("b",))])


def test_nobody_outlives_a_killed_parent(jobs: ModuleType, tmp_path: Path) -> None:
    """A process that went on would write into a run that somebody has taken up again."""
    file = tmp_path / "process"
    program = (
        "from spa_lab.pipeline.parallel import WorkerPool, WorkerTask\n"
        "import worker_tasks\n"
        f"task = WorkerTask('sleep', worker_tasks.write_and_sleep, ({str(file)!r},))\n"
        "with WorkerPool(1) as pool: pool.run([task])"
    )
    path = os.pathsep.join((str(ROOT), str(Path(str(jobs.__file__)).parent)))
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE
    )
    _wait_until(lambda: file.exists() and file.read_text() != "")
    parent.kill()
    _, told = parent.communicate()
    _wait_until(lambda: _is_gone(int(file.read_text())))
    assert b"Traceback" not in told


def test_no_crew_of_nobody() -> None:
    with pytest.raises(ValueError, match="at least 1 worker process, got 0"):
        WorkerPool(0)

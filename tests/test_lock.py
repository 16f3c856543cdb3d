"""One command at a time: who holds a folder is named, and a killed one holds nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spa_lab.store import InUseError, Run, StoreError, writing

HOLDS = """
import sys, time
from pathlib import Path
from spa_lab.store import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def _holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with _holder(tmp_path / "run") as other:
        message = rf"run: process {other.pid} is writing there"
        with pytest.raises(InUseError, match=message), writing(tmp_path / "run"):
            raise AssertionError("both write")
        other.send_signal(signal.SIGKILL)
    assert (tmp_path / "run" / ".lock").read_text() == str(other.pid)  # left behind
    with writing(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())


def test_held_until_the_block_ends(tmp_path: Path) -> None:
    for _ in range(2):
        with writing(tmp_path):
            with pytest.raises(StoreError, match=rf"process {os.getpid()} "), writing(tmp_path):
                raise AssertionError("both write")
            assert (tmp_path / ".lock").exists(), "who was refused has not taken it away"
        assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError), writing(tmp_path):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_run_begins_in_a_held_folder_and_can_be_looked_at(tmp_path: Path) -> None:
    with writing(tmp_path / "run"):
        run = Run.create(tmp_path / "run", {}, seed=0)
        assert Run.open(run.path).seed == 0
    assert sorted(path.name for path in run.path.iterdir()) == ["run.json"]


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = "cannot make the folder"
    with pytest.raises(StoreError, match=message) as caught, writing(tmp_path / "file"):
        raise AssertionError("held a file")
    assert not isinstance(caught.value, InUseError)

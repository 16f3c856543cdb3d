"""What a user can get wrong, and disks that refuse: one line on stderr, and nothing is lost."""

import errno
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from spa_lab import cli
from spa_lab.configs.presets import TINY
from spa_lab.learn.methods import METHODS
from spa_lab.pipeline.checkpoints import TrainingCheckpoint
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.parallel import WorkerPool
from spa_lab.pipeline.stages import clone_stage
from spa_lab.store import Run, StoreError, writing
from tests.pipeline.attempts import is_empty

if TYPE_CHECKING:
    from tests.pipeline.conftest import Undisturbed


ROOT = Path(__file__).resolve().parents[2]


def _content(folder: Path) -> dict[str, bytes]:
    """All files but that which says who writes: a run that is copied or killed at work keeps it."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _complaint(err: str) -> str:
    """The one line after the progress bars."""
    assert "Traceback" not in err
    *bars, last = err.splitlines()
    assert not [line for line in bars if "error" in line.lower()]
    assert last.startswith("spa-lab: error: ")
    return last.removeprefix("spa-lab: error: ")


@contextmanager
def _full_disk(free: int) -> Iterator[None]:
    """No file can grow beyond `free` bytes, in worker processes begun meanwhile neither."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    spawn = WorkerPool._spawn

    def spawn_limited(pool: WorkerPool) -> Connection:
        connection = spawn(pool)
        worker = pool._members[connection].pid
        assert worker is not None
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (free, hard))
        return connection

    with WorkerPool(1) as pool:  # the server of workers outlives the limit, so it must begin before
        pool._spawn()
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    try:
        with patch.object(WorkerPool, "_spawn", spawn_limited):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _run(out: Path, **given: str) -> list[str]:
    options = {"env": "household", "method": "spa", "preset": "micro", "out": str(out)} | given
    return ["run", *(word for name, value in options.items() for word in (f"--{name}", value))]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"preset": "huge"}, "no preset 'huge'; there are: tiny, micro"),
        (
            {"env": "chess"},
            "no world 'chess'; there are: household, household-long, webshop, virtualhome, alfworld, "
            "webshop-official, virtualhome-official; or package.module:attribute",
        ),
        (
            {"method": "dpo"},
            f"no training method 'dpo'; there are: {', '.join(METHODS)}; or package.module:attribute",
        ),
        (
            {"method": "rloo", "ppo.group_size": "1"},
            "training method 'rloo': ppo.group_size: expected at least 2, got 1",
        ),
        (
            {"method": "rft", "demonstrations": "0"},
            "training method 'rft': demonstrations: expected at least 1, which the method learns from, got 0",
        ),
        (
            {"method": "spa", "explore_tasks": "1"},
            "training method 'spa': explore_tasks: expected at least 2, as some are held out, got 1",
        ),
        (
            {"method": "spa_offline", "ppo.iterations": "9"},
            "training method 'spa_offline': ppo.iterations: expected at most the number of explorations that "
            "are not held out, 8, got 9",
        ),
        (
            {"method": "spa_progress", "progress.hindsight": "true", "explore_tasks": "2"},
            "training method 'spa_progress': explore_tasks: expected enough that at least 2 are not held out "
            "(1 is), got 2",
        ),
        (
            {"method": "progress_advantage", "ppo.kl_coef": "0"},
            "training method 'progress_advantage': ppo.kl_coef: expected a number > 0, got 0.0",
        ),
    ],
)
def test_what_cannot_be_trained(
    given: dict[str, str], line: str, micro: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert micro.main(_run(tmp_path / "run", **given)) == 2
    assert capsys.readouterr() == ("", f"spa-lab: error: {line}\n")
    assert not (tmp_path / "run").exists()


def test_one_command_at_a_time(micro: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with writing(tmp_path / "run"):
        assert micro.main(_run(tmp_path / "run")) == 2
    line = f"{tmp_path / 'run'}: process {os.getpid()} is writing there; one at a time"
    assert capsys.readouterr() == ("", f"spa-lab: error: {line}\n")
    assert not _content(tmp_path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"schema": 3}, "{file}: schema 3 found, 2 or 1 expected"),
        (
            {"schema": 1},
            "{file}: a run of schema 1 can be inspected, drawn and scored, but not continued; "
            "choose another folder",
        ),
        ({"seed": 3}, "{file}: started with other settings: seed is 3, asked 0"),
        ({"stages": None}, "{file}: 'stages' must be a dict, found None"),
    ],
)
def test_a_run_with_other_settings_is_refused(
    change: dict[str, object],
    line: str,
    undisturbed: "Undisturbed",
    micro: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = shutil.copytree(undisturbed.before["explore"], tmp_path / "run")
    file = folder / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    before = _content(folder)
    assert micro.main([*micro.RUN, "--out", str(folder)]) == 2
    assert capsys.readouterr() == ("", f"spa-lab: error: {line.format(file=file)}\n")
    assert _content(folder) == before


def test_a_run_of_another_preset_or_method(
    undisturbed: "Undisturbed", micro: ModuleType, capsys: pytest.CaptureFixture
) -> None:
    before = _content(undisturbed.path)
    assert cli.main([*micro.RUN, "--out", str(undisturbed.path)]) == 2
    line = _complaint(capsys.readouterr().err)
    assert f"config.preset.demonstrations is 24, asked {TINY.demonstrations}" in line
    assert micro.main(_run(undisturbed.path)) == 2
    line = _complaint(capsys.readouterr().err)
    assert line.endswith("config.methods is ['spa', 'terminal'], asked ['spa']")
    assert _content(undisturbed.path) == before


def test_a_truncated_file_of_an_earlier_stage(
    undisturbed: "Undisturbed", micro: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = shutil.copytree(undisturbed.before["report"], tmp_path / "run")
    file = folder / "trajectories" / "eval-spa-unseen.jsonl"
    file.write_bytes(file.read_bytes()[:-100])
    before = _content(folder)
    assert micro.main([*micro.RUN, "--out", str(folder)]) == 2
    assert _complaint(capsys.readouterr().err).startswith(f"{file}, line 5: truncated or broken JSON")
    assert _content(folder) == before


def test_a_full_disk_before_anything_is_done(
    micro: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with _full_disk(free=100):
        code = micro.main(_run(tmp_path / "run"))
    assert code == 2
    line = _complaint(capsys.readouterr().err)
    assert line == f"{tmp_path / 'run' / 'run.json'}: cannot write: [Errno 27] File too large"
    assert _content(tmp_path) == {}


def test_a_read_only_disk(
    undisturbed: "Undisturbed",
    micro: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = shutil.copytree(undisturbed.before["report"], tmp_path / "run")
    before = _content(folder)

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    assert micro.main([*micro.RUN, "--out", str(folder)]) == 2
    monkeypatch.undo()
    line = _complaint(capsys.readouterr().err)
    assert line.startswith(f"{folder / 'summary.json'}: cannot write: [Errno 30] Read-only file system")
    assert _content(folder) == before


@pytest.fixture
def begun(undisturbed: "Undisturbed", tmp_path: Path) -> Path:
    """A run that has the cloning job before it and nothing beside it."""
    folder = shutil.copytree(undisturbed.before["clone"], tmp_path / "run")
    judged = Path("trajectories", "eval-base-unseen.jsonl")
    (folder / judged.parent).mkdir()
    shutil.copy(undisturbed.path / judged, folder / judged)
    Run.open(folder).note(methods=Run.open(undisturbed.path).methods)
    return folder


def test_a_full_disk_while_a_worker_saves_its_progress(
    begun: Path, undisturbed: "Undisturbed", micro: ModuleType, capfd: pytest.CaptureFixture
) -> None:
    before = _content(begun)
    size = (undisturbed.path / "models" / "cloned" / "model.safetensors").stat().st_size
    with _full_disk(free=size // 2):
        code = micro.main([*micro.RUN, "--out", str(begun), "--workers", "1"])
    assert code == 2
    line = _complaint(capfd.readouterr().err)
    assert line.startswith(f"{begun / 'checkpoints' / 'clone'}: cannot write: ") and "File too large" in line
    left = _content(begun)
    left.pop("metrics/clone.jsonl", None)  # saved now and then for the monitor
    assert left == before and json.loads(left["run.json"])["stages"] == {}


def test_a_full_disk_while_a_stage_saves_its_model(
    begun: Path, undisturbed: "Undisturbed", monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _content(begun)
    size = (undisturbed.path / "models" / "cloned" / "model.safetensors").stat().st_size
    monkeypatch.setattr(TrainingCheckpoint, "save", lambda self, state: None)
    source = Experiment.open(begun).source
    with (
        _full_disk(free=size // 2),
        pytest.raises(StoreError, match=r"models/cloned: cannot write: .*too large"),
    ):
        clone_stage(source, report=lambda *progress: None)
    assert _content(begun).keys() - before.keys() == {"metrics/clone.jsonl"}


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        ("base", "{base}: no such model folder"),
        ("base/tokenizer.json", "{base}: the model has no tokenizer (tokenizer.json is missing)"),
    ],
)
def test_a_base_model_that_is_not_whole(
    missing: str,
    line: str,
    begun: Path,
    data: Path,
    micro: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    other = shutil.copytree(data, tmp_path / "data")
    (other / missing).rename(tmp_path / "gone")
    monkeypatch.setenv("SPA_LAB_DATA", str(other))
    before = _content(begun)
    assert micro.main([*micro.RUN, "--out", str(begun), "--workers", "1"]) == 2
    assert _complaint(capfd.readouterr().err) == line.format(base=other / "base")
    assert _content(begun) == before


def test_a_truncated_recording(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"episode_id": "1", "game_id": "g", "steps": []}\n' * 50)[:-20])
    assert cli.main(["parity", "household", str(tmp_path)]) == 2
    assert _complaint(capsys.readouterr().err).startswith(f"{file}: cannot be read after ")


def _heed_interrupts() -> None:
    """A shell's background job ignores them, and its children would, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c(data: Path, tmp_path: Path) -> None:
    """The terminal interrupts every process; it comes while the workers still import."""
    command = [sys.executable, "-m", "spa_lab.cli", "demo", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_heed_interrupts
    )
    assert process.stderr is not None
    stderr = b""
    while b"evaluate base" not in stderr:
        stderr += process.stderr.read1()
    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert _complaint((stderr + rest).decode()) == "interrupted"
    end = time.monotonic() + 30
    while not is_empty(process.pid):
        assert time.monotonic() < end, "a process is left"
        time.sleep(0.05)

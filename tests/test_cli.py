"""The command's contract: what it calls, what it prints, how it fails."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import spa_lab
from spa_lab import cli, paths
from spa_lab.store import StoreError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _no_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPA_LAB_DEBUG", raising=False)


def _replace(monkeypatch: pytest.MonkeyPatch, name: str, **functions: Any) -> None:
    """Put a stand-in module where the command looks for `spa_lab.<name>`."""
    package, _, last = f"spa_lab.{name}".rpartition(".")
    module = ModuleType(f"{package}.{last}")
    module.__dict__.update(functions)
    monkeypatch.setitem(sys.modules, f"{package}.{last}", module)
    monkeypatch.setattr(import_module(package), last, module, raising=False)


def _raise(error: BaseException) -> None:
    raise error


def test_demo_and_run_call_the_pipeline_and_print_its_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[dict[str, Any]] = []

    def called(**given: Any) -> str:
        calls.append(given)
        return f"table {len(calls)}"

    _replace(monkeypatch, "pipeline", demo=called, run=called)
    assert cli.main(["demo"]) == 0
    assert cli.main(["demo", "--seed", "3", "--out", "x", "--workers", "1"]) == 0
    assert cli.main(["demo", "--env", "webshop"]) == 0
    assert cli.main(["run", "--env", "household", "--method", "spa", "--seed", "1", "--out", "y"]) == 0
    assert calls == [
        {"out": Path("runs/demo"), "seed": 0, "workers": 2, "env": "household"},
        {"out": Path("x"), "seed": 3, "workers": 1, "env": "household"},
        {"out": Path("runs/demo-webshop"), "seed": 0, "workers": 2, "env": "webshop"},
        {"env": "household", "method": "spa", "preset": "tiny", "seed": 1, "out": Path("y")},
    ]
    assert capsys.readouterr() == ("".join(f"table {n}\n" for n in (1, 2, 3, 4)), "")


@pytest.mark.parametrize(("mismatches", "episodes", "code"), [(0, 3, 0), (1, 3, 1), (0, 0, 1)])
def test_parity_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    mismatches: int,
    episodes: int,
    code: int,
) -> None:
    report = SimpleNamespace(mismatches=mismatches, episodes=episodes, render=lambda: "the report")
    _replace(monkeypatch, "envs.household.parity", replay_folder=lambda folder: report)
    assert cli.main(["parity", "household", str(tmp_path)]) == code
    assert capsys.readouterr().out == "the report\n"


def test_figures_hands_on_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[dict[str, Any]] = []

    def called(**given: Any) -> str:
        calls.append(given)
        return "what was drawn"

    _replace(monkeypatch, "pipeline.figures", figures=called)
    assert cli.main(["figures", "a"]) == 0
    argv = ["figures", "a", "b", "--out", "c", "--columns", "1", "--trajectory", "t", "--caption"]
    assert cli.main([*argv, "--sources", "x", "y z"]) == 0
    assert capsys.readouterr().out == "what was drawn\n" * 2
    assert [call["runs"] for call in calls] == [[Path("a")], [Path("a"), Path("b")]]
    assert [call["out"] for call in calls] == [Path("runs/figures"), Path("c")]
    assert [tuple(call["asked"]) for call in calls] == [(2, None, ()), (1, "t", ("x", "y z"))]
    assert [call["in_caption"] for call in calls] == [False, True]


def test_import_says_what_came_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "log.jsonl", tmp_path / "run"
    log.write_text('{"outcome": 1, "steps": [{"action": "look"}], "credits": {"judge": [1]}}\n')
    assert cli.main(["import", "steps", str(log), "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 trajectories, 1 successes, credits by judge"
    assert said[1].startswith("1 of 1 steps do not say") and said[2] == f'look: spa_lab.inspect("{out}")'
    log.write_text('{"outcome": 2, "steps": [{"action": "look"}]}\n')
    assert cli.main(["import", "steps", str(log), "--out", str(tmp_path / "other")]) == 2
    assert f"{log}, line 1: trajectory 'line-1': outcome must lie" in capsys.readouterr().err


def test_doctor_prints_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _replace(monkeypatch, "doctor", report=lambda: [("python", "3.11"), ("device", "cpu")])
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out == "python  3.11\ndevice  cpu\n"


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (ValueError("run 'a': 3 steps,\n  expected 4"), "run 'a': 3 steps, expected 4", 2),
        (FileNotFoundError(2, "No such file or directory", "a.json"), "a.json: No such file or directory", 2),
        (ImportError("No module named 'torch'"), "No module named 'torch'", 2),
        (StoreError(Path("runs/a"), "no run folder"), str(StoreError(Path("runs/a"), "no run folder")), 2),
        (ValueError(), "ValueError", 2),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    line: str,
    code: int,
) -> None:
    _replace(monkeypatch, "bench", main=lambda: _raise(error))
    assert cli.main(["bench"]) == code
    assert capsys.readouterr() == ("", f"spa-lab: error: {line}\n")


def test_our_own_mistakes_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace(monkeypatch, "bench", main=lambda: _raise(IndexError("a bug")))
    with pytest.raises(IndexError, match="a bug"):
        cli.main(["bench"])


@pytest.mark.parametrize("argv", [["--debug", "bench"], ["bench", "--debug"]])
def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    _replace(monkeypatch, "bench", main=lambda: _raise(ValueError("three is not four")))
    assert cli.main(argv) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["parity", "chess", "."], "no world 'chess'; there is: household"),
        (["parity", "household", "no-such-folder"], "no-such-folder is not a folder"),
        (["demo", "--workers", "0"], "must be at least 1, got 0"),
        (["doctor", "--loudly"], "unrecognized arguments: --loudly"),
    ],
)
def test_wrong_input_is_named(capsys: pytest.CaptureFixture[str], argv: list[str], expected: str) -> None:
    try:
        code: Any = cli.main(argv)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert expected in capsys.readouterr().err.splitlines()[-1]


def test_lab_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: calls.append(command))
    monkeypatch.setattr(paths, "notebooks_folder", lambda: tmp_path)
    cli.main(["lab", "--no-browser", "--port", "8899"])
    (command,) = calls
    assert command[1:5] == ["-m", "jupyterlab", "--ServerApp.root_dir", str(tmp_path)]
    assert command[-3:] == ["--no-browser", "--port", "8899"]


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import sys; from spa_lab import cli; assert not {'torch', 'pandas', 'plotly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_closed_pipe_is_no_error() -> None:
    """`spa-lab ... | head -0`: the reader is gone before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    program = (
        "import sys, types; from spa_lab import cli\n"
        "sys.modules['spa_lab.doctor'] = types.SimpleNamespace(report=lambda: [('a', 'b')])\n"
        "sys.exit(cli.main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_that_lacks_letters() -> None:
    program = (
        "import sys, types; from spa_lab import cli\n"
        "sys.modules['spa_lab.doctor'] = types.SimpleNamespace(report=lambda: [('sum', '\u03a3 = 1')])\n"
        "sys.exit(cli.main(['doctor']))"
    )
    poor = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=poor, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"sum  ? = 1\n", b"")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"spa-lab {spa_lab.__version__}\n"

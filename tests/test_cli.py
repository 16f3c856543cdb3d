"""The command's contract: what it calls, what it prints, how it fails."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

import spa_lab
from spa_lab import cli, paths
from spa_lab.configs import presets
from spa_lab.configs.presets import Preset
from spa_lab.configs.settings import list_settings, setting_docs
from spa_lab.envs.worlds import WORLDS
from spa_lab.learn.methods import METHODS
from spa_lab.pipeline import figures as figures_module
from spa_lab.pipeline.figures import Asked
from spa_lab.pipeline.sources import SOURCES
from spa_lab.store import StoreError
from spa_lab.view.paper import find_page

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


class _Trained(NamedTuple):
    """What the stand-in for `pipeline.train.train` was called with."""

    out: Path
    env: str
    methods: Sequence[str]
    preset: Preset
    seed: int
    workers: int
    on_metrics: object = None
    server: object = None


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[_Trained]:
    """Calls of the pipeline by `run` and `demo`, which train nothing here."""
    calls: list[_Trained] = []

    def train(*arguments: Any, **named: Any) -> None:
        calls.append(_Trained(*arguments, **named))

    def demo(*arguments: Any, **named: Any) -> str:
        calls.append(_Trained(*arguments, **named))
        return f"table {len(calls)}"

    _replace(monkeypatch, "pipeline.train", train=train)
    _replace(monkeypatch, "pipeline.demo", demo=demo)
    _replace(monkeypatch, "pipeline.report", render_summary=lambda run: f"table {len(calls)}")
    return calls


def _run(*argv: str) -> list[str]:
    return ["run", "--env", "household", "--method", "spa", "--out", "y", *argv]


def test_demo_and_run_call_the_pipeline_and_print_its_table(
    trained: list[_Trained], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo"]) == 0
    assert cli.main(["demo", "--seed", "3", "--out", "x", "--workers", "1", "--preset", "lesson"]) == 0
    assert cli.main(["demo", "--env", "webshop"]) == 0
    assert cli.main(_run("--seed", "1", "--method", "spa", "mean")) == 0
    assert cli.main(_run("--preset", "paper", "--env", "virtualhome")) == 0
    methods, tiny = ("terminal", "spa", "spa_progress"), presets.TINY
    assert [(*call[:3], call.preset, call.seed, call.workers) for call in trained] == [
        (Path("runs/demo"), "household", methods, tiny, 0, 2),
        (Path("x"), "household", methods, presets.LESSON, 3, 1),
        (Path("runs/demo-webshop"), "webshop", methods, presets.preset_named("tiny", "webshop"), 0, 2),
        (Path("y"), "household", ["spa", "mean"], tiny, 1, 2),
        (Path("y"), "virtualhome", ["spa"], presets.PAPER, 0, 1),
    ]
    assert capsys.readouterr() == ("".join(f"table {n}\n" for n in (1, 2, 3, 4, 5)), "")


def test_settings_come_from_preset_then_file_then_flags(trained: list[_Trained], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("demonstrations = 7\n[ppo]\nlr = 1e-3\nclip = 0.1\n")
    flags = ["--ppo.lr", "3e-5", "--reward.beta=0.1", "--base", "some/folder", "--lora_rank", "8"]
    assert cli.main(_run("--config", str(file), "--workers", "2", *flags)) == 0
    expected = replace(
        presets.TINY,
        demonstrations=7,
        base="some/folder",
        lora_rank=8,
        ppo=replace(presets.TINY.ppo, lr=3e-5, clip=0.1),
        reward=replace(presets.TINY.reward, beta=0.1),
    )
    assert [call.preset for call in trained] == [expected]


def test_printed_settings_are_a_file_that_gives_them_back(
    trained: list[_Trained], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--env", "webshop", "--ppo.lr", "3e-5", "--print-config"]) == 0
    printed = tmp_path / "printed.toml"
    printed.write_text(capsys.readouterr().out)
    assert not trained
    assert cli.main(_run("--preset", "paper", "--config", str(printed))) == 0
    webshop = presets.preset_named("tiny", "webshop")
    assert [call.preset for call in trained] == [replace(webshop, ppo=replace(webshop.ppo, lr=3e-5))]


def test_a_world_that_starts_from_the_base_of_another_has_settings_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["run", "--env", "household-long", "--print-config"]) == 0
    preset = presets.preset_named("tiny", "household-long")
    assert f"demonstrations = {preset.demonstrations}\n" in capsys.readouterr().out
    assert preset.demonstrations != presets.preset_named("tiny").demonstrations


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--ppo.lr", "fast"], "--ppo.lr: expected a number, got 'fast'"),
        (["--ppo.epochs", "1.5"], "--ppo.epochs: expected a whole number, got '1.5'"),
        (["--ppo.clip", "-1"], "--ppo.clip: expected a number > 0, got -1.0"),
        (["--lora_rank", "x"], "--lora_rank: expected a whole number or none, got 'x'"),
        (["--use_manual", "yes"], "--use_manual: expected true or false, got 'yes'"),
        (["--device", "gpu"], "--device: expected one of cpu, auto, got 'gpu'"),
        (["--reward.gamma", "1"], "--reward.gamma: expected a setting of 'reward' (alpha, beta, "),
        (["--pop.lr", "1"], "--pop.lr: expected a known setting (did you mean ppo.lr"),
        (["--learning-rate", "1"], "unrecognized arguments: --learning-rate 1"),
        (["--method", "ppo"], "no training method 'ppo': it is now called 'terminal'"),
        (["--method", "dpo"], "no training method 'dpo'; there are: sft, rft, terminal, spa, spa_offline"),
        (["--preset", "huge"], "no preset 'huge'; there are: tiny, lesson, small, paper"),
        (["--env", "chess"], "no world 'chess'; there are: household, "),
        (["--config", "none.toml"], "none.toml: No such file or directory"),
        (["--config", "a.ini"], "a.ini: expected a file that ends in .toml or .yaml or .yml"),
        (["--workers", "two"], "argument --workers: invalid count value: 'two'"),
    ],
)
def test_wrong_settings_are_one_line_and_train_nothing(
    trained: list[_Trained], capsys: pytest.CaptureFixture[str], argv: list[str], line: str
) -> None:
    assert cli.main(_run(*argv)) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"spa-lab: error: {line}")
    assert (out, err.count("\n"), trained) == ("", 1, [])


@pytest.mark.parametrize("missing", ["env", "method", "out"])
def test_run_says_what_is_missing(
    trained: list[_Trained], capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    given = {"env": "household", "method": "spa", "out": "y"}
    argv = [word for name, value in given.items() if name != missing for word in (f"--{name}", value)]
    assert cli.main(["run", *argv]) == 2
    assert capsys.readouterr().err == f"spa-lab: error: run: --{missing} is missing\n"


def test_help_lists_worlds_methods_and_presets(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["run", "--help"], ["demo", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(argv)
        assert stopped.value.code == 0
        listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:2] == "  "]
        assert {*WORLDS, *METHODS, *presets.PRESETS} <= set(listed)


def test_fidelity_help_lists_sources(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["fidelity", "--help"])
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:2] == "  "]
    assert set(SOURCES) <= set(listed)


def test_run_help_explains_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    for setting in list_settings(Preset):
        assert f"--{setting.key} VALUE" in words
        doc = setting_docs(Preset)[setting.key]
        assert doc and doc.replace(" ", "") in words.replace(" ", ""), setting.key
    assert "values in parentheses are those of the preset tiny" in words


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

    monkeypatch.setattr(figures_module, "figures", called)
    assert cli.main(["figures", "a"]) == 0
    argv = ["figures", "a", "b", "--out", "c", "--columns", "1", "--trajectory", "t", "--caption"]
    argv += ["--venue", "icml", "--font", "sans", "--only", "success", "--format", "pdf"]
    assert cli.main([*argv, "--sources", "x", "y z"]) == 0
    assert capsys.readouterr().out == "what was drawn\n" * 2
    assert [call["runs"] for call in calls] == [[Path("a")], [Path("a"), Path("b")]]
    assert [call["out"] for call in calls] == [Path("runs/figures"), Path("c")]
    page = find_page("icml", 1, font="sans")
    assert (page.width, page.spans_columns) == (3.25, False)
    asked = Asked(page, "t", ("x", "y z"), ("success",), ("pdf",))
    assert [call["asked"] for call in calls] == [Asked(), asked]
    assert [call["in_caption"] for call in calls] == [False, True]


def test_import_says_what_came_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "log.jsonl", tmp_path / "run"
    log.write_text('{"outcome": 1, "steps": [{"action": "look"}], "credits": {"judge": [1]}}\n')
    assert cli.main(["import", "steps", str(log), "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "1 trajectories, 1 successes, credit sources: judge"
    assert printed[1] == f"{log}: steps of this package, JSON, 1 episodes"
    assert (
        printed[2].startswith("1 episodes, 1 steps, 0 actions empty")
        and "1 of 1 steps: whether" in printed[3]
    )
    assert printed[4] == f'inspect it: spa_lab.inspect("{out}")'
    log.write_text('{"outcome": 2, "steps": [{"action": "look"}]}\n')
    assert cli.main(["import", "steps", str(log), "--out", str(tmp_path / "other")]) == 2
    assert f"{log}: trajectory 'log': outcome must lie" in capsys.readouterr().err


def test_import_finds_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "log.json", tmp_path / "run"
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<guess>x</guess>"}]
    log.write_text(json.dumps([{"reward": 5, "messages": chat}, {"reward": 0, "messages": chat}]))
    assert cli.main(["import", str(log), str(log), "--scale", "0", "10", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert (
        f"{log}: OpenAI chat messages, JSON list, 2 episodes" in printed
        and "from [0, 10] to [0, 1]" in printed
    )
    strict = ["import", str(log), "--strict", "--format", "chat", "--out", str(tmp_path / "b")]
    assert cli.main(strict) == 2
    assert "the ends of the range of the outcomes" in capsys.readouterr().err
    assert cli.main([*strict, "--scale", "0", "5"]) == 0
    log.write_text('{"won": 1, "said": ["look"]}')
    maps = ["--map", "outcome=won", "--map", "steps=said"]
    assert cli.main(["import", str(log), *maps, "--out", str(tmp_path / "d")]) == 0
    assert "1 successes" in capsys.readouterr().out
    assert cli.main(["import", str(log), "--map", "outcome", "--out", str(tmp_path / "e")]) == 2
    assert "map 'outcome': expected FIELD=PATH" in capsys.readouterr().err
    log.write_text('{"turns": []}')
    assert cli.main(["import", str(log), "--out", str(tmp_path / "c")]) == 2
    message = capsys.readouterr().err.splitlines()
    assert message[0].startswith("spa-lab: error: no known format fits") and message[1] == "tried:"
    assert any(line.strip().startswith("def episode(record)") for line in message)


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
    _replace(monkeypatch, "doctor", report=lambda: _raise(error))
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr() == ("", f"spa-lab: error: {line}\n")


def test_our_own_mistakes_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace(monkeypatch, "doctor", report=lambda: _raise(IndexError("a bug")))
    with pytest.raises(IndexError, match="a bug"):
        cli.main(["doctor"])


@pytest.mark.parametrize("argv", [["--debug", "doctor"], ["doctor", "--debug"]])
def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    _replace(monkeypatch, "doctor", report=lambda: _raise(ValueError("three is not four")))
    assert cli.main(argv) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["parity", "chess", "."], "no world 'chess'; there are: household"),
        (["parity", "household", "no-such-folder"], "no-such-folder is not a folder"),
        (["demo", "--workers", "0"], "must be at least 1, got 0"),
        (["doctor", "--loudly"], "unrecognized arguments: --loudly"),
        (["fidelity", "x", "--ppo.lr", "3e-5"], "this command takes no settings: --ppo.lr"),
        (["gradient", "x", "--server-timeout", "9"], "--server-timeout has no effect without --server"),
        (["fidelity", "x", "--server-folder", "y"], "--server-folder has no effect without --server"),
        (["compare", "x", "--dry-run", "--report"], "--report has no effect with --dry-run"),
        (["compare", "x", "--dry-run", "--join", "y"], "--join has no effect with --dry-run"),
        (["compare", "x", "--report", "--jobs", "2"], "--jobs has no effect with --report"),
        (["compare", "x", "--report", "--backend", "loky"], "--backend has no effect with --report"),
        (["compare", "x", "--report", "--retry"], "--retry has no effect with --report"),
        (["compare", "x", "--report", "--server", "http://y"], "--server has no effect with --report"),
    ],
)
def test_wrong_input_is_named(capsys: pytest.CaptureFixture[str], argv: list[str], expected: str) -> None:
    assert cli.main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_lab_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: calls.append(command))
    monkeypatch.setattr(paths, "notebooks_folder", lambda: tmp_path)
    cli.main(["lab", "--no-browser", "--port", "8899"])
    (command,) = calls
    assert command[1:5] == ["-m", "jupyterlab", "--ServerApp.root_dir", str(tmp_path)]
    assert command[-3:] == ["--no-browser", "--port", "8899"]


@pytest.mark.parametrize("command", ["", "'run', "])
def test_help_needs_nothing_heavy(command: str) -> None:
    program = (
        "import sys; from spa_lab import cli\n"
        f"try: cli.main([{command}'--help'])\n"
        "except SystemExit: assert not {'torch', 'numpy', 'pandas', 'plotly'} & set(sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # 0.2 s of processor time here; wall time would depend on the other work of the machine
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.6


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

"""Objects of a user, outside the package, go by name through every command: a world, a method, a source.

The files are in `tests/examples`; nothing in the package knows them.
"""

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

import spa_lab
from spa_lab import cli
from spa_lab.configs.presets import TINY
from spa_lab.plugins import load_object
from tests.examples import first_step, recency, rooms
from tests.made_once import made_once

ROOT = Path(__file__).resolve().parent.parent
WORLD = "tests.examples.rooms:environment"
METHOD = "tests.examples.first_step:FIRST_STEP"
SOURCE = "tests.examples.recency:recency"
SETTINGS = """
demonstrations = 60
explore_tasks = 6
rollouts_per_task = 2
evaluation_tasks = 6
by_length_tasks = 0
mistake_rate = 0.0
[clone]
epochs = 12
lr = 5e-3
[explore_rollout]
temperature = 1.0
max_new_tokens = 20
[evaluate_rollout]
max_new_tokens = 20
[estimator]
epochs = 1
width = 8
[ppo]
iterations = 1
episodes = 8
epochs = 1
"""


@pytest.fixture(scope="module", autouse=True)
def _in_the_checkout() -> Iterator[None]:
    """`module:attribute` is searched from the current folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


def _spa_lab(*argv: str) -> str:
    """What a command prints on stdout."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert cli.main(argv) == 0
    return printed.getvalue()


def _make(folder: Path) -> None:
    """A run in the user's world with SPA and the user's method, its measured truth, and what was printed."""
    (folder / "small.toml").write_text(SETTINGS)
    out = str(folder / "run")
    argv = ["run", "--env", WORLD, "--method", "spa", METHOD, "--out", out, "--workers", "2"]
    (folder / "summary").write_text(_spa_lab(*argv, "--config", str(folder / "small.toml")))
    argv = ["fidelity", out, "--trajectories", "3", "--branches", "4", "--workers", "1"]
    (folder / "scoreboard").write_text(_spa_lab(*argv, "--source", "terminal", SOURCE))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `_make` leaves."""
    return made_once(tmp_path_factory, "rooms", _make)


@pytest.fixture(scope="module")
def scored(made: Path) -> Path:
    """The run with the user's world, method and source."""
    return made / "run"


@pytest.mark.parametrize("module", [rooms, recency, first_step], ids=lambda module: module.__name__)
def test_each_example_is_short(module: object) -> None:
    lines = Path(str(module.__file__)).read_text(encoding="utf-8").splitlines()  # type: ignore[attr-defined]
    assert len([line for line in lines if line.strip()]) <= 30


def test_the_world_can_be_solved_and_refuses() -> None:
    world, task = rooms.Rooms(), rooms.tasks("train", 3)[2]
    assert world.reset(task) == "You are in room 1 of 3. Take the lamp."
    start = world.snapshot()
    assert not world.step("go left").grounded
    assert [world.step(action).outcome for action in ("go right", "go right", "take lamp")] == [0, 0, 1]
    world.restore(start)
    assert not world.step("take lamp").done


def test_the_current_folder_is_searched_for_objects_of_a_user_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nearby.py").write_text("answer = 42\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_object("spa_lab.envs.household:environment", "world")
    assert str(tmp_path) not in sys.path
    assert load_object("nearby:answer", "world") == 42
    del sys.modules["nearby"]


def test_the_run_has_the_world_and_the_method(made: Path) -> None:
    run, summary = spa_lab.Run.open(made / "run"), (made / "summary").read_text()
    assert run.names("models") == ["cloned", "estimator", "first_step", "spa"]
    assert run.methods == {"spa": "SPA-RL", "first_step": first_step.FIRST_STEP.title}
    assert run.config["world"] == WORLD and run.config["env"] == "rooms"
    assert spa_lab.Experiment.open(run).environment.name == "rooms"
    assert {task.kind for task in run.tasks().values()} == {"lamp"}
    assert "first_step" in summary or first_step.FIRST_STEP.title in summary


def test_fidelity_lists_the_source(made: Path) -> None:
    board = (made / "scoreboard").read_text()
    names = [line.split()[0] for line in board.splitlines() if line.strip()]
    assert {"terminal", "recency"} <= set(names)
    rows = spa_lab.Run.open(made / "run").results("scoreboard")
    assert rows is not None and list(dict.fromkeys(row["source"] for row in rows))[1] == "recency"


def test_the_inspector_shows_the_source_beside_the_truth(scored: Path, tmp_path: Path) -> None:
    view = spa_lab.inspect(scored)
    assert view.truth is not None
    assert [credit.source for credit in view.credits(["recency"])] == ["recency"]
    view.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "recency" in page and "Monte Carlo (4 branches)" in page


def test_figures_name_method_and_source(scored: Path, tmp_path: Path) -> None:
    report = _spa_lab("figures", str(scored), "--out", str(tmp_path))
    assert "training-ppo" in report and "scoreboard" in report
    tables = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.csv")}
    assert any(first_step.FIRST_STEP.title in table or "first_step" in table for table in tables.values())
    assert any("recency" in table for table in tables.values())
    policies = {row["policy"] for row in csv.DictReader(tables["success"].splitlines())}
    assert {first_step.FIRST_STEP.title, "SPA-RL"} <= policies


def test_the_same_from_python(tmp_path: Path) -> None:
    """Objects instead of names."""
    preset = replace(
        TINY,
        demonstrations=6,
        explore_tasks=4,
        rollouts_per_task=2,
        evaluation_tasks=3,
        by_length_tasks=0,
        explore_rollout=replace(TINY.explore_rollout, temperature=1.0, max_new_tokens=20),
        evaluate_rollout=replace(TINY.evaluate_rollout, max_new_tokens=20),
        estimator=replace(TINY.estimator, epochs=1, width=8),
        ppo=replace(TINY.ppo, iterations=1, episodes=4, epochs=1),
    )
    methods = ["spa", first_step.FIRST_STEP]
    run = spa_lab.train(tmp_path / "run", rooms.environment, methods, preset, seed=0, workers=1)
    board = spa_lab.fidelity(
        run=run,
        trajectories=2,
        branches=2,
        workers=1,
        sources=[recency.recency],
        world=rooms.environment,
    )
    assert "recency" in board


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (
            "--env",
            "no_such_module:world",
            "world 'no_such_module:world': cannot import module 'no_such_module'",
        ),
        (
            "--env",
            "tests.examples.rooms:castle",
            "'tests.examples.rooms' has no attribute 'castle'; it has: ",
        ),
        ("--env", "tests.examples.rooms:", "expected the form package.module:attribute"),
        ("--env", "tests.examples.rooms:tasks", "world 'tests.examples.rooms:tasks' cannot be made: tasks()"),
        ("--env", SOURCE, f"world {SOURCE!r} cannot be made: "),
        ("--env", "spa_lab:__version__", "is a str, expected an Environment"),
        ("--method", "no_such_module:M", "training method 'no_such_module:M': cannot import module"),
        ("--method", SOURCE, "expected a spa_lab.learn.method.TrainingMethod, got CreditMethod"),
        ("--method", "tests.examples.first_step:make_", "has no attribute 'make_'; it has: "),
    ],
)
def test_wrong_objects_are_one_line_and_nothing_is_written(
    option: str, value: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--env": WORLD, "--method": METHOD, "--out": str(tmp_path / "run"), option: value}
    assert cli.main(["run", *(word for pair in given.items() for word in pair)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("spa-lab: error: ") and message in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("psychic", "no credit source 'psychic'; there are: terminal, mean, "),
        ("tests.examples.recency:cency", "has no attribute 'cency'; it has: "),
        (f"{WORLD}", "expected a CreditMethod or a function that returns one, got Environment"),
    ],
)
def test_wrong_sources_are_one_line(
    scored: Path, source: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in scored.rglob("*") if path.is_file()}
    assert cli.main(["fidelity", str(scored), "--source", source]) == 2
    err = capsys.readouterr().err
    assert err.startswith("spa-lab: error: ") and message in err and err.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in scored.rglob("*") if path.is_file()} == before

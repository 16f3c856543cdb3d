"""Metrics that leave a run: each row once, through resumption and errors, to functions and to trackers."""

import importlib
import json
import logging
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from spa_lab import cli
from spa_lab.pipeline import trackers
from spa_lab.pipeline.metrics_feed import MetricsFeed, MetricsRow
from spa_lab.pipeline.parallel import TaskResult, WorkerPool, WorkerTask
from spa_lab.pipeline.trackers import TRACKERS, LazyTracker, find_tracker, tracking
from spa_lab.pipeline.train import train
from spa_lab.store import Run
from spa_lab.types import Trajectory

ROOMS = "tests.examples.rooms:environment"
LOSSES = [{"loss": value} for value in (0.5, 0.25, None, 0.125)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", {"env": "rooms", "preset": {"ppo": {"lr": 0.1}}}, seed=3)


def _where(rows: Sequence[MetricsRow]) -> list[tuple[str, str | None, int]]:
    return [(row.stage, row.method, row.iteration) for row in rows]


def test_each_row_goes_through_once(run: Run, trajectory: Trajectory) -> None:
    rows: list[MetricsRow] = []
    feed = MetricsFeed(run, rows.append)
    run.save_metrics("clone", LOSSES[:2])
    feed.look()
    run.save_metrics("clone", LOSSES)
    feed.look()  # a moment later: nothing is read
    assert [row.values["loss"] for row in rows] == [0.5, 0.25]
    run.save_metrics("ppo-spa", [{"success": 0.5, "note": "text"}], stage="ppo", method="spa")
    run.save_trajectories("eval-spa-unseen", [trajectory], role="evaluation", policy="spa", panel="unseen")
    feed.deliver()
    feed.deliver()
    expected = [*(("clone", None, i) for i in range(4)), ("ppo", "spa", 0), ("evaluate", "spa", 0)]
    assert _where(rows) == expected
    assert rows[2].values == {"loss": None} and rows[2].numbers == {}
    assert rows[-2].numbers == {"success": 0.5}
    assert rows[-1].values == {
        "unseen/episodes": 1.0,
        "unseen/success": float(trajectory.success or 0.0),
        "unseen/outcome": trajectory.outcome,
    }
    # resumed: a checkpoint may be older than what was saved of the curve
    run.save_metrics("clone", LOSSES[:1])
    later = MetricsFeed(run, rows.append)
    later.deliver()
    run.save_metrics("clone", [*LOSSES, {"loss": 0.0625}])
    later.deliver()
    assert _where(rows) == [*expected, ("clone", None, 4)]
    others: list[MetricsRow] = []

    def another(row: MetricsRow) -> None:
        others.append(row)

    another.name = "another"  # type: ignore[attr-defined]
    MetricsFeed(run, another).deliver()  # has received nothing yet
    assert len(others) == len(rows)


def test_a_function_that_raises_loses_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    received: list[float] = []

    def fragile(row: MetricsRow) -> None:
        if row.iteration == 1 and not repaired:
            raise RuntimeError("no connection")
        received.append(row.numbers["loss"])

    repaired = False
    run.save_metrics("clone", LOSSES[:2])
    feed = MetricsFeed(run, fragile)
    with caplog.at_level(logging.WARNING):
        feed.deliver()
        feed.deliver()
    (message,) = caplog.messages
    assert "on_metrics raised RuntimeError: no connection. It gets no more" in message
    assert str(run.path) in message
    assert received == [0.5]
    repaired = True
    MetricsFeed(run, fragile).deliver()
    assert received == [0.5, 0.25]


class _Inline(WorkerPool):
    """Does the tasks in this process."""

    def run(
        self,
        tasks: Sequence[WorkerTask],
        *,
        on_result: Callable[[TaskResult], object] = lambda result: None,
        on_progress: Callable[[], object] = lambda: None,
    ) -> list[Any]:
        for task in tasks:
            value = task.function(*task.arguments, report=lambda share, numbers: on_progress())
            on_result(TaskResult(task.label, value, 0.0))
        return []


def test_training_that_is_interrupted_and_resumed(
    micro: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spa_lab.pipeline.metrics_feed.LOOK_SECONDS", 0.0)
    ppo = replace(micro.NANO.ppo, iterations=2)
    preset = replace(micro.NANO, ppo=ppo, evaluation_tasks=1, by_length_tasks=0)
    rows: list[MetricsRow] = []

    def interrupted(row: MetricsRow) -> None:
        rows.append(row)
        if (row.stage, row.iteration) == ("ppo", 1) and len(rows) == len(set(_where(rows))):
            raise KeyboardInterrupt

    def go_on(receive: Callable[[MetricsRow], object]) -> Run:
        with _Inline(1) as pool:
            return train(
                tmp_path / "run", ROOMS, ["terminal"], preset,
                seed=0, workers=pool, until="evaluate", on_metrics=receive,
            )  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        go_on(interrupted)
    run = go_on(rows.append)
    go_on(rows.append)
    curves = {(curve.stage, curve.method): curve.rows for curve in run.curves()}
    assert len(curves["ppo", "terminal"]) == 2
    # the row at which it was interrupted did not count as received
    assert _where(rows).count(("ppo", "terminal", 1)) == 2
    rows.remove(next(row for row in rows if (row.stage, row.iteration) == ("ppo", 1)))
    assert len(_where(rows)) == len(set(_where(rows)))
    for (stage, method), expected in curves.items():
        assert [row.values for row in rows if (row.stage, row.method) == (stage, method)] == expected
    evaluated = {(row.method, *row.values) for row in rows if row.stage == "evaluate"}
    assert {policy for policy, *_ in evaluated} == {"base", "cloned", "terminal"}


def _events(folder: Path) -> list[tuple[str, int, float]]:
    """(tag, step, value) of the event files in a folder, read without the library that wrote them."""
    event = importlib.import_module("tensorboardX.proto.event_pb2").Event
    found = []
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            parsed = event.FromString(content[12 : 12 + length])
            found += [(value.tag, parsed.step, value.simple_value) for value in parsed.summary.value]
            content = content[16 + length :]
    return found


def test_tensorboard_files(run: Run) -> None:
    pytest.importorskip("tensorboardX")
    for n in (2, 4):  # the second time it is resumed
        run.save_metrics("clone", LOSSES[:n])
        run.save_metrics("ppo-spa", [{"kl": 0.5}] * n, stage="ppo", method="spa")
        with tracking("tensorboard", run.path) as on_metrics:
            MetricsFeed(run, on_metrics).deliver()
    shared, spa = (run.path / "tensorboard" / name for name in ("shared", "spa"))
    assert _events(shared) == [("clone/loss", 0, 0.5), ("clone/loss", 1, 0.25), ("clone/loss", 3, 0.125)]
    assert _events(spa) == [("ppo/kl", i, 0.5) for i in range(4)]
    assert len(list(spa.iterdir())) == 2


class _FakeRun:
    """A run of W&B or Trackio."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def define_metric(self, name: str, step_metric: str) -> None:
        self.calls.append(("define", name, step_metric))

    def log(self, numbers: dict[str, float], step: int | None = None) -> None:
        self.calls.append(("log", numbers, step))

    def finish(self) -> None:
        self.calls.append(("finish",))


class _FakeClient:
    """MLflow's client."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        self.calls.append(("experiment", name))
        return "7"

    def create_run(self, experiment_id: str, run_name: str) -> Any:
        self.calls.append(("init", experiment_id, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    def log_param(self, run_id: str, key: str, value: object) -> None:
        self.calls.append(("param", run_id, key, value))

    def log_metric(self, run_id: str, key: str, value: float, step: int) -> None:
        self.calls.append(("log", run_id, key, value, step))

    def set_terminated(self, run_id: str) -> None:
        self.calls.append(("finish",))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """Puts a module in the place of a tracker's package; returns the list of calls."""

    def put(name: str) -> list[Any]:
        calls: list[Any] = []

        def init(*arguments: Any, **named: Any) -> _FakeRun:
            calls.append(("init", arguments, named))
            return _FakeRun(calls)

        module: Any = ModuleType(name)
        module.init, module.MlflowClient = init, lambda: _FakeClient(calls)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.delitem(sys.modules, f"spa_lab.pipeline.trackers.{name}", raising=False)
        monkeypatch.delattr(trackers, name, raising=False)
        monkeypatch.delenv("WANDB_PROJECT", raising=False)
        monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        return calls

    return put


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_trackers_resume_their_own_run(name: str, fake: Callable[[str], list[Any]], run: Run) -> None:
    calls = fake(name)
    for n in (1, 2):
        run.save_metrics(
            "ppo-spa", [{"kl": 0.5 * i, "note": "x"} for i in range(n)], stage="ppo", method="spa"
        )
        with tracking(name, run.path) as on_metrics:
            MetricsFeed(run, on_metrics).deliver()
    logged = [call[1:] for call in calls if call[0] == "log"]
    known = json.loads((run.path / "deliveries.json").read_text())["receivers"][name]["id"]
    opened = [call for call in calls if call[0] == "init"]
    if name == "wandb":
        assert [call[2]["id"] for call in opened] == [known] * 2
        assert opened[0][2]["config"]["seed"] == 3 and opened[0][2]["resume"] == "allow"
        assert logged == [({"ppo/spa/kl": 0.5 * i, "ppo/spa/iteration": i}, None) for i in range(2)]
        assert ("define", "ppo/spa/*", "ppo/spa/iteration") in calls
    elif name == "mlflow":
        assert known == "abc" and opened == [("init", "7", "run")]  # opened once, then found by its id
        assert ("param", "abc", "preset.ppo.lr", 0.1) in calls
        assert logged == [("abc", "ppo/spa/kl", 0.5 * i, i) for i in range(2)]
    else:
        assert [call[2]["name"] for call in opened] == [known] * 2 and known.startswith("run-")
        assert logged == [({"ppo/spa/kl": 0.5 * i}, i) for i in range(2)]
    assert calls.count(("finish",)) == 2


def test_a_server_that_is_gone_at_the_end_is_a_warning(
    fake: Callable[[str], list[Any]],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refused(client: _FakeRun) -> None:
        raise ConnectionError("no server")

    fake("wandb")
    monkeypatch.setattr(_FakeRun, "finish", refused)
    run.save_metrics("ppo-spa", [{"kl": 0.5}], stage="ppo", method="spa")
    with tracking("wandb", run.path) as on_metrics:
        MetricsFeed(run, on_metrics).deliver()
    assert "closing wandb raised ConnectionError: no server" in caplog.text


def test_a_tracker_that_never_received_anything_is_not_opened(
    fake: Callable[[str], list[Any]], tmp_path: Path
) -> None:
    calls = fake("wandb")
    LazyTracker("wandb", tmp_path / "no-run").close()
    with tracking(None, tmp_path) as on_metrics:
        assert on_metrics is None
    assert calls == []


def test_unknown_and_missing_trackers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    out = tmp_path / "run"
    arguments = ["run", "--env", "household", "--method", "terminal", "--out", str(out), "--log"]
    assert cli.main([*arguments, "wandb"]) == 2
    assert "--log wandb needs wandb" in capsys.readouterr().err
    assert cli.main([*arguments, "tensorbord"]) == 2
    assert f"no tracker 'tensorbord'; there are: {', '.join(TRACKERS)}" in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(ValueError, match="expected a function of a run, got int"):
        find_tracker("sys:maxsize")

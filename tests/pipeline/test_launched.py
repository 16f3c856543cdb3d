"""Two processes of a launch do together what one does alone."""

import multiprocessing
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from spa_lab import cli
from spa_lab.agent.models import save_policy
from spa_lab.agent.processes import Processes, processes
from spa_lab.agent.rollout import Policy
from spa_lab.envs.base import Demonstration
from spa_lab.pipeline import parallel
from spa_lab.store import Run
from spa_lab.types import Step, Trajectory
from tests.pipeline import launch_tasks
from tests.pipeline.base_models import make_data

pytest.importorskip("accelerate")
pytest.importorskip("peft")


def _launch(target: Callable[..., Any], *arguments: Any) -> None:
    """Two processes, forked from the server that worker processes come from."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context: multiprocessing.context.BaseContext = parallel._context()
    started = [
        context.Process(target=launch_tasks.start, args=(i, port, target, arguments))  # type: ignore[attr-defined]
        for i in range(2)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0, 0]


@pytest.fixture
def demonstrations() -> list[Demonstration]:
    """Five episodes of one to three steps."""
    made = []
    for i in range(5):
        words = ["wait"] * (i % 3) + ["win" if i % 2 else "half"]
        steps = tuple(Step(f"Action: {w}", "", w, f"reply {n + 1}", True) for n, w in enumerate(words))
        outcome = 1.0 if i % 2 else 0.5
        facts = (f"d{i}", f"q{i}", "quiz", "train", "win it", f"Quiz q{i}.", steps)
        trajectory = Trajectory(*facts, outcome, outcome == 1.0, "done", "expert", 0)
        made.append(Demonstration(trajectory, (True,) * len(steps)))
    return made


def test_two_processes_learn_what_one_learns(
    tmp_path: Path, make_policy: Callable[..., Policy], demonstrations: list[Demonstration]
) -> None:
    policy = make_policy("Action: wait", "Action: win", "Action: half", layers=2, spread=0.3)
    with torch.no_grad():
        policy.model.get_output_embeddings().weight[policy.codec.end_id] *= 4
    save_policy(policy, tmp_path / "base")
    alone = launch_tasks.learn(tmp_path / "base", demonstrations)
    _launch(launch_tasks.learn_together, tmp_path / "base", demonstrations, tmp_path)
    first, second = (load_file(tmp_path / f"{i}.safetensors") for i in range(2))
    assert first.keys() == alone.keys()
    assert all(torch.equal(first[name], second[name]) for name in first), "the processes agree bit for bit"
    for name, expected in alone.items():
        torch.testing.assert_close(
            first[name], expected, rtol=1e-4, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}"
        )
    moved = [name for name in alone if name.startswith("lora/ppo/") and "lora_A" in name]
    assert moved and all(not torch.equal(alone[name], alone[name.replace("ppo", "clone")]) for name in moved)


def test_a_launched_run_is_written_by_the_main_process(
    tmp_path: Path, make_policy: Callable[..., Policy]
) -> None:
    make_data(tmp_path / "data", make_policy, ["household"])
    _launch(launch_tasks.train_together, tmp_path / "run", tmp_path / "data" / "base")
    run = Run.open(tmp_path / "run")
    assert run.finished("report") and run.names("models") == ["cloned", "estimator", "spa"]
    assert not run.names("checkpoints")
    played = {entry.name: len(entry.load()) for entry in run.trajectory_sets()}
    assert played == {"eval-base-unseen": 5, "eval-cloned-unseen": 5, "eval-spa-unseen": 5, "explore": 6}
    assert {curve.name for curve in run.curves()} == {"clone", "estimate", "ppo-spa"}


def test_only_runs_are_launched(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["doctor"]) == 2
    assert "only `spa-lab run` can be started by accelerate launch" in capsys.readouterr().err


def test_alone_nothing_is_exchanged() -> None:
    alone = processes()
    assert (alone.size, alone.is_main) == (1, True)
    assert alone.share([1, 2, 3]) == alone.gather([1, 2, 3]) == [1, 2, 3]
    assert [Processes(i, 3).share("abcdefg") for i in range(3)] == [["a", "d", "g"], ["b", "e"], ["c", "f"]]

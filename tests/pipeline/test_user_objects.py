"""Worlds given as objects: what workers cannot receive, and runs that must be given the world again.

`tests/test_extension.py` trains, scores and draws with objects from outside the package.
"""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from spa_lab.configs.presets import TINY
from spa_lab.envs.base import Environment, Reply, Task, World
from spa_lab.learn.methods import find_method
from spa_lab.pipeline import train as module
from spa_lab.pipeline.experiment import Experiment, explorations
from spa_lab.pipeline.train import train
from spa_lab.store import Run


class Local(World):
    """A world of this file."""

    def reset(self, task: Task) -> str:
        return "Go."

    def step(self, action: str) -> Reply:
        return Reply("", True, True, 1.0)


def test_what_cannot_be_sent_to_workers_is_named_at_once(tmp_path: Path) -> None:
    task = Task("a", "local", "train", "", "Go.")
    local = Environment(name="local", make_world=Local, tasks=lambda split, n: [task] * n, step_limit=1)
    with pytest.raises(
        ValueError, match=r"world 'local' cannot be sent to worker processes .*module:attribute"
    ):
        train(tmp_path / "run", local, ("sft",), TINY, seed=0, workers=1)
    with pytest.raises(ValueError, match="two training methods are called 'spa'"):
        train(tmp_path / "run", "household", ("spa", "spa"), TINY, seed=0, workers=1)
    assert not (tmp_path / "run").exists()


def test_a_run_in_an_object_needs_it_again(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"env": "local", "world": None, "preset": asdict(TINY)}, seed=0)
    with pytest.raises(ValueError, match="the run's world 'local' was given as an object; pass it again"):
        Experiment.open(run)
    with pytest.raises(ValueError, match="the run's world is 'local', got 'household'"):
        Experiment.open(run, "household")


def test_a_run_whose_methods_explore_nothing_says_so(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"env": "local"}, seed=0)
    with pytest.raises(ValueError, match="the run has no explorations; they are played for methods"):
        explorations(run, 0.2)


def test_a_run_is_not_continued_with_another_judges_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor with other numbers in the file of that name; the same numbers may go on."""
    (tmp_path / "my_judge.py").write_text(
        "from spa_lab.pipeline.judged import judged\nA, B = judged('a.jsonl'), judged('b.jsonl')\n"
    )
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text('{"id": "x", "scores": [1]}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_do", lambda *_: None)

    def start(method: str) -> Run:
        found = find_method(f"my_judge:{method}")
        return train(tmp_path / "run", "household", (found,), TINY, seed=0, workers=1, quiet=True)

    assert start("A").config["method_facts"]["judge"]["file"] == "a.jsonl"
    start("A")
    with pytest.raises(ValueError, match=r"method_facts\.judge\.file is 'a\.jsonl', asked 'b\.jsonl'"):
        start("B")
    path = tmp_path / "run/run.json"
    facts = json.loads(path.read_text())
    del facts["config"]["method_facts"]
    path.write_text(json.dumps(facts))
    start("B")  # a run of an earlier version does not name its file
    path.unlink()
    start("A")
    (tmp_path / "a.jsonl").write_text('{"id": "x", "scores": [2]}\n')
    with pytest.raises(ValueError, match=r"method_facts\.judge\.sha256 is '\w+', asked '\w+'"):
        start("A")

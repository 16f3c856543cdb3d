"""A world, a training method and a credit source from outside the package, by name and as objects."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import spa_lab
from spa_lab.envs.base import Environment, Reply, Task, World
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.fidelity import fidelity
from spa_lab.pipeline.figures import figures
from spa_lab.pipeline.train import train
from spa_lab.store import Run

MODULE = """
from dataclasses import replace
from spa_lab.credit.methods import credit_method
from spa_lab.envs.base import Environment, Expert, Reply, Task, World
from spa_lab.learn.methods.terminal import METHOD as TERMINAL

ROOMS = ("kitchen", "hall", "bath")

class Rooms(World):
    def reset(self, task):
        self.goal, self.steps = task.payload, 0
        return f"Go to the {self.goal}."
    def step(self, action):
        room = action.removeprefix("go to ")
        self.steps += 1
        done = room == self.goal
        return Reply("You see a bed 1." if done else "Nothing happens.", room in ROOMS, done, float(done))

class Guide(Expert):
    def __init__(self, task, opening):
        self.goal = task.payload
    def act(self):
        return "I know the way.", f"go to {self.goal}"

def tasks(split, n):
    return [Task(f"{split}-{i}", "rooms", split, ROOMS[i % 3], f"Go to the {ROOMS[i % 3]}.", 1, ROOMS[i % 3])
            for i in range(n)]

WORLD = Environment(name="rooms", make_world=Rooms, tasks=tasks, step_limit=3, make_expert=Guide)
METHOD = replace(TERMINAL, name="mine", title="My method")

@credit_method("my rule", origin="a guess")
def rule(trajectory):
    return [float(step.grounded) for step in trajectory.steps]
"""


@pytest.fixture
def preset(micro: ModuleType):  # type: ignore[no-untyped-def]
    rollout = replace(micro.NANO.explore_rollout, max_new_tokens=3)
    return replace(
        micro.NANO, name="rooms", demonstrations=4, explore_rollout=rollout, evaluate_rollout=rollout,
        clone=replace(micro.NANO.clone, epochs=1), ppo=replace(micro.NANO.ppo, episodes=2),
    )  # fmt: skip


def test_all_three_by_name(
    preset,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trained, scored, drawn and inspected with no edit of the package."""
    (tmp_path / "my_lab.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    methods = ("spa", "my_lab:METHOD")
    run = train(tmp_path / "run", "my_lab:WORLD", methods, preset, seed=0, workers=2)
    assert run.methods == {"spa": "SPA-RL", "mine": "My method"}
    assert run.config["world"] == "my_lab:WORLD" and run.config["env"] == "rooms"
    assert run.names("models") == ["cloned", "estimator", "mine", "spa"]
    assert Experiment.open(run).environment.name == "rooms"
    assert {task.kind for task in run.tasks().values()} == {"kitchen", "hall", "bath"}
    printed = fidelity(run=run, trajectories=2, branches=2, workers=1, sources=["terminal", "my_lab:rule"])
    assert "my rule" in printed
    view = spa_lab.inspect(run)
    assert view.truth is not None and [credit.source for credit in view.credits(["my rule"])] == ["my rule"]
    assert list(pd.DataFrame(run.results("scoreboard"))["source"].unique())[1] == "my rule"
    report = figures(runs=[run.path], out=tmp_path / "figures")
    assert "training-ppo" in report and "scoreboard" in report
    table = pd.read_csv(tmp_path / "figures" / "success.csv")
    assert {"My method", "SPA-RL"} <= set(table["policy"])


class Local(World):
    """A world of this file."""

    def reset(self, task: Task) -> str:
        return "Go."

    def step(self, action: str) -> Reply:
        return Reply("", True, True, 1.0)


def test_what_cannot_be_sent_to_workers_is_named_at_once(
    preset,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    task = Task("a", "local", "train", "", "Go.")
    local = Environment(name="local", make_world=Local, tasks=lambda split, n: [task] * n, step_limit=1)
    with pytest.raises(
        ValueError, match=r"world 'local' cannot be sent to worker processes .*module:attribute"
    ):
        train(tmp_path / "run", local, ("sft",), preset, seed=0, workers=1)
    with pytest.raises(ValueError, match="two training methods are called 'spa'"):
        train(tmp_path / "run", "household", ("spa", "spa"), preset, seed=0, workers=1)
    assert not (tmp_path / "run").exists()


def test_a_run_in_an_object_needs_it_again(tmp_path: Path, preset) -> None:  # type: ignore[no-untyped-def]
    from dataclasses import asdict

    run = Run.create(tmp_path / "run", {"env": "local", "world": None, "preset": asdict(preset)}, seed=0)
    with pytest.raises(ValueError, match="the run's world 'local' was given as an object; pass it again"):
        Experiment.open(run)
    with pytest.raises(ValueError, match="the run's world is 'local', got 'household'"):
        Experiment.open(run, "household")

"""`spa-lab gradient` on a run of seconds: what it leaves, that it goes on, and what it refuses."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from spa_lab import cli
from spa_lab.agent.models import save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import TINY, Preset
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.credit.methods import credit_method
from spa_lab.envs.base import Environment, Task
from spa_lab.learn.collect import Collected
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.methods import find_method
from spa_lab.pipeline import advantage_factories, gradient_episodes
from spa_lab.pipeline import gradient_fidelity as module
from spa_lab.pipeline.advantages import entry_of, label_of
from spa_lab.pipeline.experiment import Experiment, config_of
from spa_lab.pipeline.figures import MAKERS, Asked, LeftOut
from spa_lab.pipeline.parallel import WorkerTask
from spa_lab.store import Run, StoreError
from spa_lab.types import Trajectory
from spa_lab.view.tables.gradient_fidelity import render_gradient
from tests.envs.even import Even

NAMES = ("terminal", "rloo", "gigpo", f"step:{__name__}:first_step")
FIXED = ["exact", *(f"monte_carlo_{n}" for n in (2, 4, 8, 16, 64))]


@credit_method("first step", origin="a guess")
def first_step(trajectory: Trajectory) -> list[float]:
    return [trajectory.outcome - 0.5, *[0.0] * (len(trajectory) - 1)]


TASKS = [Task(f"e{i}", "even", "train", "", "", 2, None) for i in range(8)]
EVEN = Environment(name="even", make_world=partial(Even, 2), tasks=lambda split, n: TASKS[:n], step_limit=2)
PRESET = replace(TINY, demonstrations=0, explore_tasks=1, explore_rollout=RolloutConfig(0.7, 5, 16))


class InProcessPool:
    """A pool that executes every task in this process and counts them."""

    done: ClassVar[list[str]] = []

    def __init__(self, size: int) -> None: ...
    def __enter__(self) -> "InProcessPool":
        return self

    def __exit__(self, *_: object) -> None: ...
    def run(self, tasks: Sequence[WorkerTask], **_: object) -> list[Any]:
        self.done.extend(task.label for task in tasks)
        return [task.function(*task.arguments, report=lambda *progress: None) for task in tasks]


@pytest.fixture(scope="module", autouse=True)
def _in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WorkerPool", InProcessPool)
        patch.setattr(gradient_episodes, "SKETCH", 64)
        yield


@pytest.fixture(scope="module")
def cloned(make_policy: Callable[..., Policy], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a cloned policy and nothing else."""
    policy = make_policy("Action: a", "Action: bb", "noted", "Choose e0.", context=400, spread=0.4)
    run = Run.create(tmp_path_factory.mktemp("run") / "run", config_of(EVEN, EVEN, [], PRESET), seed=0)
    with run.saving_model("cloned") as target:
        save_policy(policy, target)
    return run.path


@pytest.fixture(scope="module")
def compared(cloned: Path) -> tuple[Run, pd.DataFrame]:
    table = module.gradient_fidelity(
        cloned, tasks=5, group=2, branches=2, advantages=NAMES, workers=1, world=EVEN
    )
    return Run.open(cloned), table


def test_every_advantage_is_compared(compared: tuple[Run, pd.DataFrame]) -> None:
    run, table = compared
    assert list(table["advantage"].unique()) == [*NAMES, *FIXED]
    assert table["label"].unique()[:4].tolist() == [
        "terminal reward, GAE", "RLOO", "GiGPO", f"{__name__}:first_step, own step",
    ]  # fmt: skip
    (saved,) = [entry for entry in run.result_sets() if entry.result == "gradient"]
    assert saved.name == "gradient-cloned" and len(saved.load()) == len(table)
    assert len(run.load_trajectories("gradient-cloned")) == 10 == len(run.load_truths("gradient-cloned"))
    assert {row["n_episodes"] for row in saved.load()} == {10}
    assert (run.path / "figures" / "gradient-cloned.svg").stat().st_size > 1000
    printed = render_gradient(table)
    assert "10 episodes of 5 tasks (20 steps, policy cloned), 2 continuations" in printed
    assert all(label in printed for label in ("RLOO", "exact credit", "Monte Carlo, 64"))


def test_advantages_are_those_of_the_episodes(compared: tuple[Run, pd.DataFrame]) -> None:
    """RLOO of groups of two is R_1 - R_2: its second moment is that of the outcomes' differences."""
    run, table = compared
    outcomes = np.array([t.outcome for t in run.load_trajectories("gradient-cloned")]).reshape(5, 2)
    rows = table.set_index(["advantage", "outcome", "metric"])
    expected = np.mean((outcomes[:, 0] - outcomes[:, 1]) ** 2)
    assert rows.loc[("rloo", "both", "second_moment"), "value"] == pytest.approx(expected)


def test_what_is_done_is_not_done_again(
    compared: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More tasks only add a chunk of episodes; a further advantage repeats the gradients alone."""
    run, table = compared
    how = {"group": 2, "branches": 2, "workers": 1, "world": EVEN}
    monkeypatch.setattr(InProcessPool, "done", [])
    monkeypatch.setattr(module, "save_pictures", lambda run, pictures: None)
    again = module.gradient_fidelity(run, tasks=5, advantages=NAMES, **how)
    own = f"advantage {NAMES[-1]}"  # made again, since its code may have changed
    assert InProcessPool.done == [own]
    pd.testing.assert_frame_equal(again, table)
    module.gradient_fidelity(run, tasks=5, advantages=[*NAMES, "grpo"], **how)
    assert InProcessPool.done[1:] == [own, "advantage grpo", "gradients 1/2", "gradients 2/2"]


def test_an_own_advantage_with_new_numbers_is_compared_anew(
    compared: tuple[Run, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open(shutil.copytree(compared[0].path, tmp_path / "run"))
    monkeypatch.setattr(InProcessPool, "done", [])
    monkeypatch.setattr(module, "save_pictures", lambda run, pictures: None)
    how = {"tasks": 5, "group": 2, "branches": 2, "workers": 1, "world": EVEN, "advantages": NAMES[-1:]}

    def own_rows() -> pd.DataFrame:
        table = module.gradient_fidelity(run, **how)
        return table[table["advantage"] == NAMES[-1]].set_index(["outcome", "metric"])["value"]

    before = own_rows()

    @credit_method("first step", origin="another guess")
    def squared(trajectory: Trajectory) -> list[float]:
        return [trajectory.outcome**2 - 0.3, *[0.1] * (len(trajectory) - 1)]

    monkeypatch.setattr(sys.modules[__name__], "first_step", squared)
    after = own_rows()
    assert InProcessPool.done[3:] == [f"advantage {NAMES[-1]}", "gradients 1/2", "gradients 2/2"]
    assert before["both", "second_moment"] != after["both", "second_moment"]


def test_figures_show_it(compared: tuple[Run, pd.DataFrame]) -> None:
    run, _ = compared
    made = [result for maker in MAKERS for result in maker.make([run], Asked())]
    (figure,) = [result for result in made if not isinstance(result, LeftOut)]
    assert figure.name == "gradient-cloned" and "10 episodes of 5 tasks" in figure.caption
    assert "RLOO" in figure.table


def test_defaults_are_what_the_run_allows(cloned: Path) -> None:
    assert module.default_names(Run.open(cloned)) == [
        "terminal", "terminal_in_sample", "released", "rloo", "grpo", "gigpo",
    ]  # fmt: skip


def test_methods_compare_in_the_groups_that_were_played(
    cloned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups of three, whatever group size the preset has for a method."""
    made: list[Preset] = []

    def make(inputs: TrainingInputs) -> Learner:
        made.append(inputs.preset)
        return find_method("rloo").make(inputs)

    method = TrainingMethod("watched", "watched", "example", make)
    monkeypatch.setattr(advantage_factories, "find_method", lambda name: method)
    experiment = Experiment.open(cloned, EVEN)
    advantage_factories._learner(experiment, entry_of("rloo"), "cloned", 3)
    (preset,) = made
    assert preset.ppo.episodes == preset.ppo.group_size == 3
    assert preset.progress.group_size == preset.hindsight.group_size == 3


def test_a_method_that_filters_groups_learns_from_those_alone(compared: tuple[Run, pd.DataFrame]) -> None:
    """Of five groups RAGEN-S keeps the two that differ most; episodes of others have the advantage 0."""
    run, _ = compared
    experiment = Experiment.open(run, EVEN)
    sample = gradient_episodes.Sample("cloned", tasks=5, group=2, branches=2)
    played = gradient_episodes.load_episodes(experiment, sample)

    def ended(*outcomes: float) -> Collected:
        both = zip(played.episodes, outcomes, strict=True)
        episodes = [replace(e, trajectory=replace(e.trajectory, outcome=outcome)) for e, outcome in both]
        return Collected(episodes, played.group, played.tasks)

    make = partial(
        advantage_factories.advantage_of, experiment, "ragen_s", report=lambda share, metrics: None
    )
    made = make(ended(0, 0, 1, 0, 0.5, 0.25, 1, 1, 0, 1))
    learnt = [group for group, values in zip(played.group, made.coefficient, strict=True) if values.any()]
    assert learnt == [1, 1, 4, 4]
    assert [values.any() for values in made.advantage] == [group in (1, 4) for group in played.group]
    with pytest.raises(ValueError, match="'ragen_s': the method learns from 1 of the 5 tasks"):
        make(ended(0, 0, 1, 0, 1, 1, 1, 1, 0, 0))


def test_bad_input_is_refused_at_once(cloned: Path, tmp_path: Path) -> None:
    for given, message in (
        ({"tasks": 3}, "got 3, 8 and 4"),
        ({"branches": 3}, "even number of continuations, got 64, 8 and 3"),
        ({"advantages": ["nothing"]}, "no training method 'nothing'"),
        ({"advantages": ["step:ipr_5"]}, "Monte Carlo credit is compared for every number"),
        ({"tasks": 9, "workers": 1, "world": EVEN}, "asked for 9 training tasks, it has 7"),
    ):
        with pytest.raises(ValueError, match=message):
            module.gradient_fidelity(cloned, **given)  # type: ignore[arg-type]
    path = shutil.copytree(cloned, tmp_path / "run")
    shutil.rmtree(path / "models")
    with pytest.raises(StoreError, match="no models called 'cloned'"):
        module.gradient_fidelity(path, workers=1, world=EVEN)


def test_the_command_passes_its_options(
    compared: tuple[Run, pd.DataFrame], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = []

    def called(run: Path, **given: Any) -> pd.DataFrame:
        calls.append((run, given))
        return compared[1]

    monkeypatch.setattr(module, "gradient_fidelity", called)
    assert cli.main(["gradient", "x", "--tasks", "5", "--advantage", "rloo", "terminal"]) == 0
    assert calls == [
        (
            Path("x"),
            {
                "tasks": 5, "group": 8, "branches": 4, "advantages": ["rloo", "terminal"],
                "policy": "cloned", "workers": 2, "server": None,
            },
        )
    ]  # fmt: skip
    assert "exact credit" in capsys.readouterr().out


def test_a_users_method_has_its_title() -> None:
    assert label_of("tests.examples.first_step:FIRST_STEP") == "R on the first step"
    assert label_of("rloo") == "RLOO"

"""`spa-lab fidelity` on a run of seconds: what it leaves, that it goes on, and what it refuses."""

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spa_lab
from spa_lab import cli
from spa_lab.agent.models import save_policy
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.presets import TINY
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.credit import methods
from spa_lab.credit.fidelity import CEILING, METRICS
from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.learn.cloning import clone
from spa_lab.learn.estimator import fit_estimator, save_estimator
from spa_lab.pipeline import fidelity as module
from spa_lab.pipeline import measurement
from spa_lab.pipeline.experiment import Experiment, config_of
from spa_lab.pipeline.fidelity import balanced
from spa_lab.pipeline.parallel import WorkerTask
from spa_lab.pipeline.sources import SOURCES as TABLE
from spa_lab.pipeline.sources import find_source, in_order
from spa_lab.plugins import load_object
from spa_lab.store import Run, StoreError
from spa_lab.types import Step, Trajectory
from tests.envs.even import Even

SOURCES = {
    "terminal", "mean", "random", "grounding", "step_index", "leave_one_out", "gigpo", "ipr_5",
    "math_shepherd_8", "mc_difference_8", "spa", "spa_released_head", "critic_td", "critic_gae", "rudder",
    "occlusion", "spa_prefix", "spa_progress", "gigpo_progress", "spa_hindsight", "critic", CEILING,
    "mc_bisection_8", "spa_progress_bisection",
}  # fmt: skip


TASKS = [Task(f"e{i}", "even", "train", "", "", 3, None) for i in range(4)]
EVEN = Environment(name="even", make_world=partial(Even, 3), tasks=lambda split, n: TASKS[:n], step_limit=3)
PRESET = replace(
    TINY, demonstrations=0, explore_tasks=4, held_out_fraction=0.5, explore_rollout=RolloutConfig(1.0, 5, 16),
    estimator=EstimatorConfig(width=4, epochs=1, batch_tokens=400),
)  # fmt: skip


class InProcessPool:
    """A pool that executes every task in this process."""

    def __init__(self, size: int) -> None: ...
    def __enter__(self) -> "InProcessPool":
        return self

    def __exit__(self, *_: object) -> None: ...
    def run(self, tasks: Sequence[WorkerTask], **_: object) -> list[Any]:
        return [task.function(*task.arguments, report=lambda *progress: None) for task in tasks]


def _no_pictures(*_: object) -> None:
    """They are tested where a run is scored for the first time, and drawing takes seconds."""


@pytest.fixture(scope="module", autouse=True)
def _in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WorkerPool", InProcessPool)
        yield


def _demonstration(first: str) -> Demonstration:
    steps = tuple(Step(f"Action: {action}", "", action, "noted", True) for action in (first, "a", "a"))
    facts = (first, "e0", "even", "train", "", "Choose e0.", steps, 1.0, True, "done", "expert", 0)
    return Demonstration(Trajectory(*facts), (True, True, True))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def explored(make_policy: Callable[..., Policy], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages leave before PPO: explorations, the policy that played them, the estimator."""
    policy = make_policy("Action: a", "Action: bb", "noted", "Choose e0.", hidden=32, context=400)
    config = CloneConfig(epochs=40, lr=0.02, muon_lr=None, batch_tokens=1000)
    clone(policy, [_demonstration(action) for action in ("a", "bb")], config, rng=random.Random(0))
    run = Run.create(tmp_path_factory.mktemp("run"), config_of(EVEN, EVEN, [], PRESET), seed=0)
    specs = [
        EpisodeSpec(f"explore/{task.id}/{m}", task, 10 * i + m)
        for i, task in enumerate(TASKS)
        for m in range(4)
    ]
    played = [episode.trajectory for episode in rollout(policy, EVEN, specs, PRESET.explore_rollout)]
    assert {trajectory.success for trajectory in played[8:]} == {True, False}
    run.save_trajectories("explore", played, role="explored")
    with run.saving_model("cloned") as target:
        save_policy(policy, target)
    with run.saving_model("estimator") as target:
        save_estimator(fit_estimator(policy, played[:8], PRESET.estimator, rng=random.Random(0)), target)
    return run.path


@pytest.fixture(scope="module")
def scored(explored: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A scored copy of the run, and what was printed."""
    path = shutil.copytree(explored, tmp_path_factory.mktemp("fidelity") / "run")
    return Run.open(path), module.fidelity(run=path, trajectories=2, branches=3, workers=1, world=EVEN)


def test_every_source_is_on_the_scoreboard(scored: tuple[Run, str]) -> None:
    run, printed = scored
    table = pd.DataFrame(run.results("scoreboard"))
    assert set(table["source"]) == SOURCES
    assert set(table["metric"]) == set(METRICS)
    assert all(source in printed for source in SOURCES)
    spent = table.drop_duplicates("source").set_index("source")
    steps = sum(len(credit) for credit in run.credits()["ipr_5"].values())
    assert (
        spent.loc["ipr_5", "rollouts"] == 5 * steps and spent.loc["mc_difference_8", "rollouts"] == 8 * steps
    )
    assert spent.loc["ipr_5", "seconds"] > 0
    assert spent.loc["critic_td", "fit_seconds"] > 0 and spent.loc["critic_td", "fit_rollouts"] == 8
    assert np.isnan(spent.loc["spa", "fit_seconds"]), "nobody noted how long the estimator took"
    (line,) = (line for line in printed.partition("cost ")[2].splitlines() if line.startswith("spa "))
    assert line.split()[1:3] == ["–", "8"]
    for ending in ("svg", "png"):
        assert (run.path / "figures" / f"fidelity.{ending}").stat().st_size > 1000


def test_progress_is_added_to_anchor_states(scored: tuple[Run, str]) -> None:
    credits = scored[0].credits()
    for name, both in credits["gigpo_progress"].items():
        parts = [credits[source][name].contributions for source in ("gigpo", "spa_progress")]
        np.testing.assert_allclose(both.contributions, parts[0] + parts[1])


def test_bisection_costs_a_few_values_and_corrects_progress(scored: tuple[Run, str]) -> None:
    run, _ = scored
    credits, trajectories = run.credits(), run.load_trajectories("explore")
    spent = pd.DataFrame(run.results("costs")).set_index("source")
    for source in ("mc_bisection_8", "spa_progress_bisection"):
        assert 8 * len(credits[source]) <= spent.loc[source, "rollouts"]
        assert spent.loc[source, "rollouts"] < spent.loc["mc_difference_8", "rollouts"]
        assert spent.loc[source, "rollouts"] % 8 == 0
        for trajectory in trajectories:
            if trajectory.id in credits[source]:
                credit = credits[source][trajectory.id]
                assert credit.predicted_outcome == pytest.approx(trajectory.known_outcome)
    assert spent.loc["spa_progress_bisection", "fit_seconds"] > 0
    for name, plain in credits["mc_bisection_8"].items():
        assert plain.base_value == credits["spa_progress_bisection"][name].base_value


def test_credit_alone_measures_nothing(explored: Path, tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(explored, tmp_path / "run"))
    told = module.fidelity(
        run=run.path, trajectories=2, branches=0, workers=1, sources=["mc_bisection_8", "mean"], world=EVEN
    )
    assert told.startswith("credit for 3 trajectories; nothing was measured"), (
        "two of one outcome, one of the other"
    )
    assert "mc_bisection_8" in told and "second measurement" not in told
    assert set(run.credits()) == {"mc_bisection_8", "mean"}
    assert len(run.credits()["mc_bisection_8"]) == 3
    assert not run.truth() and not run.results("scoreboard")
    with pytest.raises(ValueError, match="0 branches, got 2 and -1"):
        module.fidelity(run=run.path, trajectories=2, branches=-1, world=EVEN)


def test_what_is_done_is_not_done_again(scored: tuple[Run, str], monkeypatch: pytest.MonkeyPatch) -> None:
    run, printed = scored

    class IdlePool(InProcessPool):
        def run(self, tasks: Sequence[WorkerTask], **_: object) -> list[Any]:
            assert tasks == []
            return []

    monkeypatch.setattr(module, "WorkerPool", IdlePool)
    monkeypatch.setattr(module, "save_pictures", _no_pictures)
    assert module.fidelity(run=run.path, trajectories=2, branches=3, workers=1, world=EVEN) == printed


def test_the_run_holds_two_measurements_and_every_credit(scored: tuple[Run, str]) -> None:
    """From then on the inspector shows the agent's credit beside the truth."""
    run, _ = scored
    first, second = run.truth(), run.second_truth()
    assert first.keys() == second.keys() and len(first) == 3
    assert {truth.branches for truth in (*first.values(), *second.values())} == {3}
    assert all(truth.policy == "cloned" for truth in first.values())
    for file in run.outcomes.rglob("*.json"):
        saved = json.loads(file.read_text())
        rows, name = saved["outcomes"], saved["trajectory_id"]
        if file.parent.name == "cloned-spare":
            assert all(len(row) == 8 for row in rows), "for the sources that spend continuations"
            continue
        assert all(len(row) == 2 * 3 for row in rows)
        assert first[name].values[:-1].tolist() == [np.mean(row[:3]) for row in rows]
        assert second[name].values[:-1].tolist() == [np.mean(row[3:6]) for row in rows]
    credits = run.credits()
    assert set(credits) == SOURCES - {CEILING} == set(TABLE)
    assert all(by_id.keys() == first.keys() for by_id in credits.values())
    assert run.curves() == [] and run.names("metrics") == []
    view = spa_lab.inspect(run)
    assert view.truth is not None and view.trajectory.id in first
    assert len(view.credits(["spa", "ipr_5"])) == 2


def test_sources_that_another_version_scored_are_named(
    scored: tuple[Run, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of unknown versions are not."""
    monkeypatch.setattr(module, "save_pictures", _no_pictures)
    run, how = Run.open(shutil.copytree(scored[0].path, tmp_path / "run")), {"trajectories": 2, "branches": 3}
    assert "another version" not in scored[1]
    for source, code in (("mean", "a" * 40 + "-dirty"), ("random", "0.0.9"), ("gigpo", None)):
        (row,) = (row for row in run.results("costs") or () if row["source"] == source)
        known = {key: value for key, value in row.items() if key != "code"} | ({"code": code} if code else {})
        run.save_results(f"costs-{source}", [known], result="costs")
    printed = module.fidelity(run=run, workers=1, world=EVEN, sources=["mean"], **how)
    (line,) = (line for line in printed.splitlines() if "another version" in line)
    assert line.endswith("not scored again: mean (aaaaaaaaaa-dirty), random (0.0.9)")


def test_more_branches_extend_the_measurement(
    scored: tuple[Run, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "save_pictures", _no_pictures)
    run = Run.open(shutil.copytree(scored[0].path, tmp_path / "run"))
    module.fidelity(run=run, trajectories=2, branches=4, workers=1, world=EVEN, sources=["terminal"])
    assert {truth.branches for truth in run.truth().values()} == {4}
    assert set(pd.DataFrame(run.results("scoreboard"))["source"]) == SOURCES


def test_a_continuation_takes_the_time_of_those_that_were_played(explored: Path, tmp_path: Path) -> None:
    """Those that a killed attempt or other chunks had left took none of the seconds."""
    run = Run.open(shutil.copytree(explored, tmp_path / "run"))
    experiment = Experiment.open(run, EVEN)
    two = experiment.explored.held_out[:2]
    run.save_trajectories("explore", [], role="explored")  # a chunk brings its own

    def measure(chunk: list[Trajectory], branches: int) -> dict[str, Any]:
        measurement.measure_chunk(experiment.source, chunk, branches, "truth", report=lambda *_: None)
        name = f"measured-{measurement.digest(chr(10).join(one.id for one in chunk))}"
        (row,) = next(entry.load() for entry in run.result_sets() if entry.name == name)
        return row

    assert measure(two[:1], 2)["played"] == 3 * 2
    both = measure(two, 4)
    assert both["played"] == 2 * 3 * 4 - 3 * 2
    assert measure(two, 5)["played"] == both["played"] + 2 * 3
    rows = run.results("timings") or []
    seconds = sum(row["seconds"] for row in rows)
    assert measurement.seconds_per_continuation(run) == pytest.approx(seconds / (2 * 3 * 5))
    older = {key: value for key, value in both.items() if key != "played"}
    run.save_results(f"measured-{both['chunk']}", [older], result="timings")
    seconds = sum(row["seconds"] for row in run.results("timings") or [])
    assert measurement.seconds_per_continuation(run) == pytest.approx(seconds / (3 * 2 + 2 * 3 * 4))


def test_outcomes_under_other_settings_are_refused(scored: tuple[Run, str], tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(scored[0].path, tmp_path / "run"))
    file = next((run.outcomes / "cloned").rglob("*.json"))
    file.write_text(file.read_text().replace('"temperature": 1.0', '"temperature": 0.5'))
    with pytest.raises(ValueError, match=r"temperature 0\.5, now 1\.0"):
        module.fidelity(run=run.path, trajectories=2, branches=4, workers=1, world=EVEN)


def test_a_source_of_a_user(scored: tuple[Run, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object, or its name as module:attribute: scored, saved and listed last."""
    run = Run.open(shutil.copytree(scored[0].path, tmp_path / "run"))
    (tmp_path / "my_source.py").write_text(
        "from spa_lab.credit.methods import credit_method\n"
        "@credit_method('all on step 0', origin='a guess')\n"
        "def first(trajectory):\n"
        "    return [trajectory.outcome, *[0.0] * (len(trajectory) - 1)]\n"
        "def made(experiment, report):\n"
        "    assert experiment.environment.name == 'even'\n"
        "    return first\n"
        "nothing = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "save_pictures", _no_pictures)
    how = {"trajectories": 2, "branches": 3, "workers": 1, "world": EVEN}
    printed = module.fidelity(run=run, sources=["my_source:made"], **how)
    assert "all on step 0" in printed
    names = list(pd.DataFrame(run.results("scoreboard"))["source"].unique())
    assert [name for name in names if name != CEILING] == [*TABLE, "all on step 0"]
    assert module.fidelity(run=run, sources=[find_source("my_source:first")], **how) == printed
    for wrong, message in (
        ("theirs", "no credit source 'theirs'; there are: terminal, mean"),
        ("my_source:nothing", "expected a CreditMethod or a function that returns one, got int"),
        ("my_source:absent", "has no attribute 'absent'"),
    ):
        with pytest.raises(ValueError, match=message):
            module.fidelity(run=run, sources=[wrong], **how)


def test_no_source_overwrites_anothers_credit(
    scored: tuple[Run, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its name is known at once, or when its factory was called."""
    run = Run.open(shutil.copytree(scored[0].path, tmp_path / "run"))
    for name in ("spa.jsonl", "a/judge.jsonl", "b/judge.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "made_sources.py").write_text(
        "from spa_lab.credit.methods import credit_method\n"
        "def named(name):\n"
        "    method = credit_method(name)(lambda trajectory: [0.0] * len(trajectory))\n"
        "    return lambda experiment, report: method\n"
        "first, second, builtin = named('mine'), named('mine'), named('mean')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = {file: file.read_bytes() for file in run.path.glob("credits/*")}
    for sources, message in (
        (["file:spa.jsonl"], "'file:spa.jsonl': its name 'spa' is a built-in source's"),
        (["file:a/judge.jsonl", "file:b/judge.json"], "'file:a/judge.jsonl' and 'file:b/judge.json' have"),
        ([methods.MEAN], "its name 'mean' is a built-in source's"),
        (["made_sources:builtin"], "'made_sources:builtin': its name 'mean'"),
        ([load_object("made_sources:builtin", "source")], "its name 'mean' is a built-in source's"),
        (["made_sources:first", "made_sources:second"], "have the same name, '"),
    ):
        with pytest.raises(ValueError, match=message):
            module.fidelity(
                run=run, trajectories=2, branches=3, workers=1, world=EVEN, sources=sources,  # type: ignore[arg-type]
            )  # fmt: skip
        assert {file: file.read_bytes() for file in before} == before


def test_every_source_gives_credit_under_its_own_name() -> None:
    assert in_order(["mine", "spa", "terminal", "mine"]) == ["terminal", "spa", "mine"]
    assert set(TABLE) == SOURCES - {CEILING}


def test_a_run_without_estimator_is_refused_at_once(explored: Path, tmp_path: Path) -> None:
    path = shutil.copytree(explored, tmp_path / "run")
    shutil.rmtree(path / "models" / "estimator")
    with pytest.raises(StoreError, match="no models called 'estimator'"):
        module.fidelity(run=path, trajectories=1, branches=1, workers=1, world=EVEN)
    with pytest.raises(ValueError, match="got 0 and 1"):
        module.fidelity(run=path, trajectories=0, branches=1, workers=1, world=EVEN)


def test_presets_of_other_versions_are_refused(tmp_path: Path) -> None:
    config = {"env": "household", "preset": {"name": "x", "clone": {"feet": 2}}}
    run = Run.create(tmp_path / "run", config, seed=0)
    with pytest.raises(ValueError, match=r"its preset is not of this version: .*feet"):
        Experiment.open(run)


def test_balanced_spreads_over_tasks_and_only_grows(make_trajectory: Callable[..., Trajectory]) -> None:
    many = [
        make_trajectory(outcome, (True,), id=f"{task}{i}{outcome:.0f}", task_id=task)
        for task in "ab"
        for i in range(2)
        for outcome in (1.0, 0.0)
    ]
    four = [trajectory.id for trajectory in balanced(many, 2)]
    assert four == ["a01", "a00", "b01", "b00"]
    assert [trajectory.id for trajectory in balanced(many, 3)][:4] == four
    assert len(balanced(many, 9)) == 8
    assert [trajectory.id for trajectory in balanced(many[:1], 3)] == ["a01"]


def test_the_command_passes_its_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[dict[str, Any]] = []

    def called(**given: Any) -> str:
        calls.append(given)
        return "table"

    monkeypatch.setattr(module, "fidelity", called)
    assert cli.main(["fidelity", "x"]) == 0
    assert cli.main(["fidelity", "x", "--trajectories", "3", "--branches", "4", "--workers", "1"]) == 0
    same = {"run": Path("x"), "sources": None, "server": None}
    assert calls == [
        same | {"trajectories": 40, "branches": 64, "workers": 2},
        same | {"trajectories": 3, "branches": 4, "workers": 1},
    ]
    assert capsys.readouterr().out == "table\ntable\n"

"""The whole pipeline on every world but the household, which the other tests here are about."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import torch

from spa_lab.configs.presets import EMBEDDED, LESSON, PAPER, TINY, Preset, preset_named
from spa_lab.envs.base import Environment
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline import demo as demo_module
from spa_lab.pipeline import experiment
from spa_lab.pipeline.experiment import Experiment, config_of
from spa_lab.pipeline.fidelity import balanced, fidelity
from spa_lab.pipeline.measurement import measure_tasks
from spa_lab.store import Run
from tests.made_once import made_once

OTHER_WORLDS = ("webshop", "virtualhome")


@pytest.fixture(scope="module", params=OTHER_WORLDS)
def demo(
    request: pytest.FixtureRequest, data: Path, micro: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A finished `spa-lab demo --env ...` of a few seconds."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPA_LAB_DATA", str(data))
            patch.chdir(folder)
            patch.setattr(demo_module, "fidelity", partial(_scored, folder / "left.json"))
            assert micro.main(["demo", "--env", request.param, "--workers", "1"], micro.NANO) == 0

    folder = made_once(tmp_path_factory, request.param, make)
    return Run.open(folder / "runs" / f"demo-{request.param}")


def _scored(left: Path, *, run: Run, trajectories: int, branches: int, **options: Any) -> str:
    """`fidelity`, and beside it the measurements that it has still to do."""
    experiment = Experiment.open(run)
    chosen = balanced(experiment.explored.held_out, trajectories)
    tasks = measure_tasks(experiment, chosen, 2 * branches)
    left.write_text(json.dumps([task.label for task in tasks]))
    return fidelity(run=run, trajectories=trajectories, branches=branches, **options)


def test_every_stage_leaves_its_files(demo: Run) -> None:
    assert demo.names("models") == ["cloned", "estimator", "spa", "spa_progress", "terminal"]
    assert {trajectory.env for trajectory in demo.load_trajectories("explore")} == {demo.config["env"]}
    for name in ("eval-base-unseen", "eval-spa-unseen", "eval-spa-unseen_by_length"):
        assert len(demo.load_trajectories(name)) == 2
    assert (demo.path / "figures" / "success_by_length.svg").stat().st_size > 1000


def test_the_truth_is_measured_while_methods_train(demo: Run) -> None:
    """What training leaves is all that the scoreboard needs: nothing is played after it."""
    assert json.loads((demo.path.parents[1] / "left.json").read_text()) == []
    explored = Experiment.open(demo).explored.held_out
    assert set(demo.truth()) == {trajectory.id for trajectory in balanced(explored, 1)}


def test_the_table_says_which_world_it_is_about(demo: Run, micro: ModuleType, capsys) -> None:
    argv = ["demo", "--env", demo.config["env"], "--out", str(demo.path), "--workers", "1"]
    assert micro.main(argv, micro.NANO) == 0
    printed = capsys.readouterr().out
    original = {"webshop": "WebShop", "virtualhome": "VirtualHome"}[demo.config["env"]]
    assert f"generated {demo.config['env']} games (not {original} scores)" in printed
    summary = json.loads((demo.path / "summary.json").read_text())
    rows = summary["panels"]["unseen"].values()
    assert ("reward" in printed.splitlines()[2]) == any(row["outcome"] != row["success"] for row in rows)


def test_what_decides_the_reward_is_recorded(demo: Run) -> None:
    """Nouns of product names are found by different means; results under different ones never mix."""
    env = demo.config["env"]
    assert demo.config.get("noun_scorer") == {"webshop": "generated", "virtualhome": None}[env]
    assert make_environment("household").settings == {}


def test_an_unknown_world_is_one_clear_line(micro: ModuleType, tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    assert micro.main(["demo", "--env", "chess", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    worlds = "household, household-long, webshop, virtualhome"
    assert line.startswith(f"spa-lab: error: no world 'chess'; there are: {worlds}")
    assert line.endswith("; or package.module:attribute")
    assert not out.exists()


@pytest.mark.parametrize("name", ["tiny", "lesson"])
@pytest.mark.parametrize("env", OTHER_WORLDS)
def test_tiny_presets_know_the_world(name: str, env: str) -> None:
    preset, household = preset_named(name, env), preset_named(name)
    assert preset.base == household.base == EMBEDDED
    assert preset.demonstrations == {"webshop": 600, "virtualhome": 130}[env]
    assert (
        preset.evaluate_rollout.max_new_tokens
        == preset.explore_rollout.max_new_tokens
        > household.explore_rollout.max_new_tokens
    )
    assert (preset.reward, preset.name) == (household.reward, name)
    assert (preset.ppo.iterations, preset.ppo.episodes) == (household.ppo.iterations, household.ppo.episodes)
    assert preset.explore_tasks == household.explore_tasks * {"webshop": 2, "virtualhome": 1}[env]
    slower = env == "webshop"  # its copied thoughts do not survive the household's rates
    assert (preset.ppo.lr < household.ppo.lr) == (preset.estimator.lr < household.estimator.lr) == slower
    assert preset_named("paper", env) is PAPER
    assert (preset_named("tiny"), preset_named("lesson")) == (TINY, LESSON)


@pytest.mark.parametrize("name", ["tiny", "lesson"])
def test_the_long_household_only_needs_more_demonstrations(name: str) -> None:
    preset, household = preset_named(name, "household-long"), preset_named(name)
    assert preset.demonstrations > household.demonstrations
    assert replace(preset, demonstrations=household.demonstrations) == household


def _experiment(folder: Path, env: str, preset: Preset) -> Experiment:
    """A run in which nothing is done yet."""
    world: Environment = make_environment(env)
    return Experiment(Run.create(folder, config_of(env, world, ["sft"], preset), seed=0), world)


@pytest.mark.parametrize("env", ["household", *OTHER_WORLDS])
def test_each_world_starts_from_a_base_that_has_read_it(
    env: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(experiment, "load_policy", lambda source, **named: asked.append(source))
    _experiment(tmp_path / "run", env, TINY).policy("base")
    assert asked == [data / {"household": "base"}.get(env, f"base_{env}")]


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [("cpu", "meta", "cpu"), ("auto", "meta", "meta"), ("auto", None, "cpu")],
)
def test_models_go_to_the_accelerator_where_the_preset_says_so_and_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wanted: Literal["cpu", "auto"],
    present: str | None,
    expected: str,
) -> None:
    device = present and torch.device(present)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: device)
    policy = _experiment(tmp_path / "run", "household", replace(TINY, device=wanted)).policy("base")
    assert policy.model.device.type == expected

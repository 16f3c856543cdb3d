"""Which tasks a run plays, and data sets that have fewer of them than a preset asks for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY, Preset
from spa_lab.envs.base import Environment, Expert, Task, World
from spa_lab.pipeline import stages
from spa_lab.pipeline.experiment import Experiment, config_of
from spa_lab.pipeline.task_lists import TaskLists
from spa_lab.pipeline.train import train
from spa_lab.store import Run
from spa_lab.types import Trajectory

TASKS = [Task(f"t{i}", "finite", "train", "", "") for i in range(10)]


def tasks(split: str, n: int) -> Sequence[Task]:
    if n > len(TASKS):
        raise ValueError(f"{n} tasks of {split!r} are wanted, there are {len(TASKS)}")
    return TASKS[:n]


def expert(task: Task, opening: str) -> Expert:
    raise AssertionError("no task is played")


FINITE = Environment(
    name="finite", make_world=World, make_expert=expert, tasks=tasks, step_limit=3, official=True,
    panels=("unseen", "seen"),
)  # fmt: skip
PRESET = replace(
    TINY, demonstrations=4, explore_tasks=3, ppo=PPOConfig(iterations=2, episodes=4),
    evaluation_tasks=5, by_length_tasks=0,
)  # fmt: skip


def ids(chosen: Sequence[Task]) -> list[int]:
    return [TASKS.index(task) for task in chosen]


def test_fresh_tasks_come_after_the_demonstrated_ones() -> None:
    lists = TaskLists(FINITE, replace(PRESET, ppo=PPOConfig(iterations=1, episodes=3)))
    assert ids(lists.explored) == [4, 5, 6]
    assert ids(lists.trained) == [7, 8, 9]
    lists.check(trains=True)


def test_demonstrated_tasks_are_played_again() -> None:
    lists = TaskLists(FINITE, replace(PRESET, explore_on="demonstrated"))
    assert ids(lists.explored) == [0, 1, 2]
    assert ids(lists.trained) == [0, 1, 2, 3, 0, 1, 2, 3]
    lists.check(trains=True)


def test_panels_by_size() -> None:
    assert TaskLists(FINITE, PRESET).panel_sizes == {"unseen": 5}
    assert TaskLists(FINITE, replace(PRESET, by_length_tasks=2)).panel_sizes == {"unseen": 5, "seen": 2}


@pytest.mark.parametrize(
    ("preset", "n"),
    [
        (PRESET, 15),
        (replace(PRESET, demonstrations=8), 11),
        (replace(PRESET, demonstrations=12), 12),
        (replace(PRESET, evaluation_tasks=20), 20),
    ],
)
def test_too_few_official_tasks_are_an_error_before_anything_is_written(
    preset: Preset, n: int, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"{n} tasks of '(train|unseen)' are wanted, there are 10"):
        train(tmp_path / "run", FINITE, ("spa",), preset, seed=0, workers=1)
    assert not (tmp_path / "run").exists()


def test_a_finite_list_of_a_users_world_is_checked_as_well() -> None:
    """Training would come to an iteration without tasks, after all stages before it."""
    cut = replace(FINITE, official=False, tasks=lambda split, n: TASKS[:n] if split != "seen" else [])
    with pytest.raises(ValueError, match="'finite': 15 tasks of panel 'train' are wanted, there are 10"):
        TaskLists(cut, PRESET).check(trains=True)
    with pytest.raises(ValueError, match="panel 'seen' has no tasks"):
        TaskLists(cut, replace(PRESET, by_length_tasks=2)).check(trains=True)
    TaskLists(cut, replace(PRESET, explore_on="demonstrated", evaluation_tasks=20)).check(trains=True)
    TaskLists(cut, PRESET).check(trains=False)


def test_without_a_training_method_nothing_is_explored() -> None:
    TaskLists(FINITE, replace(PRESET, demonstrations=8)).check(trains=False)


def test_without_demonstrations_training_starts_from_the_base(micro: ModuleType, tmp_path: Path) -> None:
    """Nothing is cloned, and the run has the model all the same."""
    preset = replace(micro.MICRO, demonstrations=0)
    world = "tests.examples.rooms:environment"
    config = {"env": "rooms", "world": world, "methods": [], "preset": asdict(preset)}
    experiment = Experiment.open(Run.create(tmp_path / "run", config, seed=0))
    stages.clone_stage(experiment.source, report=lambda *progress: None)
    base, cloned = (experiment.policy(name).model.state_dict() for name in ("base", "cloned"))
    assert all(torch.equal(weights, cloned[name]) for name, weights in base.items())
    assert experiment.run.load_metrics("clone") == []


def test_the_last_tasks_of_the_panel_are_held_out_whatever_their_names(
    make_trajectory: Callable[..., Trajectory], tmp_path: Path
) -> None:
    """A benchmark's ids begin with the task type; its panel mixes the types, and so do both parts."""
    kinds = ("pick", "heat", "clean", "heat", "clean", "pick")
    panel = [Task(f"{kind}-{i}", "finite", "train", "", "") for i, kind in enumerate(kinds)]
    world = replace(FINITE, tasks=lambda split, n: panel[:n])
    preset = replace(PRESET, demonstrations=0, explore_tasks=6, rollouts_per_task=11, held_out_fraction=0.5)
    run = Run.create(tmp_path / "run", config_of(world, world, ["spa"], preset), seed=0)
    experiment = Experiment(run, world)
    played = [make_trajectory(id=spec.id, task_id=spec.task.id) for spec in stages.explore_specs(experiment)]
    for wave, start in enumerate(range(0, len(played), 20)):
        run.shards("explore").save(wave, played[start : start + 20])
    stages.save_explorations(experiment)
    fitted, held_out = experiment.explored
    assert [trajectory.id for trajectory in (*fitted, *held_out)] == [trajectory.id for trajectory in played]
    assert {trajectory.task_id for trajectory in held_out} == {task.id for task in panel[3:]}

"""Panels: fixed, disjoint, the same on every machine, filled as promised."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household import environment, panels
from spa_lab.envs.panels import length_bin

ROOT = Path(__file__).resolve().parents[2]
FIRST_HASH = "d4b31c08b0840073e141307fa9a7785dd8ba5f1b3dd2fbf5b54e0238ef7c96df"


def test_panel_is_pinned() -> None:
    """Changes only with the generator, on purpose: then every published panel changes its name."""
    assert panels.panel_hash(panels.tasks("train", 12)) == FIRST_HASH


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_panels_do_not_depend_on_the_process(hash_seed: str) -> None:
    code = "from spa_lab.envs.household import panels as p; print(p.panel_hash(p.tasks('train', 12)))"
    environ = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == FIRST_HASH


def test_longer_panels_begin_with_shorter_ones() -> None:
    assert panels.tasks("seen", 12)[:6] == panels.tasks("seen", 6)


def test_task_types_take_turns() -> None:
    assert set(Counter(task.kind for task in panels.tasks("train", 30)).values()) == {5}


def problem_of(task: Task) -> str:
    return str(task.payload.problem)


def test_no_game_is_in_two_splits() -> None:
    by_split = {split: panels.tasks(split, 150) for split in panels.SPLITS}
    every = [task for split in by_split.values() for task in split]
    assert len({problem_of(task) for task in every}) == len(every)
    assert len({task.id for task in every}) == len(every)
    assert {task.split for task in by_split["unseen"]} == {"unseen"}


def test_expert_lengths_are_the_experts() -> None:
    for task in panels.tasks("train", 24):
        assert panels.play_expert(task.payload, panels.STEP_LIMIT) == task.expert_length
        assert panels.play_expert(task.payload, task.expert_length - 1) is None


def test_panel_by_length() -> None:
    panel = panels.tasks(panels.BY_LENGTH, 280)
    counts = Counter(length_bin(task.expert_length, panels.BINS) for task in panel)
    assert counts == dict.fromkeys(range(7), panels.BIN_SIZE)
    first = Counter(length_bin(task.expert_length, panels.BINS) for task in panel[:21])
    assert set(first.values()) == {3}  # a part from the start is balanced too
    assert {task.split for task in panel} == {panels.BY_LENGTH}  # never pooled with the natural mix
    assert panels.panel_hash(panel) == json.loads(panels.PANEL_FILE.read_text(encoding="utf-8"))["sha256"]


@pytest.mark.parametrize(
    ("split", "n", "message"),
    [
        ("test", 1, "no panel 'test'"),
        ("train", -1, "must be >= 0, got -1"),
        (panels.BY_LENGTH, 281, "has 280 tasks, asked for 281"),
    ],
)
def test_unknown_panels_are_refused(split: str, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        panels.tasks(split, n)


def test_missing_panel_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(panels, "PANEL_FILE", tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"none\.json"):
        panels.tasks(panels.BY_LENGTH, 1)


def test_environment_plays() -> None:
    env = environment()
    task = env.tasks("unseen", 1)[0]
    world = env.make_world()
    expert = env.make_expert(task, world.reset(task))
    for _ in range(env.step_limit):
        _, action = expert.act()
        reply = world.step(action)
        expert.observe(action, reply.observation)
        if reply.done:
            break
    assert reply.done
    assert reply.outcome == 1.0


def test_environment_sizes() -> None:
    assert environment("medium").tasks("train", 1)[0].id == "household-train-medium-00000"
    with pytest.raises(ValueError, match="huge"):
        environment("huge")  # type: ignore[arg-type]

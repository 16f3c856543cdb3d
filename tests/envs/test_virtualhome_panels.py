"""Panels: fixed, disjoint, the same on every machine, every task nontrivial."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.panels import length_bin
from spa_lab.envs.virtualhome import environment, panels
from spa_lab.envs.virtualhome.flats import make_flat
from spa_lab.envs.virtualhome.generator import KINDS, generate
from spa_lab.envs.virtualhome.task import VirtualHomeTask, read_task
from spa_lab.envs.virtualhome.task_templates import read_sentence

ROOT = Path(__file__).resolve().parents[2]
FIRST_HASH = "64e514dcb3cc43e021dee108d0f553118c55c8e0b51c1cc90b62fe8c3fc8b18d"


@cache
def _panels() -> dict[str, list[Task]]:
    """A hundred tasks of every split; not made where the tests are only collected."""
    return {split: panels.tasks(split, 100) for split in panels.SPLITS}


def test_panel_is_pinned() -> None:
    """The hash changes only with the generator; then every published panel must be renamed."""
    assert panels.panel_hash(_panels()["train"][:20]) == FIRST_HASH


def test_panels_do_not_depend_on_the_process() -> None:
    code = "from spa_lab.envs.virtualhome import panels as p; print(p.panel_hash(p.tasks('train', 20)))"
    environ = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == FIRST_HASH


def test_longer_panels_begin_with_shorter_ones() -> None:
    assert panels.tasks("seen", 3) == _panels()["seen"][:3]


def test_kinds_alternate() -> None:
    assert Counter(task.kind for task in _panels()["train"][:30]) == dict.fromkeys(KINDS, 3)


def test_every_task_is_nontrivial_and_solved_by_the_expert() -> None:
    for task in (task for panel in _panels().values() for task in panel):
        game = read_task(task.payload)
        assert game.worth_playing
        assert panels.play_expert(task.payload, task.expert_length) == task.expert_length
        assert panels.play_expert(task.payload, task.expert_length - 1) is None


def furniture_of(payload: VirtualHomeTask) -> frozenset[str]:
    assert isinstance(payload.graph, str)
    nodes = json.loads(payload.graph)["nodes"]
    return frozenset(node["class_name"] for node in nodes if node["category"] == "Furniture")


def test_splits_do_not_overlap() -> None:
    """`unseen` shares neither flats nor combinations with `train`; `seen` shares flats but no task."""
    graphs = {split: {task.payload.graph for task in panel} for split, panel in _panels().items()}
    assert sum(len(each) for each in graphs.values()) == 300
    assert len(set.union(*graphs.values())) == 300
    flats = {split: {furniture_of(t.payload) for t in panel} for split, panel in _panels().items()}
    assert not flats["unseen"] & (flats["train"] | flats["seen"])
    assert flats["seen"] & flats["train"]
    asked = {
        split: {read_sentence(task.payload.description) for task in panel}
        for split, panel in _panels().items()
    }
    assert not asked["unseen"] & (asked["train"] | asked["seen"])


def test_no_class_occurs_twice() -> None:
    for task in _panels()["unseen"]:
        assert all(len(ids) == 1 for ids in read_task(task.payload).scene.by_name.values())


def test_flats_of_the_two_sides_differ() -> None:
    sides = [{make_flat(i, unseen=unseen).furniture for i in range(64)} for unseen in (False, True)]
    assert not sides[0] & sides[1]
    assert min(len(side) for side in sides) > 50


def test_panel_by_length() -> None:
    panel = panels.tasks(panels.BY_LENGTH, 280)
    bins = [length_bin(task.expert_length, panels.BINS) for task in panel]
    assert Counter(bins) == dict.fromkeys(range(4), 70)
    assert Counter(bins[:28]) == dict.fromkeys(range(4), 7)
    assert panels.panel_hash(panel) == json.loads(panels.PANEL_FILE.read_text(encoding="utf-8"))["sha256"]


@pytest.mark.parametrize(
    ("split", "n", "message"),
    [
        ("test", 1, "no panel 'test'"),
        ("train", -1, "with -1 tasks; .* n must be >= 0"),
        (panels.BY_LENGTH, 281, "has 280 tasks, asked for 281"),
    ],
)
def test_bad_requests_are_refused(split: str, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        panels.tasks(split, n)
    with pytest.raises(ValueError, match="no kind of task 'cook'"):
        generate(random.Random(0), kind="cook", unseen=False, name="x")


def test_the_environment_is_complete() -> None:
    world = environment()
    task = world.tasks("unseen", 1)[0]
    opening = world.make_world().reset(task)
    assert opening == f"The task is {task.instruction}."
    assert world.make_expert(task, opening).act()[0].startswith("I am to ")
    assert (world.name, world.step_limit, task.env) == ("virtualhome", 40, "virtualhome")

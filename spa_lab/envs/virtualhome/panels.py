"""Panels of generated VirtualHome tasks: fixed, ordered, the same on every machine.

Task i of a split is generated from a hash of (split, i), so a panel has no state and no end, and does not
depend on the order of calls. `seen` tasks share flats and combinations of things and targets with `train`, in
other layouts; `unseen` tasks share neither, but for "load" and "gather" with the same things in another order
(see `envs.virtualhome.generator`). `unseen_by_length` holds the same number of unseen tasks for each bin of
expert length.
"""

import hashlib
import random
from pathlib import Path

from spa_lab.envs.base import Task
from spa_lab.envs.panels import GeneratedPanels, balanced_by_length, digest, expert_length
from spa_lab.envs.virtualhome.expert import VirtualHomeExpert
from spa_lab.envs.virtualhome.generator import KINDS, generate
from spa_lab.envs.virtualhome.task import VirtualHomeTask, read_task
from spa_lab.envs.virtualhome.world import VirtualHomeWorld

NAME = "virtualhome"
STEP_LIMIT = 40
SPLITS = ("train", "seen", "unseen")
BY_LENGTH = "unseen_by_length"
BINS = ((1, 4), (5, 9), (10, 14), (15, STEP_LIMIT))
"""Expert lengths, both ends included."""
BIN_SIZE = 70
PANEL_FILE = Path(__file__).resolve().parents[3] / "data" / "panels" / "virtualhome_unseen_by_length.json"


def make_task(split: str, index: int) -> Task:
    """Task `index` of a split: the first generated from its seeds that is not trivial and the expert solves.

    Kinds of tasks alternate, so any ten consecutive tasks cover all ten.
    """
    kind = KINDS[index % len(KINDS)]
    name = f"{NAME}-{split}-{index:05d}"
    attempt = 0
    while True:
        rng = random.Random(digest(NAME, split, index, attempt))
        payload = generate(rng, kind=kind, unseen=split.startswith("unseen"), name=name)
        attempt += 1
        if payload is None or not read_task(payload).worth_playing:
            continue
        length = play_expert(payload, STEP_LIMIT)
        if length is not None:
            return Task(name, NAME, split, kind, payload.instruction, length, payload)


def play_expert(payload: VirtualHomeTask, step_limit: int) -> int | None:
    """Steps in which the expert solves a task; None if it does not within `step_limit`."""
    world = VirtualHomeWorld()
    world.reset(Task(payload.scene, NAME, "", "", payload.instruction, 0, payload))
    return expert_length(world, VirtualHomeExpert(payload.instruction), step_limit)


def panel_hash(panel: list[Task]) -> str:
    """SHA-256 of the content of a panel's tasks, in order."""
    digester = hashlib.sha256()
    for task in panel:
        digester.update(f"{task.id}\n{task.kind}\n{task.instruction}\n{task.expert_length}\n".encode())
        digester.update(f"{task.payload.graph}\n{task.payload.goal}\n".encode())
    return digester.hexdigest()


def find_by_length(limit: int = 20_000) -> list[int]:
    """Find the task indices of `unseen_by_length`; takes a minute.

    Raises:
        ValueError: the first `limit` tasks do not fill the bins.
    """
    candidates = ((index, make_task(BY_LENGTH, index).expert_length) for index in range(limit))
    return balanced_by_length(candidates, BINS, BIN_SIZE)


tasks = GeneratedPanels(NAME, make_task, SPLITS, BY_LENGTH, PANEL_FILE)
"""(split, n) -> the first n tasks of "train", "seen", "unseen" or "unseen_by_length" (at most 280)."""

"""Fixed, ordered lists of VirtualHome tasks, the same on every machine.

Task i of a split is generated from a seed that is a hash of (split, i): no state, no order of calls. `train`
has no end; `seen` has train's flats and combinations of things and places but other layouts; `unseen` has
neither. `unseen_by_length` holds unseen tasks, as many for each bin of expert length.
"""

import hashlib
import random
from pathlib import Path

from spa_lab.envs.base import Task
from spa_lab.envs.panels import balanced_by_length, chosen_tasks, expert_length
from spa_lab.envs.virtualhome.expert import VirtualHomeExpert
from spa_lab.envs.virtualhome.flats import digest
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


def tasks(split: str, n: int) -> list[Task]:
    """The first `n` tasks of a panel.

    Args:
        split: "train", "seen", "unseen" or "unseen_by_length" (at most 280 tasks).
        n: How many, >= 0.

    Raises:
        ValueError: If the split is unknown, `n` is negative or the panel has fewer than `n` tasks.
    """
    if n < 0:
        raise ValueError(f"panel {split!r}: number of tasks must be >= 0, got {n}")
    if split == BY_LENGTH:
        return _tasks_by_length(n)
    if split not in SPLITS:
        raise ValueError(f"no panel {split!r}, expected one of {(*SPLITS, BY_LENGTH)}")
    return [make_task(split, index) for index in range(n)]


def make_task(split: str, index: int) -> Task:
    """Task `index` of a split: the first from its seeds that is worth playing and that the expert solves.

    Kinds of tasks take turns, so every ten tasks in a row hold one of each.
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
    """Steps that the expert needs for a task; None if it does not finish within `step_limit`."""
    world = VirtualHomeWorld()
    world.reset(Task(payload.scene, NAME, "", "", payload.instruction, 0, payload))
    return expert_length(world, VirtualHomeExpert(payload.instruction), step_limit)


def panel_hash(panel: list[Task]) -> str:
    """SHA-256 of all that makes up the tasks of a panel, in order."""
    digester = hashlib.sha256()
    for task in panel:
        digester.update(f"{task.id}\n{task.kind}\n{task.instruction}\n{task.expert_length}\n".encode())
        digester.update(f"{task.payload.graph}\n{task.payload.goal}\n".encode())
    return digester.hexdigest()


def find_by_length(limit: int = 20_000) -> list[int]:
    """Searches for the indices of the tasks of `unseen_by_length`; takes a minute.

    Raises:
        ValueError: If `limit` tasks do not fill the bins.
    """
    candidates = ((index, make_task(BY_LENGTH, index).expert_length) for index in range(limit))
    return balanced_by_length(candidates, BINS, BIN_SIZE)


def _tasks_by_length(n: int) -> list[Task]:
    return [make_task(BY_LENGTH, index) for index in chosen_tasks(PANEL_FILE, BY_LENGTH, n)]

"""Fixed, ordered lists of household tasks, the same on every machine.

Task i of a split is generated from a seed that is a hash of (split, size, i), independently of all others.
`train` is unlimited; `seen` has train's houses and target pairs but other games; `unseen` shares neither.
`unseen_by_length` holds unseen tasks of all sizes, 40 for each bin of expert length.
"""

import hashlib
import random
from pathlib import Path
from typing import get_args

from spa_lab.envs.base import Task
from spa_lab.envs.household.expert import HouseholdExpert
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.generator import TASK_TYPES, generate_game
from spa_lab.envs.household.houses import Size, digest
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.panels import balanced_by_length, chosen_tasks, expert_length

STEP_LIMIT = 40
SPLITS = ("train", "seen", "unseen")
BY_LENGTH = "unseen_by_length"
BINS = ((1, 4), (5, 9), (10, 14), (15, 19), (20, 24), (25, 29), (30, STEP_LIMIT))
"""Expert lengths, both ends included. The last bin ends at the step limit."""
BIN_SIZE = 40
PANEL_FILE = Path(__file__).resolve().parents[3] / "data" / "panels" / "household_unseen_by_length.json"


def tasks(split: str, n: int, size: Size = "small") -> list[Task]:
    """The first `n` tasks of a panel.

    Args:
        split: "train", "seen", "unseen" or "unseen_by_length" (at most 280 tasks, of all sizes).
        n: How many, >= 0.
        size: Size of the houses of the first three.

    Raises:
        ValueError: If the split or size is unknown, `n` is negative or the panel has fewer than `n` tasks.
    """
    if n < 0:
        raise ValueError(f"panel {split!r}: number of tasks must be >= 0, got {n}")
    if split == BY_LENGTH:
        return _tasks_by_length(n)
    if split not in SPLITS or size not in get_args(Size):
        raise ValueError(f"no panel {split!r} of size {size!r}, expected one of {(*SPLITS, BY_LENGTH)}")
    return [make_task(split, index, size) for index in range(n)]


def make_task(split: str, index: int, size: Size = "small") -> Task:
    """Task `index` of a split: the first game made from its seeds that the expert solves within `STEP_LIMIT`.

    Task types take turns, so every six tasks in a row hold one of each.
    """
    task_type = TASK_TYPES[index % len(TASK_TYPES)]
    attempt = 0
    while True:
        rng = random.Random(digest("household", split, size, index, attempt))
        name = f"household-{split}-{size}-{index:05d}"
        game = generate_game(
            rng, task_type=task_type, size=size, unseen=split.startswith("unseen"), game_id=name
        )
        length = play_expert(game, STEP_LIMIT)
        if length is not None:
            return Task(name, "household", split, task_type, game.task, length, game)
        attempt += 1


def play_expert(game: HouseholdTask, step_limit: int) -> int | None:
    """Steps that the expert needs for `game`; None if it does not finish within `step_limit`."""
    world = HouseholdWorld()
    task = Task(game.game_id, "household", "", game.task_type, game.task, 0, game)
    return expert_length(world, HouseholdExpert(game.task, world.reset(task)), step_limit)


def panel_hash(panel: list[Task]) -> str:
    """SHA-256 of the contents of all tasks of a panel, in order."""
    digester = hashlib.sha256()
    for task in panel:
        digester.update(f"{task.id}\n{task.kind}\n{task.instruction}\n{task.expert_length}\n".encode())
        digester.update(str(task.payload.problem).encode())
    return digester.hexdigest()


def find_by_length(limit: int = 200_000) -> list[tuple[Size, int]]:
    """Searches for the (size, index) of the tasks of `unseen_by_length`; takes minutes.

    Raises:
        ValueError: If `limit` tasks of each size do not fill the bins.
    """
    keys = ((size, index) for index in range(limit) for size in get_args(Size))
    candidates = (((size, index), make_task(BY_LENGTH, index, size).expert_length) for size, index in keys)
    return balanced_by_length(candidates, BINS, BIN_SIZE)


def _tasks_by_length(n: int) -> list[Task]:
    return [make_task(BY_LENGTH, index, size) for size, index in chosen_tasks(PANEL_FILE, BY_LENGTH, n)]

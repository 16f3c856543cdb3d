"""The long household: several tasks in one game, success only if all of them hold together at the end.

Rules, texts, houses and the split into train and unseen are the household's. The opening text ends in the
first task, and the reply to putting an object down, whichever and wherever, in the next one. The world never
says that a task is done; an agent that misread one goes on to the next, and is only not told that it has won.

All sentences in the opening text would leave it to the agent to find the next one; the base model of the
household, which has read one sentence an episode, did not learn that from 1,000 demonstrations.
"""

import random
from pathlib import Path

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.household import MANUAL
from spa_lab.envs.household.chores import ChoresExpert
from spa_lab.envs.household.chores_world import ChoresWorld
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.generator import JOINT, generate_chores
from spa_lab.envs.household.houses import Size, digest
from spa_lab.envs.panels import GeneratedPanels, balanced_by_length, expert_length

NAME = "household-long"
STEP_LIMIT = 60
SIZE: Size = "medium"
N_CHORES = 3
"""Tasks in a game."""
EXPERT_LENGTHS = (20, 40)
"""Shortest and longest expert solution of a task, steps."""
SPLITS = ("train", "seen", "unseen")
BY_LENGTH = "unseen_by_length"
BINS = ((20, 24), (25, 29), (30, 40))
"""Expert lengths, both ends included."""
BIN_SIZE = 94
PANEL_FILE = Path(__file__).resolve().parents[3] / "data" / "panels" / "household_long_unseen_by_length.json"


def make_task(split: str, index: int) -> Task:
    """Task `index` of a split: the first game made from its seeds that has an expert length as allowed."""
    name = f"{NAME}-{split}-{index:05d}"
    attempt = 0
    while True:
        rng = random.Random(digest(NAME, split, index, attempt))
        unseen = split.startswith("unseen")
        game = generate_chores(rng, n=N_CHORES, size=SIZE, unseen=unseen, game_id=name)
        length = play_expert(game)
        if length is not None and length >= EXPERT_LENGTHS[0]:
            instruction = game.task.replace(JOINT, ", then ")
            return Task(name, NAME, split, game.task_type, instruction, length, game)
        attempt += 1


def play_expert(game: HouseholdTask) -> int | None:
    """Steps that the expert needs for `game`; None if they are more than the longest allowed length."""
    world = ChoresWorld()
    opening = world.reset(Task(game.game_id, NAME, "", game.task_type, game.task, 0, game))
    return expert_length(world, ChoresExpert(opening), EXPERT_LENGTHS[1])


def find_by_length(limit: int = 20_000) -> list[int]:
    """Find the task indices of `unseen_by_length`; takes half a minute.

    Raises:
        ValueError: the first `limit` tasks do not fill the bins.
    """
    candidates = ((index, make_task(BY_LENGTH, index).expert_length) for index in range(limit))
    return balanced_by_length(candidates, BINS, BIN_SIZE)


tasks = GeneratedPanels(NAME, make_task, SPLITS, BY_LENGTH, PANEL_FILE)
"""(split, n) -> the first n tasks of "train", "seen", "unseen" or "unseen_by_length" (at most 282)."""


def environment() -> Environment:
    """The long household."""
    return Environment(
        name=NAME,
        make_world=ChoresWorld,
        make_expert=lambda task, opening: ChoresExpert(opening),
        tasks=tasks,
        step_limit=STEP_LIMIT,
        manual=MANUAL,
        benchmark="ALFWorld",
        panels=("unseen", BY_LENGTH),
        base="household",
    )

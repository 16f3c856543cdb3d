"""The household world: ALFWorld's rules and text, games of our own."""

from collections.abc import Sequence
from typing import get_args

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.household.expert import HouseholdExpert
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.houses import Size
from spa_lab.envs.household.panels import STEP_LIMIT, tasks
from spa_lab.envs.household.world import HouseholdWorld

MANUAL = """You act in a room. Each step, write one action in one of these forms:
go to {receptacle}
open {receptacle}
close {receptacle}
take {object} from {receptacle}
move {object} to {receptacle}
clean {object} with {receptacle}
heat {object} with {receptacle}
cool {object} with {receptacle}
use {lamp}
slice {object} with {object}
examine {receptacle or held object}
look
inventory
Names carry a number, like "mug 1". You can hold one object. An action that cannot be done is answered
by "Nothing happens."."""


def environment(size: Size = "small") -> Environment:
    """The household world with houses of one size.

    Raises:
        ValueError: If `size` is not "small", "medium" or "large".
    """
    if size not in get_args(Size):
        raise ValueError(f"household: size must be one of {get_args(Size)}, got {size!r}")

    def panel(split: str, n: int) -> Sequence[Task]:
        return tasks(split, n, size)

    return Environment(
        name="household",
        make_world=HouseholdWorld,
        make_expert=make_expert,
        tasks=panel,
        step_limit=STEP_LIMIT,
        manual=MANUAL,
        benchmark="ALFWorld",
        panels=("unseen", "unseen_by_length"),
        base="household",
    )


def make_expert(task: Task, opening: str) -> HouseholdExpert:
    """A fresh expert for one episode, as in `Environment`."""
    payload: HouseholdTask = task.payload
    return HouseholdExpert(task.instruction, opening, wanted=payload.wanted, grammar=payload.grammar)

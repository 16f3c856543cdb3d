"""Generates household games: a seeded room, objects by ALFWorld's tables, one or more tasks of its six types.

Rules and text are ALFWorld's; the distribution of games is ours, so scores on them are not ALFWorld
scores. Two things are kept out of training for the `unseen` games: houses (see `houses`) and pairs of
target object type and goal type (`is_unseen_pair`).
"""

import random
from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from spa_lab.envs.household import catalogue
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.houses import HOUSES, House, Size, coordinates, make_house
from spa_lab.envs.household.problem import GOALS, Item, write_problem

TASK_TYPES = tuple(catalogue.TASK_ROOMS)
ROOMS = tuple(catalogue.ROOM_OBJECTS)
SENTENCES = MappingProxyType(  # ALFWorld's goal library; the two light sentences as its games print them
    {
        "pick_and_place_simple": ("put a {target} in {goal}", "put some {target} on {goal}"),
        "look_at_obj_in_light": ("look at {target} under the {goal}", "examine the {target} with the {goal}"),
        "pick_clean_then_place_in_recep": (
            "put a clean {target} in {goal}",
            "clean some {target} and put it in {goal}",
        ),
        "pick_heat_then_place_in_recep": (
            "put a hot {target} in {goal}",
            "heat some {target} and put it in {goal}",
        ),
        "pick_cool_then_place_in_recep": (
            "put a cool {target} in {goal}",
            "cool some {target} and put it in {goal}",
        ),
        "pick_two_obj_and_place": ("put two {target} in {goal}", "find two {target} and put them in {goal}"),
    }
)
UNSEEN_PAIR_ONE_IN = 5
"""One in this many pairs of target object type and goal type is kept for unseen games."""
_OBJECTS = MappingProxyType(
    {  # size -> (kitchen, other rooms), each (fewest, most) objects
        "small": ((12, 18), (12, 18)),
        "medium": ((26, 38), (20, 27)),
        "large": ((48, 66), (27, 36)),
    }
)
_MAX_COPIES = 3
JOINT = ".\n\nYour task is to: "
"""Before a task sentence; between those of a game with several tasks."""
CHORES = tuple(t for t in TASK_TYPES if t not in ("look_at_obj_in_light", "pick_two_obj_and_place"))
"""Task types that a game with several tasks asks for: those done when one object is put down."""
_TARGETS = tuple(sorted({o for objects in catalogue.ROOM_OBJECTS.values() for o in objects}))
_GOALS = (*catalogue.HOLDS, *catalogue.LAMPS)


class Chore(NamedTuple):
    """One task of a game."""

    task_type: str
    """One of `TASK_TYPES`."""
    target: str
    """Object type, as in `catalogue`."""
    goal: str
    """Receptacle or lamp type."""


def is_unseen_pair(target: str, goal: str) -> bool:
    """Whether this pair of target object type and goal type (receptacle or lamp) is kept from training.

    Diagonals of the table objects x goals: every object type keeps about the same share of its goals.

    Raises:
        ValueError: If either type is unknown.
    """
    if target not in _TARGETS or goal not in _GOALS:
        raise ValueError(f"no pair ({target!r}, {goal!r}): expected ALFWorld type names, as in `catalogue`")
    return (_TARGETS.index(target) + 2 * _GOALS.index(goal)) % UNSEEN_PAIR_ONE_IN == 0


def generate_game(
    rng: random.Random, *, task_type: str, size: Size = "small", unseen: bool = False, game_id: str = "game"
) -> HouseholdTask:
    """One game whose goal is reachable and not yet reached.

    Args:
        rng: Decides everything that the other arguments leave open.
        task_type: One of `TASK_TYPES`.
        size: "small" (8-12 receptacles, 12-18 objects), "medium", or "large" (as in ALFWorld).
        unseen: Take house and target pair from those kept from training, else from the others.
        game_id: Name of the game.

    Raises:
        ValueError: If `task_type` or `size` is unknown.
    """
    if task_type not in GOALS:
        raise ValueError(f"game {game_id!r}: unknown task type {task_type!r}, expected one of {TASK_TYPES}")
    pairs: list[tuple[str, str]] = []
    while not pairs:  # a small room may have no pair of this side of the split
        room = rng.choice(catalogue.TASK_ROOMS[task_type])
        house = make_house(room, size, rng.randrange(HOUSES), unseen=unseen)
        pairs = [pair for pair in _goal_pairs(task_type, house) if is_unseen_pair(*pair) == unseen]
    chore = _choose(rng, task_type, pairs)
    return _game(rng, house, size, (chore,), task_type, game_id)


def generate_chores(rng: random.Random, *, n: int, size: Size, unseen: bool, game_id: str) -> HouseholdTask:
    """One game with `n` tasks of types `CHORES`, all in one room; its goal is that all of them hold together.

    The tasks have different target types, so that none undoes another. The other arguments are those of
    `generate_game`; the task type of the game is "<n> chores".
    """
    while True:
        room = rng.choice(ROOMS)
        house = make_house(room, size, rng.randrange(HOUSES), unseen=unseen)
        types = [t for t in CHORES if room in catalogue.TASK_ROOMS[t]]
        chores: list[Chore] = []
        for task_type in rng.choices(types, k=n):
            used = {chore.target for chore in chores}
            pairs = [
                (target, goal)
                for target, goal in _goal_pairs(task_type, house)
                if target not in used and is_unseen_pair(target, goal) == unseen
            ]
            if pairs:
                chores.append(_choose(rng, task_type, pairs))
        if len(chores) == n:
            return _game(rng, house, size, chores, f"{n} chores", game_id)


def _choose(rng: random.Random, task_type: str, pairs: Sequence[tuple[str, str]]) -> Chore:
    """A task with one of these pairs of target and goal type; every target type is as likely."""
    target = rng.choice(sorted({target for target, _ in pairs}))
    return Chore(task_type, target, rng.choice([g for t, g in pairs if t == target]))


def _game(
    rng: random.Random, house: House, size: Size, chores: Sequence[Chore], task_type: str, game_id: str
) -> HouseholdTask:
    """The game of these tasks in this house."""
    items = _furnish(rng, house, size, chores)
    sentences = [
        rng.choice(SENTENCES[chore.task_type]).format(target=chore.target.lower(), goal=chore.goal.lower())
        for chore in chores
    ]
    goal = "\n".join(GOALS[chore.task_type].format(**chore._asdict()) for chore in chores)
    return HouseholdTask(game_id, task_type, JOINT.join(sentences), write_problem(house, items, goal))


def _goal_pairs(task_type: str, house: House) -> list[tuple[str, str]]:
    """Every (target object type, goal type) that this task type can ask for in this house."""
    objects = catalogue.ROOM_OBJECTS[house.room]
    if task_type == "look_at_obj_in_light":
        lamps = catalogue.LAMPS if house.room == "LivingRoom" else ("DeskLamp",)
        return [(o, lamp) for lamp in lamps for o in objects if _homes(o, house, "")]
    tool = ""
    if task_type in catalogue.TOOLS:
        _, tool, able = catalogue.TOOLS[task_type]
        objects = tuple(o for o in objects if o in able)
    goals = [t for t in house.types if t != tool]
    return [
        (o, goal) for goal in goals for o in objects if o in catalogue.HOLDS[goal] and _homes(o, house, goal)
    ]


def _homes(kind: str, house: House, goal: str) -> list[int]:
    """Indices of the receptacles where an object may lie at the start, those of type `goal` left out."""
    return [i for i, p in enumerate(house.receptacles) if p.type != goal and kind in catalogue.HOLDS[p.type]]


def _furnish(rng: random.Random, house: House, size: Size, chores: Sequence[Chore]) -> Sequence[Item]:
    """All objects of a game. Targets never start in a receptacle of their goal's type."""
    few, most = _OBJECTS[size][house.room != "Kitchen"]
    total = rng.randint(few, most)
    goal_of = {chore.target: chore.goal for chore in chores}
    kinds: list[str] = []
    for chore in chores:
        copies = rng.randint(2, 3) if chore.task_type == "pick_two_obj_and_place" else rng.choice((1, 1, 2))
        kinds += [chore.target] * copies
    others = [o for o in catalogue.ROOM_OBJECTS[house.room] if o not in goal_of and _homes(o, house, "")]
    pool = [o for o in others for _ in range(_MAX_COPIES)]
    kinds += rng.sample(pool, max(0, min(total - len(kinds), len(pool))))
    items = []
    for kind in kinds:
        receptacle = house.receptacles[rng.choice(_homes(kind, house, goal_of.get(kind, "")))]
        items.append(Item(kind, kind + coordinates(rng), receptacle))
    return [*items, *_lamps(rng, house, chores[-1].goal)]


def _lamps(rng: random.Random, house: House, goal: str) -> list[Item]:
    """The goal's lamp, or in every second room with a stand a desk lamp that the task does not need."""
    stands = [receptacle for receptacle in house.receptacles if receptacle.type in catalogue.LAMP_STANDS]
    lamp = goal if goal in catalogue.LAMPS else "DeskLamp"
    if lamp != goal and (
        house.room not in catalogue.TASK_ROOMS["look_at_obj_in_light"] or rng.random() < 0.5
    ):
        return []
    return [Item(lamp, lamp + coordinates(rng), rng.choice(stands))] if stands else []

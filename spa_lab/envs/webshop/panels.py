"""Task panels of the generated shop: fixed, ordered, the same on every machine.

Task i of a split is generated from a hash of (split, i), so a panel has no state and no end, and does not
depend on the order of calls. The requirements of a goal decide its split (`split_of`): an `unseen` goal asks
for an attribute that no training goal asks of that kind of product; a `seen` goal asks for a new combination
of requirements from training goals. `unseen_by_length` holds the same number of unseen goals for each expert
length.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from spa_lab.envs.base import Task
from spa_lab.envs.panels import GeneratedPanels, balanced_by_length, digest, expert_length
from spa_lab.envs.webshop.expert import WebshopExpert
from spa_lab.envs.webshop.generator import generated_shop
from spa_lab.envs.webshop.goals import Goal, draw_limit, human_goals, requirements_of, with_limit
from spa_lab.envs.webshop.parsed_instruction import write_instruction
from spa_lab.envs.webshop.product import Product
from spa_lab.envs.webshop.shop import Shop
from spa_lab.envs.webshop.vocabulary import CATEGORIES, KINDS, Kind, kind_of
from spa_lab.envs.webshop.world import WebshopWorld

STEP_LIMIT = 15
LONGEST = 12
"""Longest expert solution of a task; the rest of `STEP_LIMIT` leaves room for mistakes."""
SPLITS = ("train", "seen", "unseen")
BY_LENGTH = "unseen_by_length"
LENGTHS = range(3, LONGEST + 1)
"""Expert lengths of `unseen_by_length`."""
LENGTH_SIZE = 28
"""Tasks per length."""
PANEL_FILE = Path(__file__).resolve().parents[3] / "data" / "panels" / "webshop_unseen_by_length.json"
SEEN_ONE_IN = 8
"""One in `SEEN_ONE_IN` combinations of training requirements is reserved for `seen`."""


def make_task(split: str, index: int) -> Task:
    """Task `index` of a split: the first goal generated from its seeds that the expert can satisfy.

    Product categories alternate, so any five consecutive tasks cover all five.
    """
    category = tuple(CATEGORIES)[index % len(CATEGORIES)]
    attempt = 0
    while True:
        rng = random.Random(digest("webshop", split, index, attempt))
        goal = make_goal(generated_shop(), rng.choice(_products()[category]), split, rng)
        length = None if goal is None else play_expert(goal, LONGEST)
        if goal is not None and length is not None:
            name = f"webshop-{split}-{index:05d}"
            return Task(name, "webshop", split, category, goal.instruction, length, goal)
        attempt += 1


def play_expert(goal: Goal, step_limit: int, shop: Shop | None = None) -> int | None:
    """Steps in which the expert reaches reward 1; None if it does not within `step_limit`.

    `shop` is the generated shop by default.
    """
    world = WebshopWorld(shop or generated_shop())
    world.reset(Task("", "webshop", "", "", goal.instruction, 0, goal))
    return expert_length(world, WebshopExpert(goal.instruction), step_limit)


def split_of(kind: Kind, attributes: Iterable[str], options: Iterable[str]) -> str:
    """The split of a goal with these requirements; product and price limit do not matter."""
    ordered = sorted(attributes)
    if any(is_unseen_pair(kind, attribute) for attribute in ordered):
        return "unseen"
    return "train" if digest(kind.noun, *ordered, *sorted(options)) % SEEN_ONE_IN else "seen"


def is_unseen_pair(kind: Kind, attribute: str) -> bool:
    """Whether no training goal asks for this attribute of this kind: true for one attribute of each kind."""
    return kind.attributes.index(attribute) == KINDS.index(kind) % len(kind.attributes)


def check_overlap(panels: dict[str, Sequence[Task]]) -> None:
    """Check that no two panels share a goal, price limits aside.

    Raises:
        ValueError: they do; names both tasks.
    """
    first: dict[object, tuple[str, str]] = {}
    for split, panel in panels.items():
        for task in panel:
            other, name = first.setdefault(requirements_of(task.payload), (split, task.id))
            if other != split:
                raise ValueError(f"task {task.id!r} of {split!r} asks for the same as {name!r} of {other!r}")


def panel_hash(panel: Sequence[Task]) -> str:
    """SHA-256 of the content of a panel's tasks, in order."""
    digester = hashlib.sha256()
    for task in panel:
        digester.update(f"{task.id}\n{task.kind}\n{task.expert_length}\n{task.payload}\n".encode())
    return digester.hexdigest()


def human_instructions(panel: Iterable[Task]) -> dict[str, list[dict[str, Any]]]:
    """The tasks as entries of `items_human_ins.json`, a format without price limits."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for task in panel:
        goal: Goal = task.payload
        sentence = goal.instruction.partition(", and price lower than")[0]
        entries.setdefault(goal.asin, []).append(_entry(sentence, goal.attributes, goal.options))
    return entries


def find_by_length(limit: int = 20_000) -> list[int]:
    """Find the task indices of `unseen_by_length`; takes some seconds.

    Raises:
        ValueError: the first `limit` tasks do not contain enough tasks of each length.
    """
    candidates = ((index, make_task(BY_LENGTH, index).expert_length) for index in range(limit))
    return balanced_by_length(candidates, [(length, length) for length in LENGTHS], LENGTH_SIZE)


tasks = GeneratedPanels("webshop", make_task, SPLITS, BY_LENGTH, PANEL_FILE)
"""(split, n) -> the first n tasks of "train", "seen", "unseen" or "unseen_by_length" (at most 280)."""


@cache
def _products() -> dict[str, list[Product]]:
    """Category → its products."""
    products = generated_shop().products.values()
    return {name: [product for product in products if product.category == name] for name in CATEGORIES}


def make_goal(shop: Shop, product: Product, split: str, rng: random.Random) -> Goal | None:
    """A random goal that a product of a shop satisfies; None if the goal belongs to another split."""
    kind = kind_of(product.title)
    assert kind is not None
    attributes = rng.sample(product.attributes, rng.randint(1, 2))
    groups = rng.sample(product.options, rng.choice((0, 1, 1, 2, 2, 2)))
    options = [rng.choice(values) for _, values in groups]
    if split_of(kind, attributes, options) != split.removesuffix("_by_length"):
        return None
    entry = _entry(write_instruction(kind, attributes, options, rng), attributes, options)
    (goal,) = human_goals([product], {product.asin: [entry]}, "generated goals")
    return with_limit(goal, draw_limit(shop.prices[product.asin], rng))


def _entry(sentence: str, attributes: Sequence[str], options: Sequence[object]) -> dict[str, Any]:
    return {
        "instruction": sentence,
        "instruction_attributes": list(attributes),
        "instruction_options": list(options),
    }

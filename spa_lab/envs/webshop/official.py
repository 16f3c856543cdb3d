"""Finds WebShop's own product files on disk and makes a shop and tasks of them; nothing is downloaded.

The product texts are not free to copy, so none is shipped. Two sets: the 1,000 products (held in memory) and
all 1.18 million (`cache.py` reads them once). Prices and price limits are our own draws, the same on every
machine, so instructions differ from those of an original process in the limits they name.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from spa_lab.envs.base import Environment, Expert, Task
from spa_lab.envs.webshop.cache import build_cache, is_complete, open_cache
from spa_lab.envs.webshop.files import read_instructions, read_labels, read_products
from spa_lab.envs.webshop.goals import (
    Goal,
    human_goals,
    limited,
    requirements_of,
    sampled_price,
    shuffled,
    synthetic_goals,
)
from spa_lab.envs.webshop.noun_scorer import NounScorer, installed_nouns
from spa_lab.envs.webshop.shop import Shop, make_shop
from spa_lab.envs.webshop.world import MANUAL, WebshopWorld

Wishes = Literal["human", "synthetic"]
STEP_LIMIT = 15
LIMIT_SEED = 233


class Known(NamedTuple):
    """What a file is known by."""

    size: int
    """Bytes."""
    sha256: str
    """How its SHA-256 starts."""


FILES: Mapping[str, Known] = MappingProxyType(
    {
        "items_shuffle_1000.json": Known(4_467_013, "30a4765c"),
        "items_ins_v2_1000.json": Known(147_099, "f88a3631"),
        "items_shuffle.json": Known(5_479_720_229, "2ef591d6"),
        "items_ins_v2.json": Known(186_295_270, "1d36af47"),
        "items_human_ins.json": Known(5_137_548, "cf786675"),
    }
)
"""The official files as WebShop's `setup.sh` downloads them."""
SPLITS: Mapping[str, range] = MappingProxyType(
    {"unseen": range(500), "seen": range(500, 1500), "train": range(1500, 10_000_000)}
)
"""Our split -> numbers of its goals in the original's order: its test, validation and training goals."""


@dataclass(frozen=True)
class OfficialTasks:
    """Tasks by split, and what was left out."""

    tasks: Mapping[str, tuple[Task, ...]]
    left_out: Mapping[str, int]
    """Split -> goals left out because a split before it (unseen, seen, train) asks for the same."""

    def panel(self, split: str, n: int) -> Sequence[Task]:
        """The first `n` tasks of a split.

        Raises:
            ValueError: There is no such split, or it has fewer tasks.
        """
        if split not in self.tasks or not 0 <= n <= len(self.tasks[split]):
            there = {name: len(panel) for name, panel in self.tasks.items()}
            raise ValueError(f"official web shop: no {n} tasks of {split!r}; there are {there}")
        return self.tasks[split][:n]


def checked_file(folder: Path, name: str) -> Path:
    """The official file of that name, after its size and hash were compared with `FILES`.

    Raises:
        ValueError: It is missing or another file; names it and both values.
    """
    path, known = folder / name, FILES[name]
    if not path.is_file():
        raise ValueError(f"{path}: missing; it comes with WebShop's own setup.sh ({known.size:,} bytes)")
    size = path.stat().st_size
    if size != known.size:
        raise ValueError(
            f"{path}: has {size:,} bytes, the official file {known.size:,}: damaged or another one"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(known.sha256):
        raise ValueError(f"{path}: SHA-256 is {found[:8]}..., the official file has {known.sha256}...")
    return path


def small_environment(
    folder: Path, wishes: Wishes = "synthetic", *, scorer: NounScorer | None = None
) -> tuple[Environment, OfficialTasks]:
    """The web shop with the official 1,000 products.

    Args:
        folder: where the files are.
        wishes: "synthetic" (6,910 goals) or "human" (13: most were written for other products).
        scorer: finds the nouns of names; `installed_nouns()` if None. Record its name with every result.

    Raises:
        ValueError: A file is missing, damaged or another one.
    """
    labels = read_labels(checked_file(folder, "items_ins_v2_1000.json"))
    products = list(read_products(checked_file(folder, "items_shuffle_1000.json"), labels))
    prices = {product.asin: sampled_price(product) for product in products}
    if wishes == "human":
        path = checked_file(folder, "items_human_ins.json")
        goals = human_goals(products, read_instructions(path), path.name)
    else:
        goals = synthetic_goals(products, labels, "items_ins_v2_1000.json")
    shop = make_shop(products, prices, scorer=scorer or installed_nouns())
    return official_environment(shop, limited(goals, prices, random.Random(LIMIT_SEED)))


def full_environment(
    folder: Path, cache: Path, *, scorer: NounScorer | None = None
) -> tuple[Environment, OfficialTasks]:
    """The web shop with all official products and the 12,087 human goals.

    The first call reads 5.5 GB and writes `cache` (minutes); later ones open it at once. A process then holds
    little but what it has looked at: texts come from a small database, the search index is memory-mapped.

    Args:
        folder: where the files are.
        cache: folder to keep database and index in.
        scorer: as in `small_environment`.

    Raises:
        ValueError: A file is missing, damaged or another one.
    """
    if not is_complete(cache):
        labels = checked_file(folder, "items_ins_v2.json")
        build_cache(checked_file(folder, "items_shuffle.json"), labels, cache)
    path = checked_file(folder, "items_human_ins.json")
    instructions = read_instructions(path)
    found = open_cache(cache)
    products = found.in_order(instructions)
    goals = human_goals(products, instructions, path.name)
    prices = {product.asin: sampled_price(product) for product in products}
    return official_environment(
        found.shop(scorer or installed_nouns()), limited(goals, prices, random.Random(LIMIT_SEED))
    )


def official_environment(shop: Shop, goals: Sequence[Goal]) -> tuple[Environment, OfficialTasks]:
    """A shop with these goals, given in the order of the products, as an environment without an expert."""
    tasks = official_tasks(shuffled(goals))
    return Environment(
        name="webshop",
        make_world=lambda: WebshopWorld(shop),
        make_expert=_no_expert,
        tasks=tasks.panel,
        step_limit=STEP_LIMIT,
        manual=MANUAL,
    ), tasks


def official_tasks(goals: Sequence[Goal]) -> OfficialTasks:
    """Goals in the original's order as tasks by split; no wish is in two splits."""
    tasks: dict[str, tuple[Task, ...]] = {}
    left_out: dict[str, int] = {}
    taken: set[object] = set()
    for split, numbers in SPLITS.items():
        there = [(n, goals[n]) for n in numbers[: max(0, len(goals) - numbers.start)]]
        kept = [(n, goal) for n, goal in there if requirements_of(goal) not in taken]
        tasks[split] = tuple(_task(n, goal, split) for n, goal in kept)
        left_out[split] = len(there) - len(kept)
        taken |= {requirements_of(goal) for _, goal in kept}
    return OfficialTasks(MappingProxyType(tasks), MappingProxyType(left_out))


def _task(number: int, goal: Goal, split: str) -> Task:
    name = f"webshop-official-{number:05d}"
    return Task(name, "webshop", split, goal.category, goal.instruction, 0, goal)


def _no_expert(task: Task, opening: str) -> Expert:
    raise ValueError(f"task {task.id!r}: the expert reads only instructions of the generated shop")

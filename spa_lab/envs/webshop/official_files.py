"""WebShop's own product files on disk, known by size and hash; nothing is downloaded.

The product texts may not be redistributed, so none is shipped. There are two catalogues: 1,000 products (held
in memory) and all 1.18 million (`cache.py` reads them once). Prices within a range and price limits are drawn
from seeds of our own, the same on every machine, so the price limits in instructions differ from those of the
original, which draws them again in every process.
"""

import hashlib
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from spa_lab.envs.webshop.cache import build_cache, is_complete, open_cache
from spa_lab.envs.webshop.files import read_instructions, read_labels, read_products
from spa_lab.envs.webshop.goals import Goal, human_goals, limited, sampled_price, shuffled, synthetic_goals
from spa_lab.envs.webshop.noun_scorer import NounScorer, installed_nouns
from spa_lab.envs.webshop.shop import Shop, make_shop

LIMIT_SEED = 233


class KnownFile(NamedTuple):
    """How a file is recognized."""

    size: int
    """Bytes."""
    sha256: str
    """First digits of its SHA-256."""


SMALL_FILES = ("items_shuffle_1000.json", "items_ins_v2_1000.json")
FULL_FILES = ("items_shuffle.json", "items_ins_v2.json", "items_human_ins.json")
FILES: Mapping[str, KnownFile] = MappingProxyType(
    {
        "items_shuffle_1000.json": KnownFile(4_467_013, "30a4765c"),
        "items_ins_v2_1000.json": KnownFile(147_099, "f88a3631"),
        "items_shuffle.json": KnownFile(5_479_720_229, "2ef591d6"),
        "items_ins_v2.json": KnownFile(186_295_270, "1d36af47"),
        "items_human_ins.json": KnownFile(5_137_548, "cf786675"),
    }
)
"""The official files as WebShop's `setup.sh` downloads them."""


@dataclass(frozen=True, eq=False)
class OfficialShop:
    """The shop of a catalogue, and its goals."""

    catalogue: str
    """"all products" or "1,000 products"."""
    shop: Shop
    goals: tuple[Goal, ...]
    """In the original's order, with price limits: goal i is task i of the original."""


def checked_file(folder: Path, name: str) -> Path:
    """The official file of that name, after comparing size and hash with `FILES`.

    Raises:
        ValueError: it is missing or another file; names it and both values.
    """
    path, known = folder / name, FILES[name]
    if not path.is_file():
        raise ValueError(f"{path}: missing; WebShop's own setup.sh downloads it ({known.size:,} bytes)")
    if path.stat().st_size != known.size:
        raise ValueError(f"{path}: has {path.stat().st_size:,} bytes, expected {known.size:,}")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if not actual.startswith(known.sha256):
        raise ValueError(f"{path}: SHA-256 is {actual[:8]}..., expected {known.sha256}...")
    return path


def small_shop(folder: Path, *, human: bool = False, scorer: NounScorer | None = None) -> OfficialShop:
    """The shop with the 1,000 products and the 6,910 goals synthesized from their labels.

    Args:
        folder: where the files are.
        human: take the human goals instead; only 13 of them ask for one of these products.
        scorer: finds the nouns of names; `installed_nouns()` by default. Record its name with every result.

    Raises:
        ValueError: a file is missing, damaged or another one.
    """
    labels = read_labels(checked_file(folder, "items_ins_v2_1000.json"))
    products = list(read_products(checked_file(folder, "items_shuffle_1000.json"), labels))
    prices = {product.asin: sampled_price(product) for product in products}
    if human:
        path = checked_file(folder, "items_human_ins.json")
        goals = human_goals(products, read_instructions(path), path.name)
    else:
        goals = synthetic_goals(products, labels, "items_ins_v2_1000.json")
    shop = make_shop(products, prices, scorer=scorer or installed_nouns())
    return OfficialShop("1,000 products", shop, _in_original_order(goals, prices))


def full_shop(folder: Path, cache: Path, *, scorer: NounScorer | None = None) -> OfficialShop:
    """The shop with all products and the 12,087 human goals.

    The first call reads 5.5 GB and writes `cache` (minutes); later calls open it at once. A process then
    needs little memory: texts are read from a small database, and the search index is memory-mapped.

    Args:
        folder: where the files are.
        cache: folder of the database and the index.
        scorer: as in `small_shop`.

    Raises:
        ValueError: a file is missing, damaged or another one, or the cache cannot be written.
    """
    if not is_complete(cache):
        labels = checked_file(folder, "items_ins_v2.json")
        products = checked_file(folder, "items_shuffle.json")
        try:
            build_cache(products, labels, cache)
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"{cache}: cannot build the search index: {error}") from error
    path = checked_file(folder, "items_human_ins.json")
    instructions = read_instructions(path)
    opened = open_cache(cache)
    asked = opened.in_order(instructions)
    goals = human_goals(asked, instructions, path.name)
    prices = {product.asin: sampled_price(product) for product in asked}
    shop = opened.shop(scorer or installed_nouns())
    return OfficialShop("all products", shop, _in_original_order(goals, prices))


def _in_original_order(goals: list[Goal], prices: Mapping[str, float]) -> tuple[Goal, ...]:
    return tuple(shuffled(limited(goals, prices, random.Random(LIMIT_SEED))))

"""Generates a shop in the official file formats: seeded, without scraped text, the same on every machine.

Titles name one attribute of a product, the page "Features" names all of them. Products of a kind differ in
attributes, prices and options, so an agent must compare the goal with the pages. The distribution of products
and goals is ours: scores here are not scores on the official catalogue.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spa_lab.envs.webshop.pages import SEPARATOR
from spa_lab.envs.webshop.product import Product, read_product
from spa_lab.envs.webshop.shop import Shop, make_shop
from spa_lab.envs.webshop.vocabulary import (
    ATTRIBUTES_EACH,
    BRANDS,
    CATEGORIES,
    KINDS,
    NOUNS,
    PRICES,
    PRICES_EACH,
    Kind,
    phrases,
)

SEED = 20_220_704
PRODUCTS_EACH = 16
"""Products of each kind."""
_CODES = range(100, 1000)


@dataclass(frozen=True)
class Catalogue:
    """Generated products in the official formats."""

    items: tuple[dict[str, Any], ...]
    """Content of `items_shuffle.json`."""
    labels: dict[str, dict[str, Any]]
    """Content of `items_ins_v2.json`."""

    def products(self) -> list[Product]:
        """The products as the loader of the official files reads them."""
        return [
            read_product(item, self.labels[item["asin"]]["attributes"], "generated catalogue")
            for item in self.items
        ]


def generate_catalogue(rng: random.Random, codes: Sequence[int] = _CODES) -> Catalogue:
    """A shuffled catalogue with `PRODUCTS_EACH` products of each kind; asins are drawn from `codes`."""
    asins = rng.sample(codes, PRODUCTS_EACH * len(KINDS))
    items: list[dict[str, Any]] = []
    labels: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        for _ in range(PRODUCTS_EACH):
            asin = f"B{asins.pop()}"
            attributes = rng.sample(kind.attributes, ATTRIBUTES_EACH)
            items.append(_item(asin, kind, attributes, rng))
            labels[asin] = {"attributes": sorted(attributes)}
    rng.shuffle(items)
    return Catalogue(tuple(items), labels)


def object_names() -> list[str]:
    """Every phrase that a goal can ask for and every product code: what a tokenizer should keep whole.

    Also the texts that precede a code on a page of results, such as a price.
    """
    priced = {f"{SEPARATOR}${price}{SEPARATOR}" for price in PRICES}
    return sorted({*phrases(), *priced, f"Next >{SEPARATOR}", *generated_shop().products} - {*BRANDS})


@cache
def generated_shop() -> Shop:
    """The generated shop of all tasks; made once per process, in a fraction of a second."""
    products = generate_catalogue(random.Random(SEED)).products()
    prices = {product.asin: product.pricing[0] for product in products}
    return make_shop(products, prices, scorer=NOUNS)


def write_catalogue(folder: Path, instructions: dict[str, list[dict[str, Any]]]) -> None:
    """Write the generated shop as the three official files.

    Args:
        folder: an existing folder.
        instructions: asin → entries of `items_human_ins.json` (see `panels.human_instructions`).
    """
    catalogue = generate_catalogue(random.Random(SEED))
    contents = {
        "items_shuffle.json": list(catalogue.items),
        "items_ins_v2.json": catalogue.labels,
        "items_human_ins.json": instructions,
    }
    for name, content in contents.items():
        part = folder / f"{name}.part"
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        part.replace(folder / name)


def _item(asin: str, kind: Kind, attributes: Sequence[str], rng: random.Random) -> dict[str, Any]:
    brand = rng.choice(BRANDS)
    bullets = rng.sample(attributes, len(attributes))
    price = rng.choice(PRICES[kind.price : kind.price + PRICES_EACH])
    return {
        "asin": asin,
        "name": f"{brand} {kind.noun}, {attributes[0]}",
        "full_description": f"{kind.noun} by {brand}",
        "small_description": bullets,
        "pricing": f"${price}",
        "images": [""],
        "product_category": " \u203a ".join((CATEGORIES[kind.category], kind.noun.title())),
        "customization_options": {name: _values(values, rng) for name, values in kind.groups},
        "category": kind.category,
        "query": kind.noun,
    }


def _values(values: Sequence[str], rng: random.Random) -> list[dict[str, Any]]:
    """Half to three quarters of the values of a group, at least one, in the group's order."""
    count = max(1, round(len(values) * rng.uniform(0.5, 0.75)))
    offered = sorted(rng.sample(range(len(values)), count))
    return [{"value": values[i], "image": None} for i in offered]

"""What a customer wants: goals from human sentences or made from product labels, as the original builds them.

Prices of ranges and price limits are drawn from a generator of our own, so that goals are the same in every
process and on every machine (the original draws them anew each time).
"""

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spa_lab.envs.webshop.product import Product, text_field, text_list

LIMITS = tuple(range(10, 1000, 10))
"""Price limits that a goal may name, dollars."""
NEXT_LIMITS = 4
"""A goal names one of this many limits above the price, never the first of them."""
NO_LIMIT = 1_000_000.0
SHUFFLE_SEED = 233
"""The original's own seed for the order of goals."""

WantedOption = str | tuple[str, str]
"""A value (human goals) or a (name, value) pair (synthetic goals)."""


@dataclass(frozen=True)
class Goal:
    """One wish, with the labels that the reward needs."""

    asin: str
    """The product that it was made from; another one may satisfy it too."""
    category: str
    query: str
    name: str
    product_category: str
    instruction: str
    """What the agent is told."""
    attributes: tuple[str, ...]
    """At least one."""
    options: tuple[WantedOption, ...]
    price_upper: float
    """Dollars; `NO_LIMIT` if the instruction names none."""
    weight: float
    """How often the original's sampler draws it, relative to others."""


def wanted_of(goal: Goal) -> tuple[str, frozenset[str], frozenset[object]]:
    """What a goal asks for, price limit apart: the same in two goals if they are the same wish."""
    return goal.query, frozenset(goal.attributes), frozenset(goal.options)


def sampled_price(product: Product) -> float:
    """What a product costs, dollars: its price, or one drawn from its range with a seed of its own."""
    if len(product.pricing) == 1:
        return product.pricing[0]
    seed = hashlib.sha256(f"price of {product.asin}".encode()).digest()
    return random.Random(seed).uniform(*product.pricing)


def possible_limits(price: float) -> tuple[int, ...]:
    """The limits that a goal for a product of this price may name; none if it is too dear."""
    return tuple(limit for limit in LIMITS if limit > price)[:NEXT_LIMITS][1:]


def with_limit(goal: Goal, limit: float) -> Goal:
    """The goal with a price limit, named in the instruction unless it is `NO_LIMIT`."""
    if limit == NO_LIMIT:
        return goal
    text = f"{goal.instruction}, and price lower than {limit:.2f} dollars"
    return replace(goal, instruction=text, price_upper=limit)


def human_goals(products: Iterable[Product], instructions: Mapping[str, Any], where: str) -> list[Goal]:
    """Goals without limits from `items_human_ins.json`, in the order of the products.

    Raises:
        ValueError: An entry is not as it should be; names `where` and the product.
    """
    goals = []
    for product in products:
        entries = instructions.get(product.asin, [])
        place = f"{where}, product {product.asin!r}"
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f"{place}: expected a list of objects")
        for entry in entries:
            attributes = text_list(entry.get("instruction_attributes"), "instruction_attributes", place)
            options = text_list(entry.get("instruction_options"), "instruction_options", place)
            text = text_field(entry, "instruction", place).strip(".")
            if attributes:  # the original leaves out goals that ask for no attribute
                goals.append(_goal(product, text, attributes, options, 1))
    return goals


def synthetic_goals(products: Iterable[Product], labels: Mapping[str, Any], where: str) -> list[Goal]:
    """Goals without limits from `items_ins_v2*.json`: one for each combination of a product's options.

    Raises:
        ValueError: An entry is not as it should be; names `where` and the product.
    """
    goals = []
    for product in products:
        entry = labels.get(product.asin, {})
        place = f"{where}, product {product.asin!r}"
        if entry.get("instruction") is None:
            continue
        text = text_field(entry, "instruction", place)
        attributes = text_list(entry.get("instruction_attributes"), "instruction_attributes", place)
        if not attributes:
            raise ValueError(f"{place}: an instruction needs at least 1 of 'instruction_attributes', got 0")
        goals += _combinations(product, text, attributes)
    counts = Counter(attribute for goal in goals for attribute in goal.attributes)
    return [
        replace(goal, weight=sum(1.0 / counts[a] for a in goal.attributes) / len(goal.attributes))
        for goal in goals
    ]


def shuffled(goals: Sequence[Goal]) -> list[Goal]:
    """The goals in the original's order; a goal's place there is the number of its task."""
    order = list(goals)
    random.Random(SHUFFLE_SEED).shuffle(order)
    return order


def limited(goals: Iterable[Goal], prices: Mapping[str, float], rng: random.Random) -> list[Goal]:
    """The goals with price limits drawn as the original does: two of the next four, the larger one.

    Synthetic goals of one product share its limit; each human goal has its own.
    """
    drawn: dict[str, float] = {}
    result = []
    for goal in goals:
        shared = any(isinstance(option, tuple) for option in goal.options)
        limit = drawn.get(goal.asin) if shared else None
        if limit is None:
            limit = drawn[goal.asin] = draw_limit(prices[goal.asin], rng)
        result.append(with_limit(goal, limit))
    return result


def draw_limit(price: float, rng: random.Random) -> float:
    """A price limit for a product of this price; `NO_LIMIT` if it is too dear."""
    limits = [limit for limit in LIMITS if limit > price][:NEXT_LIMITS]
    return float(max(rng.sample(limits, 2))) if len(limits) >= 2 else NO_LIMIT


def _combinations(product: Product, text: str, attributes: tuple[str, ...]) -> list[Goal]:
    groups = sorted(product.options)
    goals = []
    for values in itertools.product(*(values for _, values in groups)):
        options = tuple((name, value) for (name, _), value in zip(groups, values, strict=True))
        wanted = ", and ".join(f"{name}: {value}" for name, value in options)
        goals.append(_goal(product, f"{text} with {wanted}" if wanted else text, attributes, options, 0))
    return goals


def _goal(
    product: Product,
    text: str,
    attributes: tuple[str, ...],
    options: tuple[WantedOption, ...],
    weight: float,
) -> Goal:
    return Goal(
        asin=product.asin,
        category=product.category,
        query=product.query,
        name=product.title,
        product_category=product.product_category,
        instruction=text,
        attributes=attributes,
        options=options,
        price_upper=NO_LIMIT,
        weight=weight,
    )

"""Goals as the original builds them: from human instructions, or synthesized from product labels.

Prices within a range and price limits are drawn from seeds of our own, so that goals are the same in every
process and on every machine (the original draws them again in each process).
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
"""A goal names one of the first `NEXT_LIMITS` limits above the price, but never the lowest of them."""
NO_LIMIT = 1_000_000.0
SHUFFLE_SEED = 233
"""The original's own seed for the order of goals."""

WantedOption = str | tuple[str, str]
"""A value (human goals) or a (name, value) pair (synthetic goals)."""


@dataclass(frozen=True)
class Goal:
    """One shopping goal, with the labels that the reward compares."""

    asin: str
    """The product that the goal was made from; other products may satisfy it too."""
    category: str
    query: str
    name: str
    product_category: str
    instruction: str
    """The sentence shown to the agent."""
    attributes: tuple[str, ...]
    """At least one."""
    options: tuple[WantedOption, ...]
    price_upper: float
    """Dollars; `NO_LIMIT` if the instruction names none."""
    weight: float
    """Relative frequency with which the original's sampler draws the goal."""


def requirements_of(goal: Goal) -> tuple[str, frozenset[str], frozenset[object]]:
    """Query, attributes and options of a goal, without the price limit: equal for goals that ask the same."""
    return goal.query, frozenset(goal.attributes), frozenset(goal.options)


def sampled_price(product: Product) -> float:
    """Price of a product, dollars: the listed one, or one drawn from its range with a seed from its asin."""
    if len(product.pricing) == 1:
        return product.pricing[0]
    seed = hashlib.sha256(f"price of {product.asin}".encode()).digest()
    return random.Random(seed).uniform(*product.pricing)


def possible_limits(price: float) -> tuple[int, ...]:
    """The limits that a goal for a product of this price may name; none above 990 dollars."""
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
        ValueError: an entry has another form; names `where` and the product.
    """
    goals = []
    for product in products:
        entries = instructions.get(product.asin, [])
        here = f"{where}, product {product.asin!r}"
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f"{here}: expected a list of objects")
        for entry in entries:
            attributes = text_list(entry.get("instruction_attributes"), "instruction_attributes", here)
            options = text_list(entry.get("instruction_options"), "instruction_options", here)
            text = text_field(entry, "instruction", here).strip(".")
            if attributes:  # the original skips goals without attributes
                goals.append(_goal(product, text, attributes, options, 1))
    return goals


def synthetic_goals(products: Iterable[Product], labels: Mapping[str, Any], where: str) -> list[Goal]:
    """Goals without limits from `items_ins_v2*.json`: one per combination of a product's options.

    Raises:
        ValueError: an entry has another form; names `where` and the product.
    """
    goals = []
    for product in products:
        entry = labels.get(product.asin, {})
        here = f"{where}, product {product.asin!r}"
        if entry.get("instruction") is None:
            continue
        text = text_field(entry, "instruction", here)
        attributes = text_list(entry.get("instruction_attributes"), "instruction_attributes", here)
        if not attributes:
            raise ValueError(f"{here}: 'instruction_attributes' is empty, expected at least 1 attribute")
        goals += _combinations(product, text, attributes)
    counts = Counter(attribute for goal in goals for attribute in goal.attributes)
    return [
        replace(goal, weight=sum(1.0 / counts[a] for a in goal.attributes) / len(goal.attributes))
        for goal in goals
    ]


def shuffled(goals: Sequence[Goal]) -> list[Goal]:
    """The goals in the original's order; the index of a goal in it is its task number."""
    order = list(goals)
    random.Random(SHUFFLE_SEED).shuffle(order)
    return order


def limited(goals: Iterable[Goal], prices: Mapping[str, float], rng: random.Random) -> list[Goal]:
    """The goals with price limits drawn as the original does: the larger of two of the next four limits.

    Synthetic goals of one product share its limit; each human goal has its own.
    """
    limits: dict[str, float] = {}
    result = []
    for goal in goals:
        shared = any(isinstance(option, tuple) for option in goal.options)
        limit = limits.get(goal.asin) if shared else None
        if limit is None:
            limit = limits[goal.asin] = draw_limit(prices[goal.asin], rng)
        result.append(with_limit(goal, limit))
    return result


def draw_limit(price: float, rng: random.Random) -> float:
    """A price limit for a product of this price; `NO_LIMIT` if fewer than two limits exceed the price."""
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

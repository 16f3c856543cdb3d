"""What the web shop's base reads: shopping in generated shops, none of them the one that tasks are played in.

Each shop serves some episodes, so that a product must be read to be known. The products of a page of results
stand in any order: a search ranks them, and a small model would take the first instead of reading.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from spa_lab.envs.base import Demonstration, Reply, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.webshop import environment
from spa_lab.envs.webshop.bm25 import index_of
from spa_lab.envs.webshop.generator import generate_catalogue, generated_shop
from spa_lab.envs.webshop.goals import Goal
from spa_lab.envs.webshop.pages import PER_PAGE
from spa_lab.envs.webshop.panels import LONGEST, make_goal, play_expert
from spa_lab.envs.webshop.product import Product
from spa_lab.envs.webshop.shop import HITS, Shop
from spa_lab.envs.webshop.vocabulary import KINDS
from spa_lab.envs.webshop.world import WebshopWorld

_EACH = 10
"""Episodes in one shop."""
_SMALL = 0.8
"""Share of the shops that have a handful of products: short pages first, as houses are mostly small."""
_MISTAKES = 0.15
_TASK, _WISH = "Instruction:", "Your wish:"


class _Told:
    """A shop whose pages are headed by another sentence than the goal's, as a task or as a wish."""

    def __init__(self, shop: Shop, said: str, *, is_wish: bool) -> None:
        self.world = WebshopWorld(shop)
        self.said, self.is_wish = said, is_wish
        self.admissible = self.world.admissible
        self.snapshot, self.restore = self.world.snapshot, self.world.restore

    def reset(self, task: Task) -> str:
        return self._worded(
            self.world.reset(replace(task, payload=replace(task.payload, instruction=self.said)))
        )

    def step(self, action: str) -> Reply:
        reply = self.world.step(action)
        return replace(reply, observation=self._worded(reply.observation))

    def _worded(self, page: str) -> str:
        return page.replace(_TASK, _WISH, 1) if self.is_wish else page


def corpus(n: int, *, seed: int) -> Iterator[Demonstration]:
    """`n` episodes: by turns a wish come true and a task left undone for something else.

    The first thought names what is then looked for: what the sentence asks for if it is a wish, what somebody
    else was asked for if it is a task.
    """
    rng = random.Random(seed)
    wishes = _wishes(rng)
    asked = next(wishes)[1].instruction
    for number in range(n):
        shop, goal = next(wishes)
        is_wish = rng.random() < 0.5
        said = goal.instruction if is_wish else asked
        world = replace(environment(), make_world=partial(_Told, shop, said, is_wish=is_wish))
        task = Task(
            f"webshop-pretrain-{number:05d}", "webshop", "train", goal.category, goal.instruction, 0, goal
        )
        played = demonstrate(world, task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=said))
        asked = goal.instruction


def _wishes(rng: random.Random) -> Iterator[tuple[Shop, Goal]]:
    """Wishes of the training split, each with a shop where the expert can fulfil it; no end."""
    while True:
        shop = _shop(rng)
        products = list(shop.products.values())
        for _ in range(_EACH):
            goal = None
            while goal is None or play_expert(goal, LONGEST, shop) is None:
                goal = make_goal(shop, rng.choice(products), "train", rng)
            yield shop, goal


def _shop(rng: random.Random) -> Shop:
    """A shop with the product codes of the one that tasks are played in, and nothing else of it."""
    own = generated_shop()
    products = generate_catalogue(rng, [int(asin[1:]) for asin in own.products]).products()
    if rng.random() < _SMALL:
        sold = {kind.noun: rng.randint(1, 4) for kind in rng.sample(KINDS, 3)}
        products = [one for noun, n in sold.items() for one in _of_kind(products, noun)[:n]]
    index = index_of((product.asin, product.document) for product in products)

    def search(query: str) -> list[str]:
        return _mixed([asin for asin, _ in index.search(query, HITS)], rng)

    prices = {product.asin: product.pricing[0] for product in products}
    return Shop({product.asin: product for product in products}, prices, search, scorer=own.scorer)


def _of_kind(products: Sequence[Product], noun: str) -> list[Product]:
    return [product for product in products if product.query == noun]


def _mixed(hits: Sequence[str], rng: random.Random) -> list[str]:
    """The same pages of results, the products of each in any order."""
    pages = (hits[start : start + PER_PAGE] for start in range(0, len(hits), PER_PAGE))
    return [asin for page in pages for asin in rng.sample(page, len(page))]

"""The pretraining corpus of the web shop: shopping in generated shops other than the one of the tasks.

Each shop serves a few episodes, so products must be read to be known. The products on a page of results are
in random order: search ranks them, and a small model would choose the first one instead of reading.
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

_EPISODES_PER_SHOP = 10
_SMALL_SHARE = 0.8
"""Share of shops with few products: a model learns from short pages first."""
_MISTAKES = 0.15
"""Probability that a step is a mistake, see `demonstrate`."""
_TASK, _REQUEST = "Instruction:", "Your wish:"


class _Reworded:
    """A shop whose pages show another instruction than the goal's, as a task or as a request."""

    def __init__(self, shop: Shop, instruction: str, *, is_request: bool) -> None:
        self.world = WebshopWorld(shop)
        self.instruction, self.is_request = instruction, is_request
        self.admissible = self.world.admissible
        self.snapshot, self.restore = self.world.snapshot, self.world.restore

    def reset(self, task: Task) -> str:
        payload = replace(task.payload, instruction=self.instruction)
        return self._reword(self.world.reset(replace(task, payload=payload)))

    def step(self, action: str) -> Reply:
        reply = self.world.step(action)
        return replace(reply, observation=self._reword(reply.observation))

    def _reword(self, page: str) -> str:
        return page.replace(_TASK, _REQUEST, 1) if self.is_request else page


def corpus(n: int, *, seed: int) -> Iterator[Demonstration]:
    """`n` episodes: requests that are carried out, and tasks that are not.

    The first thought states what the expert then looks for: what the request asks for, or for a task what an
    earlier instruction asked for.
    """
    rng = random.Random(seed)
    goals = _goals(rng)
    previous = next(goals)[1].instruction
    for index in range(n):
        shop, goal = next(goals)
        is_request = rng.random() < 0.5
        worded = goal.instruction if is_request else previous
        make_world = partial(_Reworded, shop, worded, is_request=is_request)
        task = Task(
            id=f"webshop-pretrain-{index:05d}",
            env="webshop",
            split="train",
            kind=goal.category,
            instruction=goal.instruction,
            payload=goal,
        )
        reworded = replace(environment(), make_world=make_world)
        played = demonstrate(reworded, task, mistakes=_MISTAKES, rng=rng)
        yield replace(played, trajectory=replace(played.trajectory, instruction=worded))
        previous = goal.instruction


def _goals(rng: random.Random) -> Iterator[tuple[Shop, Goal]]:
    """Goals of the training split without end, each with a shop in which the expert can satisfy it."""
    while True:
        shop = _shop(rng)
        products = list(shop.products.values())
        for _ in range(_EPISODES_PER_SHOP):
            goal = None
            while goal is None or play_expert(goal, LONGEST, shop) is None:
                goal = make_goal(shop, rng.choice(products), "train", rng)
            yield shop, goal


def _shop(rng: random.Random) -> Shop:
    """A random shop that shares only product codes with the generated shop of the tasks."""
    task_shop = generated_shop()
    products = generate_catalogue(rng, [int(asin[1:]) for asin in task_shop.products]).products()
    if rng.random() < _SMALL_SHARE:
        counts = {kind.noun: rng.randint(1, 4) for kind in rng.sample(KINDS, 3)}
        products = [product for noun, count in counts.items() for product in _of_kind(products, noun)[:count]]
    index = index_of((product.asin, product.document) for product in products)

    def search(query: str) -> list[str]:
        return _shuffled_pages([asin for asin, _ in index.search(query, HITS)], rng)

    prices = {product.asin: product.pricing[0] for product in products}
    return Shop({product.asin: product for product in products}, prices, search, scorer=task_shop.scorer)


def _of_kind(products: Sequence[Product], noun: str) -> list[Product]:
    return [product for product in products if product.query == noun]


def _shuffled_pages(hits: Sequence[str], rng: random.Random) -> list[str]:
    """The same pages of results, with the products of each page in random order."""
    pages = (hits[start : start + PER_PAGE] for start in range(0, len(hits), PER_PAGE))
    return [asin for page in pages for asin in rng.sample(page, len(page))]

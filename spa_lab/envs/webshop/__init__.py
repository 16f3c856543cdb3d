"""The web shop: WebShop's pages, search and reward, with generated products."""

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.webshop.expert import WebshopExpert
from spa_lab.envs.webshop.generator import generated_shop
from spa_lab.envs.webshop.panels import STEP_LIMIT, tasks
from spa_lab.envs.webshop.vocabulary import NOUNS
from spa_lab.envs.webshop.world import MANUAL, WebshopWorld


def environment() -> Environment:
    """The generated web shop."""
    return Environment(
        name="webshop",
        make_world=_make_world,
        make_expert=_make_expert,
        tasks=tasks,
        step_limit=STEP_LIMIT,
        manual=MANUAL,
        benchmark="WebShop",
        panels=("unseen", "unseen_by_length"),
        base="webshop",
        settings={"noun_scorer": NOUNS.name},
    )


def _make_world() -> WebshopWorld:
    return WebshopWorld(generated_shop())


def _make_expert(task: Task, opening: str) -> WebshopExpert:
    return WebshopExpert(task.instruction)

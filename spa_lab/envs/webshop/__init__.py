"""The web shop: WebShop's pages, search and reward, products of our own."""

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.webshop.expert import WebshopExpert
from spa_lab.envs.webshop.generator import generated_shop
from spa_lab.envs.webshop.panels import STEP_LIMIT, tasks
from spa_lab.envs.webshop.world import WebshopWorld

MANUAL = """You shop on a web site for what the instruction asks for. Each step, write one action in one of
these forms:
search[words]
click[text]
"text" is a button, a product code or an option that stands on the page, like "next >", "B417" or "red".
A page of results lists ten products. On a product's page, choose the options, then click[buy now]: that ends
the shopping and is judged by kind of product, attributes, options and price. An action that cannot be done
shows the same page again."""


def environment() -> Environment:
    """The generated web shop."""
    return Environment("webshop", _make_world, _make_expert, tasks, STEP_LIMIT, MANUAL)


def _make_world() -> WebshopWorld:
    return WebshopWorld(generated_shop())


def _make_expert(task: Task, opening: str) -> WebshopExpert:
    return WebshopExpert(task.instruction)

"""WebShop's pages, actions and reward as a world.

Compared character by character with recordings of the original engine (`parity.py`). Departs from it in one
point: the query operators `<r>`, `<a>`, `<c>` and `<q>`, which list products by hidden labels, are plain
words.
"""

import re
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.webshop import pages
from spa_lab.envs.webshop.goals import Goal
from spa_lab.envs.webshop.hints import malformed_action, unknown_target
from spa_lab.envs.webshop.pages import BACK, BUY, NEXT, PREVIOUS, SEARCH, SUB_PAGES
from spa_lab.envs.webshop.reward import Reward, reward_of
from spa_lab.envs.webshop.shop import Shop

MANUAL = """You shop on a web site for what the instruction asks for. Each step, write one action in one of
these forms:
search[words]
click[text]
"text" is a button, a product code or an option on the page, like "next >", "B417" or "red".
A page of results lists ten products. On a product's page, choose the options, then click[buy now]: that ends
the episode, and the purchase is scored by kind of product, attributes, options and price. An action that
cannot be executed shows the same page again."""
_ACTION = re.compile(r"(.+)\[(.+)\]")
_OVER = "the episode is over"


class ShopState(NamedTuple):
    """The complete state of an episode; serves as its snapshot."""

    goal: Goal
    page: str = "index"
    """"index", "results", "item", "done" or one of `SUB_PAGES`."""
    query: str = ""
    page_number: int = 1
    """Of the page of results, from 1."""
    asin: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """(group, value) chosen so far, in the order of the first choices."""
    reward: Reward | None = None
    """None before the purchase."""


def parse_action(action: str) -> tuple[str, str]:
    """("search" or "click", argument in lower case); both empty if the text is not an action."""
    match = _ACTION.match(action)
    if match is None or match[1] not in ("search", "click"):
        return "", ""
    return match[1], match[2].lower()


class WebshopWorld:
    """Episodes in one shop; `Task.payload` must be a `Goal`. Call `reset` first.

    Actions are `search[words]`, possible on every page, and `click[button, product or option]`. The reply to
    any other text is the same page again, ungrounded. Only a purchase ends the episode and has an outcome.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._state: ShopState
        self._head: str

    def reset(self, task: Task) -> str:
        """Start `task`; returns the start page, instruction included.

        Raises:
            ValueError: the payload is not a `Goal`.
        """
        if not isinstance(task.payload, Goal):
            raise ValueError(f"task {task.id!r}: payload must be a Goal, got {type(task.payload).__name__}")
        self._state = ShopState(task.payload)
        self._head = pages.heading(task.payload.instruction)
        return self._text()

    @property
    def reward(self) -> Reward | None:
        """The reward of the purchase with its components; None before it."""
        return self._state.reward

    @property
    def state(self) -> ShopState:
        """The state of the episode."""
        return self._state

    @property
    def price(self) -> float:
        """Price of the product on the page, dollars.

        Raises:
            KeyError: the page shows no product.
        """
        return self._shop.prices[self._state.asin]

    @property
    def clickables(self) -> tuple[str, ...]:
        """Click targets of the page, lower case, in its order."""
        state = self._state
        if state.page == "results":
            return self._shop.results(state.query, state.page_number).clickables
        if state.page == "item":
            return self._shop.item(state.asin).clickables
        if state.page in SUB_PAGES:
            return self._shop.sub(state.asin, state.page).clickables
        return (SEARCH,) if state.page == "index" else ()

    def step(self, action: str) -> Reply:
        """Execute one action, given as any text; never raises."""
        kind, target = parse_action(action)
        reason = self._refusal(kind, target) if kind else self._malformed(action)
        if not reason:
            self._state = self._next_state(kind, target)
        reward = self._state.reward
        return Reply(self._text(), not reason, reward is not None, reward.total if reward else 0.0, reason)

    def snapshot(self) -> ShopState:
        """The current state."""
        return self._state

    def restore(self, token: object) -> None:
        """Return to the state `token`.

        Raises:
            ValueError: the token is not a snapshot of the current task.
        """
        if not isinstance(token, ShopState) or token.goal != self._state.goal:
            raise ValueError("web shop: the token is not a snapshot of this task")
        self._state = token

    def admissible(self) -> list[str]:
        """All clicks that can be executed now and, on the start page, one search; sorted.

        Any text can be searched for; the search for the instruction represents them all.
        """
        actions = [f"click[{target}]" for target in self.clickables]
        if self._state.page == "index":
            actions.append(f"search[{self._state.goal.instruction}]")
        return sorted(action for action in actions if self._can_execute(action))

    def _can_execute(self, action: str) -> bool:
        kind, target = parse_action(action)
        return bool(kind) and not self._refusal(kind, target)

    def _malformed(self, action: str) -> str:
        """Why a text that is not an action is refused."""
        return _OVER if self._state.reward is not None else malformed_action(action, self.clickables)

    def _refusal(self, kind: str, target: str) -> str:
        """Why an action cannot be executed now; empty if it can."""
        if self._state.reward is not None:
            return _OVER
        if kind == "click":
            if target == SEARCH or target not in self.clickables:
                return unknown_target(target, self.clickables)
            if self._state.page == "results" and target not in (BACK, NEXT, PREVIOUS):
                return "" if target.upper() in self._shop.products else f"no product {target.upper()!r}"
        return ""

    def _next_state(self, kind: str, target: str) -> ShopState:
        """The state after an action that can be executed."""
        state = self._state
        if kind == "search":
            return ShopState(state.goal, "results", target)
        if target == BACK:
            return ShopState(state.goal)
        if state.page == "results":
            if target in (NEXT, PREVIOUS):
                return state._replace(page_number=state.page_number + (1 if target == NEXT else -1))
            return state._replace(page="item", asin=target.upper())
        if target == PREVIOUS:
            if state.page == "item":
                return state._replace(page="results", asin="", options=())
            return state._replace(page="item")
        if target == BUY:
            return state._replace(page="done", reward=self._buy())
        if target in SUB_PAGES:
            return state._replace(page=target)
        group = self._shop.option_groups(state.asin)[target]
        return state._replace(options=tuple({**dict(state.options), group: target}.items()))

    def _buy(self) -> Reward:
        state = self._state
        return reward_of(
            self._shop.products[state.asin],
            state.goal,
            price=self.price,
            options=tuple(value for _, value in state.options),
            scorer=self._shop.scorer,
        )

    def _text(self) -> str:
        state = self._state
        if state.page == "index":
            return pages.index_page(self._head)
        if state.reward is not None:
            return pages.done_page(state.asin, dict(state.options), state.reward.total)
        if state.page == "results":
            tail = self._shop.results(state.query, state.page_number).text
        elif state.page == "item":
            tail = self._shop.item(state.asin).text
        else:
            tail = self._shop.sub(state.asin, state.page).text
        return f"{self._head}{pages.SEPARATOR}{tail}"

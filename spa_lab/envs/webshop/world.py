"""The web shop as a world: WebShop's pages, actions and reward.

Verified to the character against recordings of the original engine (`parity.py`). Departs from it in what its
authors did not want: the query operators `<r>`, `<a>`, `<c>` and `<q>`, which list products by hidden labels,
are plain words here.
"""

import re
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.webshop import pages
from spa_lab.envs.webshop.goals import Goal
from spa_lab.envs.webshop.pages import BACK, BUY, NEXT, PREVIOUS, SEARCH, SUB_PAGES
from spa_lab.envs.webshop.reward import Reward, reward_of
from spa_lab.envs.webshop.shop import Shop

MANUAL = """You shop on a web site for what the instruction asks for. Each step, write one action in one of
these forms:
search[words]
click[text]
"text" is a button, a product code or an option that stands on the page, like "next >", "B417" or "red".
A page of results lists ten products. On a product's page, choose the options, then click[buy now]: that ends
the shopping and is judged by kind of product, attributes, options and price. An action that cannot be done
shows the same page again."""
_ACTION = re.compile(r"(.+)\[(.+)\]")


class Moment(NamedTuple):
    """Where an episode stands; also a snapshot."""

    goal: Goal
    page: str = "index"
    """"index", "results", "item", "done" or one of `SUB_PAGES`."""
    query: str = ""
    number: int = 1
    """Of the page of results, from 1."""
    asin: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """(group, value) chosen so far, in the order of the first choices."""
    reward: Reward | None = None
    """None before the purchase."""


def parse_action(action: str) -> tuple[str, str]:
    """("search" or "click", argument in lower case); both empty if the text is no action."""
    found = _ACTION.match(action)
    if found is None or found[1] not in ("search", "click"):
        return "", ""
    return found[1], found[2].lower()


class WebshopWorld:
    """A world of one shop; `Task.payload` must be a `Goal`. Call `reset` first.

    Actions are `search[words]`, possible on every page, and `click[button, product or option]`. What cannot
    be read or done is answered by the same page again. Only a purchase ends the episode and has an outcome.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._now: Moment
        self._head: str

    def reset(self, task: Task) -> str:
        """Start `task`; returns the start page, instruction included.

        Raises:
            ValueError: If the payload is not a `Goal`.
        """
        if not isinstance(task.payload, Goal):
            raise ValueError(f"task {task.id!r}: payload must be a Goal, got {type(task.payload).__name__}")
        self._now = Moment(task.payload)
        self._head = pages.heading(task.payload.instruction)
        return self._text()

    @property
    def reward(self) -> Reward | None:
        """The reward of the purchase with all its parts; None before it."""
        return self._now.reward

    @property
    def moment(self) -> Moment:
        """Where the episode stands."""
        return self._now

    @property
    def price(self) -> float:
        """What the product on the page costs, dollars.

        Raises:
            KeyError: There is none on this page.
        """
        return self._shop.prices[self._now.asin]

    @property
    def clickables(self) -> tuple[str, ...]:
        """What the page offers to click, lower case, in its order."""
        now = self._now
        if now.page == "results":
            return self._shop.results(now.query, now.number).clickables
        if now.page == "item":
            return self._shop.item(now.asin).clickables
        if now.page in SUB_PAGES:
            return self._shop.sub(now.asin, now.page).clickables
        return (SEARCH,) if now.page == "index" else ()

    def step(self, action: str) -> Reply:
        """Execute one action; free text, never an exception."""
        reason = self._refusal(*parse_action(action))
        if not reason:
            self._now = self._after(*parse_action(action))
        reward = self._now.reward
        return Reply(self._text(), not reason, reward is not None, reward.total if reward else 0.0, reason)

    def snapshot(self) -> Moment:
        """The present moment."""
        return self._now

    def restore(self, token: object) -> None:
        """Go back to the moment of `token`.

        Raises:
            ValueError: If the token is not a snapshot of the task that is being played.
        """
        if not isinstance(token, Moment) or token.goal != self._now.goal:
            raise ValueError("web shop: the token is not a snapshot of this task")
        self._now = token

    def admissible(self) -> list[str]:
        """All clicks that can be executed now and, where there is a search field, a search; sorted.

        Every text can be searched for; the instruction stands for all of them.
        """
        actions = [f"click[{target}]" for target in self.clickables]
        if self._now.page == "index":
            actions.append(f"search[{self._now.goal.instruction}]")
        return sorted(action for action in actions if not self._refusal(*parse_action(action)))

    def _refusal(self, kind: str, target: str) -> str:
        """Why an action cannot be executed now; empty if it can."""
        if self._now.reward is not None:
            return "the episode is over"
        if not kind:
            return "not of the form search[words] or click[target]"
        if kind == "click":
            if target == SEARCH or target not in self.clickables:
                return f"nothing to click is called {target!r} here"
            if self._now.page == "results" and target not in (BACK, NEXT, PREVIOUS):
                return "" if target.upper() in self._shop.products else f"no product {target.upper()!r}"
        return ""

    def _after(self, kind: str, target: str) -> Moment:
        """The moment after an action that is not refused."""
        now = self._now
        if kind == "search":
            return Moment(now.goal, "results", target)
        if target == BACK:
            return Moment(now.goal)
        if now.page == "results":
            if target in (NEXT, PREVIOUS):
                return now._replace(number=now.number + (1 if target == NEXT else -1))
            return now._replace(page="item", asin=target.upper())
        if target == PREVIOUS:
            if now.page == "item":
                return now._replace(page="results", asin="", options=())
            return now._replace(page="item")
        if target == BUY:
            return now._replace(page="done", reward=self._buy())
        if target in SUB_PAGES:
            return now._replace(page=target)
        group = self._shop.option_groups(now.asin)[target]
        return now._replace(options=tuple({**dict(now.options), group: target}.items()))

    def _buy(self) -> Reward:
        now = self._now
        return reward_of(
            self._shop.products[now.asin],
            now.goal,
            price=self.price,
            options=tuple(value for _, value in now.options),
            scorer=self._shop.scorer,
        )

    def _text(self) -> str:
        now = self._now
        if now.page == "index":
            return pages.index_page(self._head)
        if now.reward is not None:
            return pages.done_page(now.asin, dict(now.options), now.reward.total)
        if now.page == "results":
            tail = self._shop.results(now.query, now.number).text
        elif now.page == "item":
            tail = self._shop.item(now.asin).text
        else:
            tail = self._shop.sub(now.asin, now.page).text
        return f"{self._head}{pages.SEPARATOR}{tail}"

"""A scripted expert for the generated shop that uses only the text it has read.

It searches for all requirements, opens the first listed product that may fit, checks what the title does not
say (options, then "Features"), chooses the options and buys; otherwise it goes back for the next product. It
decides from its `Memory` at every step, so it recovers after actions that were not its own. Its thoughts come
from a small fixed set of templates (`thoughts.py`).
"""

import random

from spa_lab.envs.webshop.memory import ListedProduct, Memory
from spa_lab.envs.webshop.mistakes import mistake
from spa_lab.envs.webshop.pages import SEPARATOR
from spa_lab.envs.webshop.parsed_instruction import read_instruction
from spa_lab.envs.webshop.thoughts import (
    BUY,
    NO_NEWS,
    NOTHING,
    Move,
    feature_verdicts,
    requirement_thought,
    scan_results,
    summarize,
    verdicts,
)


class WebshopExpert:
    """Plays one episode: call `observe` after every executed action, `act` for the next one."""

    def __init__(self, instruction: str) -> None:
        """Start an episode on the start page.

        Raises:
            ValueError: the instruction is not one of the generated shop.
        """
        self.wanted = read_instruction(instruction)
        self.memory = Memory()

    def observe(self, action: str, observation: str) -> None:
        """Record an executed action, its own or not, and the shop's reply."""
        self.memory.observe(action, observation)

    def act(self) -> Move:
        """The next (thought, action)."""
        page = self.memory.page
        if page == "index":
            return requirement_thought(self.wanted), f"search[{self._next_query()}]"
        if page == "results":
            return self._act_on_results()
        if page == "sub":
            return self._act_on_details()
        return self._act_on_product()

    def slip(self, rng: random.Random) -> Move:
        """A careless shopper's (thought, action) in the current situation; it never ends the episode."""
        return mistake(self.wanted, self.memory, rng)

    def _next_query(self) -> str:
        """The most specific of three queries that was not used yet; the first one after all were used."""
        wanted = self.wanted
        noun = wanted.kind.noun
        without_options = (*wanted.attributes, noun)
        queries = [" ".join((*without_options, *wanted.options)), " ".join(without_options), noun]
        return next((query for query in queries if query not in self.memory.queries), queries[0])

    def _act_on_results(self) -> Move:
        thought, product = scan_results(self.wanted, self.memory)
        if product:
            return thought, f"click[{product.asin}]"
        turns_page = self.memory.more and self.memory.page_number < 2
        return thought, "click[next >]" if turns_page else "click[back to search]"

    def _act_on_product(self) -> Move:
        memory, product = self.memory, self.memory.item
        if product is None:
            return NOTHING, "click[back to search]"
        summary, fits = summarize(verdicts(self.wanted, memory, product))
        if not fits:
            return summary, "click[< prev]"
        thought, action = self._next_click(product)
        return f"{summary} {thought}".lstrip(), action

    def _next_click(self, product: ListedProduct) -> Move:
        """On the page of a product without known faults."""
        memory = self.memory
        for attribute in self.wanted.attributes:
            if attribute not in product.title and product.asin not in memory.features:
                return f"{attribute}: not said.", "click[features]"
        for value in self.wanted.options:
            if memory.chosen.get(memory.offered[value]) != value:
                return f"I take {value}.", f"click[{value}]"
        return BUY, "click[buy now]"

    def _act_on_details(self) -> Move:
        """On a page with details of a product, such as "Features"."""
        product = self.memory.item
        if product is None:
            return NOTHING, "click[< prev]"
        summary, _ = summarize(feature_verdicts(self.wanted, self.memory, product))
        if not summary:
            return NO_NEWS, "click[< prev]"
        features = self.memory.features[product.asin].replace(SEPARATOR, ", ")
        return f"It is {features}. {summary}", "click[< prev]"

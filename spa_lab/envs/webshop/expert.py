"""A customer of the generated shop who plays only from what was read.

Searches for all that is wanted, opens the first product on the page that may fit, looks whether it has what
the title does not say (reads "Features"), chooses the options and buys; else goes back for the next one.
Decides anew at each step from the `Memory`, so it goes on sensibly after any action that was not its own. Its
thoughts (`thoughts.py`) come from a small fixed set of sentences.
"""

import random

from spa_lab.envs.webshop.memory import Memory, Row
from spa_lab.envs.webshop.pages import SEPARATOR
from spa_lab.envs.webshop.slips import slip
from spa_lab.envs.webshop.thoughts import (
    BUY,
    NO_NEWS,
    NOTHING,
    Move,
    described,
    in_words,
    read_through,
    verdicts,
    wish_in_words,
)
from spa_lab.envs.webshop.wish import read_instruction


class WebshopExpert:
    """Plays one episode: `observe` every executed action, `act` for the next one."""

    def __init__(self, instruction: str) -> None:
        """Starts an episode on the start page.

        Raises:
            ValueError: The instruction is not in the words of the generated shop.
        """
        self.wish = read_instruction(instruction)
        self.memory = Memory()

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action, its own or not, and the shop's reply."""
        self.memory.observe(action, observation)

    def act(self) -> Move:
        """The next (thought, action)."""
        page = self.memory.page
        if page == "index":
            return self._search()
        if page == "results":
            return self._pick()
        if page == "sub":
            return self._read()
        return self._judge()

    def slip(self, rng: random.Random) -> Move:
        """A careless reader's mistake at this moment; never one that ends the episode."""
        return slip(self.wish, self.memory, rng)

    def _search(self) -> Move:
        wish = self.wish
        return wish_in_words(wish), f"search[{self._next_query()}]"

    def _next_query(self) -> str:
        """The first of a few searches, more and more general, that was not made yet; then they start anew."""
        wish = self.wish
        noun = wish.kind.noun
        like_it = (*wish.attributes, noun)
        queries = [" ".join((*like_it, *wish.options)), " ".join(like_it), noun]
        return next((query for query in queries if query not in self.memory.queries), queries[0])

    def _pick(self) -> Move:
        thought, row = read_through(self.wish, self.memory)
        if row:
            return thought, f"click[{row.asin}]"
        turns = self.memory.more and self.memory.number < 2
        return thought, "click[next >]" if turns else "click[back to search]"

    def _judge(self) -> Move:
        """On a product's page."""
        memory, item = self.memory, self.memory.item
        if item is None:
            return NOTHING, "click[back to search]"
        said, fits = in_words(verdicts(self.wish, memory, item))
        if not fits:
            return said, "click[< prev]"
        step, action = self._next_click(item)
        return f"{said} {step}".lstrip(), action

    def _next_click(self, item: Row) -> Move:
        """On the page of a product that has all that is known to be wanted."""
        memory = self.memory
        for attribute in self.wish.attributes:
            if attribute not in item.title and item.asin not in memory.features:
                return f"{attribute}: not said.", "click[features]"
        for value in self.wish.options:
            if memory.chosen.get(memory.offered[value]) != value:
                return f"I take {value}.", f"click[{value}]"
        return BUY, "click[buy now]"

    def _read(self) -> Move:
        """On a page with more about a product."""
        item = self.memory.item
        if item is None:
            return NOTHING, "click[< prev]"
        said, _ = in_words(described(self.wish, self.memory, item))
        if not said:
            return NO_NEWS, "click[< prev]"
        features = self.memory.features[item.asin].replace(SEPARATOR, ", ")
        return f"It is {features}. {said}", "click[< prev]"

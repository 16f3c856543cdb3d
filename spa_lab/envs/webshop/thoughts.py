"""The sentences that a customer thinks in, and what they say about a product.

A small fixed set, each of which carries what the next action needs.
"""

from spa_lab.envs.webshop.memory import Memory, Row
from spa_lab.envs.webshop.wish import Wish

THOUGHTS = (
    r"I need [a-z -]+(, [a-z0-9 -]+)*(, below \d+\.00)?\.",
    r"B\d+ is [a-z -]+( and [a-z -]+)*, \$[\d.]+\.",
    r"B\d+ may be [a-z -]+( and [a-z -]+)*, \$[\d.]+\.",
    r"Nothing fits here\.",
    r"Is it [a-z ]+\?",
    r"It is (not )?[a-z -]+\.",
    r"It has no [a-z0-9 ]+\.",
    r"It is too dear\.",
    r"It fits\. I need [a-z0-9 ]+\.",
    r"It fits\. I buy it\.",
)
"""Regular expressions that together match every thought of the expert."""
NOTHING = "Nothing fits here."
BUY = "It fits. I buy it."

Move = tuple[str, str]
"""(thought, action)."""


def wish_in_words(wish: Wish) -> str:
    """The thought that says what is wanted."""
    limit = f", below {wish.limit:.2f}" if wish.limit < float("inf") else ""
    wanted = ", ".join((f"{' '.join(wish.attributes)} {wish.kind.noun}", *wish.options))
    return f"I need {wanted}{limit}."


def promise(row: Row, attributes: list[str], wish: Wish) -> str:
    """The thought that goes with opening a listed product of which these wanted attributes are known."""
    verb = "is" if attributes else "may be"
    return f"{row.asin} {verb} {' and '.join(attributes or wish.attributes)}, ${row.price}."


def missing(wish: Wish, memory: Memory, row: Row) -> str:
    """What is known to be wrong with a product, as a thought; empty if it may fit."""
    if wish.kind.noun not in row.title:
        return f"It is not {wish.kind.noun}."
    if row.price > wish.limit:
        return "It is too dear."
    for value in wish.options:
        if row.asin in memory.options and value not in memory.options[row.asin]:
            return f"It has no {value}."
    if row.asin in memory.features:
        known = row.title + memory.features[row.asin]
        for attribute in wish.attributes:
            if attribute not in known:
                return f"It is not {attribute}."
    return ""

"""The sentences that a customer thinks in, and what they say about a product.

A small fixed set. Each names a thing before it judges it ("white: missing."): a small model finds what it has
just named on the page, but hardly knows a verdict before the name is said.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from spa_lab.envs.webshop.memory import Memory, Row
from spa_lab.envs.webshop.wish import Wish

_SEEN = r"(B\d+: (other|too dear|seen|perhaps)\. )*"
_FOUND = r"([a-z0-9 -]+: (here|chosen|yes)\. )*"
THOUGHTS = (
    r"I need [a-z -]+(, [a-z0-9 -]+)*(, below \d+\.00)?\.",
    _SEEN + r"(B\d+: yes|I try B\d+|Nothing fits here)\.",
    r"It is (not [a-z -]+|too dear)\.",
    _FOUND + r"[a-z0-9 -]+: (missing|no|not said|yes)\.",
    _FOUND + r"I (take [a-z0-9 ]+|buy it)\.",
    r"It says nothing new\.",
)
"""Regular expressions that together match every thought of the expert."""
NOTHING = "Nothing fits here."
NO_NEWS = "It says nothing new."
BUY = "I buy it."

Move = tuple[str, str]
"""(thought, action)."""


class Verdict(NamedTuple):
    """What is known of a product beside one thing that is wanted."""

    sentence: str
    fits: bool


def wish_in_words(wish: Wish) -> str:
    """The thought that says what is wanted."""
    limit = f", below {wish.limit:.2f}" if wish.limit < float("inf") else ""
    wanted = ", ".join((f"{' '.join(wish.attributes)} {wish.kind.noun}", *wish.options))
    return f"I need {wanted}{limit}."


def looked_through(wish: Wish, memory: Memory) -> tuple[str, Row | None]:
    """A page of results row by row, up to one that is known to be like what is wanted.

    Returns:
        The thought, and the product to open: that one, or else the first that may fit, or none.
    """
    said, perhaps = [], None
    for row in memory.rows:
        word = at_a_glance(wish, memory, row)
        said.append(f"{row.asin}: {word}.")
        if word == "yes":
            return " ".join(said), row
        if word == "perhaps" and perhaps is None:
            perhaps = row
    return " ".join((*said, f"I try {perhaps.asin}." if perhaps else NOTHING)), perhaps


def at_a_glance(wish: Wish, memory: Memory, row: Row) -> str:
    """What is thought of a listed product: "other" kind, "too dear", "seen" and left, "yes" or "perhaps"."""
    if wish.kind.noun not in row.title:
        return "other"
    if row.price > wish.limit:
        return "too dear"
    if missing(wish, memory, row):
        return "seen"
    known = row.title + memory.features.get(row.asin, "")
    return "yes" if any(attribute in known for attribute in wish.attributes) else "perhaps"


def missing(wish: Wish, memory: Memory, row: Row) -> str:
    """What is known to be wrong with a product, as a thought; empty if it may fit."""
    return next((verdict.sentence for verdict in verdicts(wish, memory, row) if not verdict.fits), "")


def verdicts(wish: Wish, memory: Memory, row: Row) -> Iterator[Verdict]:
    """All that is known of a product beside what is wanted, in the order in which it is looked at."""
    if wish.kind.noun not in row.title:
        yield Verdict(f"It is not {wish.kind.noun}.", False)
    if row.price > wish.limit:
        yield Verdict("It is too dear.", False)
    if row.asin in memory.options:
        for value in wish.options:
            if value in memory.chosen.values():
                yield Verdict(f"{value}: chosen.", True)
            else:
                has = value in memory.options[row.asin]
                yield Verdict(f"{value}: {'here' if has else 'missing'}.", has)
    yield from described(wish, memory, row)


def described(wish: Wish, memory: Memory, row: Row) -> Iterator[Verdict]:
    """What the features of a product say of the wanted attributes that its title does not name."""
    if row.asin in memory.features:
        for attribute in wish.attributes:
            if attribute not in row.title:
                fits = attribute in memory.features[row.asin]
                yield Verdict(f"{attribute}: {'yes' if fits else 'no'}.", fits)


def in_words(found: Iterable[Verdict]) -> tuple[str, bool]:
    """The verdicts as a text that ends at the first fault, and whether there is none."""
    said = []
    for sentence, fits in found:
        said.append(sentence)
        if not fits:
            return " ".join(said), False
    return " ".join(said), True

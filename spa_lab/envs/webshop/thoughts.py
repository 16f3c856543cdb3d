"""The sentences that a customer thinks in, and what they say about a product.

A small fixed set, each of which carries what the next action needs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spa_lab.envs.webshop.memory import Memory, Row
from spa_lab.envs.webshop.wish import Wish

THOUGHTS = (
    r"I need [a-z -]+(, [a-z0-9 -]+)*(, below \d+\.00)?\.",
    r"(I see|Perhaps) [a-z -]+( and [a-z -]+)* for \$[\d.]+: B\d+\.",
    r"Nothing fits here\.",
    r"It is (not [a-z -]+|too dear)\.",
    r"(It has [a-z0-9 ]+\. |I have [a-z0-9 ]+\. )*(It is [a-z ]+\. )*"
    r"(It has no [a-z0-9 ]+|It is (not )?[a-z ]+|Is it [a-z ]+\?|I need [a-z0-9 ]+|I buy it)[.?]?",
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


def promise(row: Row, attributes: Sequence[str], wish: Wish) -> str:
    """The thought that goes with opening a listed product of which these wanted attributes are known.

    The code comes last: to name it is to have compared rows, and a small model compares while it writes.
    """
    found = f"I see {' and '.join(attributes)}" if attributes else "Perhaps"
    return f"{found} {wish.kind.noun} for ${row.price}: {row.asin}."


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
                yield Verdict(f"I have {value}.", True)
            else:
                has = value in memory.options[row.asin]
                yield Verdict(f"It has {value}." if has else f"It has no {value}.", has)
    yield from described(wish, memory, row)


def described(wish: Wish, memory: Memory, row: Row) -> Iterator[Verdict]:
    """What the features of a product say of the wanted attributes that its title does not name."""
    if row.asin in memory.features:
        for attribute in wish.attributes:
            if attribute not in row.title:
                fits = attribute in memory.features[row.asin]
                yield Verdict(f"It is {attribute}." if fits else f"It is not {attribute}.", fits)


def in_words(found: Iterable[Verdict]) -> tuple[str, bool]:
    """The verdicts as a text that ends at the first fault, and whether there is none."""
    said = []
    for sentence, fits in found:
        said.append(sentence)
        if not fits:
            return " ".join(said), False
    return " ".join(said), True

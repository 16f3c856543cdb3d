"""The sentences that a customer thinks in, and what they say about a product.

A small fixed set. Each repeats what the page says before it judges it ("Of color: black, red. white:
missing."): a small model easily copies what is there, and compares what it has just written with what it
needs; to compare in silence is beyond it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from spa_lab.envs.webshop.memory import Memory, Row
from spa_lab.envs.webshop.wish import Wish

_ROW = r"B\d+ [a-z -]+(, [a-z ]+, \$[\d.]+)?"
_SEEN = rf"({_ROW}: (other|too dear|seen|perhaps)\. )*"
_FOUND = r"((Of [a-z]+: [a-z0-9 ,]+\. )?[a-z0-9 -]+: (here|chosen|yes)\. )*"
THOUGHTS = (
    r"I need [a-z -]+(, [a-z0-9 -]+)*(, below \d+\.00)?\.",
    _SEEN + rf"({_ROW}: yes|I try B\d+|Nothing fits here)\.",
    r"It is (not [a-z -]+|too dear)\.",
    r"It is [a-z ,]+\. ([a-z ]+: (yes|no)\. ?)+",
    _FOUND + r"(Of [a-z]+: [a-z0-9 ,]+\. )?[a-z0-9 -]+: (missing|no|not said|yes)\.",
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
        said.append(row_in_words(row, word))
        if word == "yes":
            return " ".join(said), row
        if word == "perhaps" and perhaps is None:
            perhaps = row
    return " ".join((*said, f"I try {perhaps.asin}." if perhaps else NOTHING)), perhaps


def row_in_words(row: Row, word: str) -> str:
    """A listed product and what is thought of it; of another kind of product only the kind is said."""
    kind, _, attribute = row.title.partition(" ")[2].partition(", ")
    return (
        f"{row.asin} {kind}: {word}."
        if word == "other"
        else f"{row.asin} {kind}, {attribute}, ${row.price}: {word}."
    )


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
        yield from _options(wish, memory, memory.options[row.asin])
    yield from described(wish, memory, row)


def _options(wish: Wish, memory: Memory, offered: Mapping[str, str]) -> Iterator[Verdict]:
    """What a product offers of the wanted options; after the first choice it is known that it has all."""
    begun = not memory.chosen.keys().isdisjoint(offered.values())
    for value in wish.options:
        if value in memory.chosen.values():
            yield Verdict(f"{value}: chosen.", True)
        elif begun and value in offered:
            yield Verdict(f"{value}: here.", True)
        else:
            (group,) = (name for name, values in wish.kind.groups if value in values)
            all_of_it = ", ".join(other for other, its_group in offered.items() if its_group == group)
            yield Verdict(
                f"Of {group}: {all_of_it}. {value}: {'here' if value in offered else 'missing'}.",
                value in offered,
            )


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

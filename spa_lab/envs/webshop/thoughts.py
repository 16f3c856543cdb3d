"""The sentences that a customer thinks in, and what they say about a product.

A small fixed set. A list is read word for word, since a model that copies falls out of step where words are
left out. Else each repeats what the page says before it judges it ("Of color: black, red. white:
missing."): a small model easily copies what is there, and compares what it has just written with what it
needs; to compare in silence is beyond it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from spa_lab.envs.webshop.memory import Memory, Row
from spa_lab.envs.webshop.pages import SEPARATOR
from spa_lab.envs.webshop.wish import Wish

_ROW = r"B\d+ \[SEP\] [a-z, -]+ \[SEP\] \$[\d.]+ \[SEP\] "
_FOUND = r"((Of [a-z]+: [a-z0-9 ,]+\. )?[a-z0-9 -]+: (here|chosen|yes)\. )*"
THOUGHTS = (
    r"I need [a-z -]+(, [a-z0-9 -]+)*(, below \d+\.00)?\.",
    rf"(Next > \[SEP\] )?({_ROW})*(This one may fit|Nothing fits here)\.",
    r"It is (not [a-z -]+|too dear)\.",
    r"It is [a-z ,]+\. ([a-z ]+: (yes|no)\. ?)+",
    _FOUND + r"(Of [a-z]+: [a-z0-9 ,]+\. )?[a-z0-9 -]+: (missing|no|not said|yes)\.",
    _FOUND + r"I (take [a-z0-9 ]+|buy it)\.",
    r"It says nothing new\.",
)
"""Regular expressions that together match every thought of the expert."""
LIST = f"Next >{SEPARATOR}"
"""What stands before the products of a page."""
FITS = "This one may fit."
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


def read_through(wish: Wish, memory: Memory) -> tuple[str, Row | None]:
    """A page of results word for word, up to the first product that may fit.

    Who comes back from a product reads on from there.

    Returns:
        The thought, and the product to open, or none.
    """
    asins = [row.asin for row in memory.rows]
    goes_on = memory.left in asins
    read: list[Row] = []
    found = None
    for row in memory.rows[asins.index(memory.left) if goes_on else 0 :]:
        read.append(row)
        if not missing(wish, memory, row):
            found = row
            break
    said = rows_in_words(read, FITS if found else NOTHING)
    return said if goes_on else f"{LIST}{said}", found


def rows_in_words(rows: Iterable[Row], verdict: str) -> str:
    """Products as the page lists them, and what is thought of the last one."""
    listed = (piece for row in rows for piece in (row.asin, row.title, f"${row.price}"))
    return SEPARATOR.join((*listed, verdict))


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

"""The expert's thoughts: a small fixed set of sentence templates, filled with what the pages say.

A list of results is copied word by word, because a copying model loses its position when words are skipped.
Every other thought repeats what the page says before it judges it ("Of color: black, red. white: missing."):
a small model copies well and can compare what it has just written with the requirement, but it cannot compare
without writing the comparison out.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from spa_lab.envs.webshop.memory import ListedProduct, Memory
from spa_lab.envs.webshop.pages import SEPARATOR
from spa_lab.envs.webshop.parsed_instruction import ParsedInstruction

_PRODUCT = r"B\d+ \[SEP\] [a-z, -]+ \[SEP\] \$[\d.]+ \[SEP\] "
_MET = r"((Of [a-z]+: [a-z0-9 ,]+\. )?[a-z0-9 -]+: (here|chosen|yes)\. )*"
THOUGHTS = (
    r"I need [a-z -]+(, [a-z0-9 -]+)*(, below \d+\.00)?\.",
    rf"(Next > \[SEP\] )?({_PRODUCT})*(This one may fit|Nothing fits here)\.",
    r"It is (not [a-z -]+|too dear)\.",
    r"It is [a-z ,]+\. ([a-z ]+: (yes|no)\. ?)+",
    _MET + r"(Of [a-z]+: [a-z0-9 ,]+\. )?[a-z0-9 -]+: (missing|no|not said|yes)\.",
    _MET + r"I (take [a-z0-9 ]+|buy it)\.",
    r"It says nothing new\.",
)
"""Regular expressions that together match every thought of the expert."""
LIST = f"Next >{SEPARATOR}"
"""Precedes the products on a page of results."""
FITS = "This one may fit."
NOTHING = "Nothing fits here."
NO_NEWS = "It says nothing new."
BUY = "I buy it."

Move = tuple[str, str]
"""(thought, action)."""


class Verdict(NamedTuple):
    """How a product compares with one requirement."""

    sentence: str
    fits: bool


def requirement_thought(wanted: ParsedInstruction) -> str:
    """The thought that states the requirements."""
    limit = f", below {wanted.limit:.2f}" if wanted.limit < float("inf") else ""
    requirements = ", ".join((f"{' '.join(wanted.attributes)} {wanted.kind.noun}", *wanted.options))
    return f"I need {requirements}{limit}."


def scan_results(wanted: ParsedInstruction, memory: Memory) -> tuple[str, ListedProduct | None]:
    """Copy a page of results word by word, up to the first product that may fit.

    After returning from a product, the scan resumes at that product.

    Returns:
        The thought, and the product to open; None if no product fits.
    """
    asins = [product.asin for product in memory.listed]
    resumes = memory.left in asins
    scanned: list[ListedProduct] = []
    candidate = None
    for product in memory.listed[asins.index(memory.left) if resumes else 0 :]:
        scanned.append(product)
        if not first_fault(wanted, memory, product):
            candidate = product
            break
    thought = listing(scanned, FITS if candidate else NOTHING)
    return thought if resumes else f"{LIST}{thought}", candidate


def listing(products: Iterable[ListedProduct], verdict: str) -> str:
    """Products as the page lists them, followed by the verdict on the last one."""
    texts = (text for product in products for text in (product.asin, product.title, f"${product.price}"))
    return SEPARATOR.join((*texts, verdict))


def first_fault(wanted: ParsedInstruction, memory: Memory, product: ListedProduct) -> str:
    """The first requirement that a product is known to fail, as a sentence; empty if it may fit."""
    return next((each.sentence for each in verdicts(wanted, memory, product) if not each.fits), "")


def verdicts(wanted: ParsedInstruction, memory: Memory, product: ListedProduct) -> Iterator[Verdict]:
    """Everything known about a product against the requirements, in the order in which the expert checks."""
    if wanted.kind.noun not in product.title:
        yield Verdict(f"It is not {wanted.kind.noun}.", False)
    if product.price > wanted.limit:
        yield Verdict("It is too dear.", False)
    if product.asin in memory.options:
        yield from _option_verdicts(wanted, memory, memory.options[product.asin])
    yield from feature_verdicts(wanted, memory, product)


def _option_verdicts(
    wanted: ParsedInstruction, memory: Memory, offered: Mapping[str, str]
) -> Iterator[Verdict]:
    """The wanted options against the offered ones; once one is chosen, the product is known to have all."""
    begun = not memory.chosen.keys().isdisjoint(offered.values())
    for value in wanted.options:
        if value in memory.chosen.values():
            yield Verdict(f"{value}: chosen.", True)
        elif begun and value in offered:
            yield Verdict(f"{value}: here.", True)
        else:
            (group,) = (name for name, values in wanted.kind.groups if value in values)
            alternatives = ", ".join(other for other, its_group in offered.items() if its_group == group)
            yield Verdict(
                f"Of {group}: {alternatives}. {value}: {'here' if value in offered else 'missing'}.",
                value in offered,
            )


def feature_verdicts(wanted: ParsedInstruction, memory: Memory, product: ListedProduct) -> Iterator[Verdict]:
    """The wanted attributes that the title does not name, against the page "Features" if it was read."""
    if product.asin in memory.features:
        for attribute in wanted.attributes:
            if attribute not in product.title:
                fits = attribute in memory.features[product.asin]
                yield Verdict(f"{attribute}: {'yes' if fits else 'no'}.", fits)


def summarize(product_verdicts: Iterable[Verdict]) -> tuple[str, bool]:
    """The verdicts as a text that ends at the first fault, and whether there is no fault."""
    sentences = []
    for sentence, fits in product_verdicts:
        sentences.append(sentence)
        if not fits:
            return " ".join(sentences), False
    return " ".join(sentences), True

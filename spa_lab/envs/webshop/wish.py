"""What an instruction of the generated shop asks for: written as a sentence, and read from it again."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spa_lab.envs.webshop.vocabulary import Kind, kind_of

_LIMIT = re.compile(r", and price lower than (\d+)\.\d\d dollars$")
_TEMPLATES = (
    "i need {attributes} {noun}{options}",
    "find me {noun}, {attributes}{options}",
    "i am looking for {attributes} {noun}{options}",
)


@dataclass(frozen=True)
class Wish:
    """What is wanted, in the words of the instruction."""

    kind: Kind
    attributes: tuple[str, ...]
    options: tuple[str, ...]
    limit: float
    """Dollars; infinite if there is none."""


def write_instruction(
    kind: Kind, attributes: Sequence[str], options: Sequence[str], rng: random.Random
) -> str:
    """One of a few sentences that ask for this, without a price limit."""
    wanted = f" in {' and '.join(options)}" if options else ""
    return rng.choice(_TEMPLATES).format(noun=kind.noun, attributes=" and ".join(attributes), options=wanted)


def read_instruction(sentence: str) -> Wish:
    """Reads an instruction in the words of the generated shop.

    Raises:
        ValueError: It names no kind of product or no attribute of that kind.
    """
    limit = _LIMIT.search(sentence)
    text = sentence[: limit.start()] if limit else sentence
    kind = kind_of(text)
    if kind is None:
        raise ValueError(f"instruction {sentence!r}: names none of the generated shop's kinds of products")
    text = text.replace(kind.noun, ",", 1)
    attributes = _named(kind.attributes, text)
    if not attributes:
        raise ValueError(f"instruction {sentence!r}: names none of the {len(kind.attributes)} attributes")
    for attribute in attributes:
        text = text.replace(attribute, ",")
    options = _named((value for _, values in kind.groups for value in values), text)
    return Wish(kind, attributes, options, float(limit[1]) if limit else float("inf"))


def _named(phrases: Iterable[str], text: str) -> tuple[str, ...]:
    """The phrases that stand in a text as whole words, in the order of the text."""
    found = []
    for phrase in phrases:
        if place := re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text):
            found.append((place.start(), phrase))
    return tuple(phrase for _, phrase in sorted(found))

"""The requirements in an instruction of the generated shop: written as a sentence, and parsed from one."""

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
class ParsedInstruction:
    """The product that an instruction asks for."""

    kind: Kind
    attributes: tuple[str, ...]
    options: tuple[str, ...]
    """Option values, without the names of their groups."""
    limit: float
    """Price limit, dollars; infinite if there is none."""


def write_instruction(
    kind: Kind, attributes: Sequence[str], options: Sequence[str], rng: random.Random
) -> str:
    """A sentence that asks for such a product, from one of three templates, without a price limit."""
    option_text = f" in {' and '.join(options)}" if options else ""
    template = rng.choice(_TEMPLATES)
    return template.format(noun=kind.noun, attributes=" and ".join(attributes), options=option_text)


def read_instruction(sentence: str) -> ParsedInstruction:
    """Parse an instruction of the generated shop.

    Raises:
        ValueError: it names no product kind of the generated shop, or no attribute of that kind.
    """
    limit = _LIMIT.search(sentence)
    text = sentence[: limit.start()] if limit else sentence
    kind = kind_of(text)
    if kind is None:
        raise ValueError(f"instruction {sentence!r}: names none of the generated shop's product kinds")
    text = text.replace(kind.noun, ",", 1)
    attributes = _phrases_in(text, kind.attributes)
    if not attributes:
        raise ValueError(
            f"instruction {sentence!r}: names no attribute of {kind.noun!r}; "
            f"they are: {', '.join(kind.attributes)}"
        )
    for attribute in attributes:
        text = text.replace(attribute, ",")
    options = _phrases_in(text, (value for _, values in kind.groups for value in values))
    return ParsedInstruction(kind, attributes, options, float(limit[1]) if limit else float("inf"))


def _phrases_in(text: str, phrases: Iterable[str]) -> tuple[str, ...]:
    """The phrases that occur in a text as whole words, in the order of the text."""
    positions = []
    for phrase in phrases:
        if match := re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text):
            positions.append((match.start(), phrase))
    return tuple(phrase for _, phrase in sorted(positions))

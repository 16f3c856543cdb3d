"""The nouns of product names, which the reward compares: the only part of it that depends on a choice.

The original uses a spaCy language model. `RULE` needs none and gives the same result on every machine;
`spacy_nouns` uses an installed model. Rewards of different scorers cannot be compared, so each scorer has a
name that is stored with the reward.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module

_WORD = re.compile(r"[A-Za-z][\w'&.+-]*|\d[\w.]*")
_NO_NOUNS = frozenset(
    "a an the and or but of for with without to in on at by from as is are be it its this that these"
    " those your you our we my i not no up down out off over under into onto than then so very more most"
    " such all any each both only new non slip soft best great good easy high low long short large small"
    " big mini ultra super extra fit fits".split()
)
_TAGS = ("NOUN", "PROPN")


@dataclass(frozen=True)
class NounScorer:
    """A way to find the nouns of a name."""

    name: str
    """"rule" or "spacy:<model> <version>"."""
    nouns: Callable[[str], tuple[str, ...]]
    """Name → its nouns in lower case, in order, with repetitions."""


@lru_cache(maxsize=1 << 16)
def rule_nouns(name: str) -> tuple[str, ...]:
    """All words of a name except numbers, function words and common adjectives."""
    words = (word.lower() for word in _WORD.findall(name) if not word[0].isdigit())
    return tuple(word for word in words if word not in _NO_NOUNS)


RULE = NounScorer("rule", rule_nouns)


@cache
def spacy_nouns(model: str = "en_core_web_lg") -> NounScorer:
    """The nouns that a spaCy model tags; loading the model takes seconds.

    Raises:
        ImportError: spaCy or the model is not installed.
    """
    spacy = import_module("spacy")  # an optional extra, and slow to import
    if not spacy.util.is_package(model):
        raise ImportError(f"spaCy model {model!r} is not installed (python -m spacy download {model})")
    language = spacy.load(model)

    @lru_cache(maxsize=1 << 16)
    def nouns(name: str) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in language(name) if token.pos_ in _TAGS)

    return NounScorer(f"spacy:{model} {language.meta['version']}", nouns)


def installed_nouns() -> NounScorer:
    """The original's scorer if spaCy and its model are installed, else `RULE`."""
    try:
        return spacy_nouns()
    except ImportError:
        return RULE

"""The Porter stemmer as Lucene runs it (Porter 1980, with the author's later "bli" and "logi" rules)."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

_STEP_2: Mapping[str, str] = MappingProxyType(
    {
        "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble",
        "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate",
        "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al",
        "iviti": "ive", "biliti": "ble", "logi": "log",
    }
)  # fmt: skip
_STEP_3: Mapping[str, str] = MappingProxyType(
    {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
)
_STEP_4 = (
    "ement", "ance", "ence", "able", "ible", "ment", "sion", "tion", "ant", "ent", "ism", "ate", "iti",
    "ous", "ive", "ize", "al", "er", "ic", "ou",
)  # fmt: skip
"""Endings of steps 2 to 4; the first that matches is replaced."""


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of a lower-case word; words of one or two characters are unchanged."""
    if len(word) <= 2:
        return word
    word = _step_1b(_step_1a(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = f"{word[:-1]}i"
    for endings in (_STEP_2, _STEP_3):
        word = _replaced(word, endings)
    return _step_5(_step_4(word))


def lower(text: str) -> str:
    """Lower case letter by letter, without context and without letters that become two."""
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def _step_1a(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _step_1b(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        if word.endswith(ending):
            before = word[: -len(ending)]
            return _mended(before) if _has_vowel(before) else word
    return word


def _mended(word: str) -> str:
    """The stem after removing "ed" or "ing", with its ending repaired."""
    if word.endswith(("at", "bl", "iz")):
        return f"{word}e"
    if len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1]:
        return word if word[-1] in "lsz" else word[:-1]
    return f"{word}e" if _measure(word) == 1 and _ends_short(word) else word


def _replaced(word: str, endings: Mapping[str, str]) -> str:
    for ending, other in endings.items():
        if word.endswith(ending):
            before = word[: -len(ending)]
            return before + other if _measure(before) > 0 else word
    return word


def _step_4(word: str) -> str:
    for ending in _STEP_4:
        if word.endswith(ending):
            cut = 3 if ending in ("sion", "tion") else len(ending)  # remove "ion", keep the s or t
            before = word[:-cut]
            return before if _measure(before) > 1 else word
    return word


def _step_5(word: str) -> str:
    if word.endswith("e"):
        before = word[:-1]
        measure = _measure(before)
        if measure > 1 or (measure == 1 and not _ends_short(before)):
            word = before
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _shape(word: str) -> list[bool]:
    """Whether each character is a consonant."""
    shape: list[bool] = []
    for letter in word:
        shape.append((not shape or not shape[-1]) if letter == "y" else letter not in "aeiou")
    return shape


def _measure(word: str) -> int:
    """Number of places where a consonant follows a vowel."""
    shape = _shape(word)
    return sum(consonant and not before for before, consonant in pairwise(shape))


def _has_vowel(word: str) -> bool:
    return not all(_shape(word))


def _ends_short(word: str) -> bool:
    """Whether it ends in consonant, vowel, consonant, the last one not w, x or y."""
    return len(word) > 2 and _shape(word)[-3:] == [True, False, True] and word[-1] not in "wxy"

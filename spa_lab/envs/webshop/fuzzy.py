"""Similarity of phrases, identical to `token_set_ratio` of the public package thefuzz 0.20."""

import re
from functools import lru_cache

from spa_lab.envs.webshop.stemmer import lower

_NOT_A_WORD = re.compile(r"[\W_]")
_LATIN_1 = dict.fromkeys(range(128, 256))
"""The only characters that thefuzz's option "force ASCII" removes."""


@lru_cache(maxsize=1 << 16)
def token_set_ratio(first: str, second: str) -> int:
    """Similarity of two phrases as sets of words, 0 to 100; 0 if one of them has no words.

    Source: thefuzz 0.20 over rapidfuzz 3.14 (default processing, ASCII forced).
    """
    first_words, second_words = _words(first), _words(second)
    if not first_words or not second_words:
        return 0
    shared = first_words & second_words
    left, right = (
        " ".join(sorted(words)) for words in (first_words - second_words, second_words - first_words)
    )
    if shared and not (left and right):
        return 100
    common = len(" ".join(sorted(shared)))
    gap = 1 if common else 0
    both = 2 * (common + gap) + len(left) + len(right)
    distance = len(left) + len(right) - 2 * _common_subsequence(left, right)
    ratios = [100 - 100 * distance / both]
    if shared:
        ratios += [100 - 100 * (gap + len(part)) / (2 * common + gap + len(part)) for part in (left, right)]
    return round(max(ratios))


def _words(phrase: str) -> set[str]:
    return set(lower(_NOT_A_WORD.sub(" ", phrase.translate(_LATIN_1))).split())


def _common_subsequence(first: str, second: str) -> int:
    """Length of the longest common subsequence (Hyyrö 2004: one bit per letter of `first`)."""
    positions: dict[str, int] = {}
    for i, letter in enumerate(first):
        positions[letter] = positions.get(letter, 0) | 1 << i
    full = (1 << len(first)) - 1
    row = full
    for letter in second:
        hit = row & positions.get(letter, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(first) - row.bit_count()

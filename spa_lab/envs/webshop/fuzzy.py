"""How alike two phrases are, as `token_set_ratio` of the public package thefuzz 0.20 says."""

import re
from functools import lru_cache

from spa_lab.envs.webshop.stemmer import lower

_NOT_A_WORD = re.compile(r"[\W_]")
_LATIN_1 = dict.fromkeys(range(128, 256))
"""thefuzz's "ASCII only" drops these and no others."""


@lru_cache(maxsize=1 << 16)
def token_set_ratio(one: str, other: str) -> int:
    """Likeness of two phrases as sets of words, 0 to 100; 0 where one has no words.

    Source: thefuzz 0.20 over rapidfuzz 3.14 (default processing, ASCII forced).
    """
    ours, theirs = _words(one), _words(other)
    if not ours or not theirs:
        return 0
    shared = ours & theirs
    left, right = " ".join(sorted(ours - theirs)), " ".join(sorted(theirs - ours))
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


def _common_subsequence(one: str, other: str) -> int:
    """Length of the longest common subsequence (Hyyrö 2004: one bit of a number for each letter of `one`)."""
    places: dict[str, int] = {}
    for i, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << i
    full = (1 << len(one)) - 1
    row = full
    for letter in other:
        hit = row & places.get(letter, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(one) - row.bit_count()

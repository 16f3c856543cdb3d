"""Text → index terms, as Lucene's English analyzer makes them.

In this order: split into words (Unicode word boundaries, UAX #29, as in Lucene's StandardTokenizer), remove
possessive "'s", convert to lower case, remove stop words, stem (Porter). Source of the rules: Unicode
Standard Annex #29 and Unicode's emoji-data.txt; order, stop words and token types as in Anserini's
DefaultEnglishAnalyzer.
"""

import re
import unicodedata
from functools import cache

from spa_lab.envs.webshop.stemmer import lower, stem

LONGEST_TOKEN = 255
"""Characters; longer words are cut into pieces of this length."""
STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these"
    " they this to was will with".split()
)
_POSSESSIVE = re.compile("['\u2019\uff07][sS]\\Z")

# Every character has a class, written as one letter; the patterns below match strings of these letters.
# a letter, d digit, _ joiner, m joins letters, n joins digits, b joins both, k katakana, t Thai and the
# like, i ideograph or hiragana, e emoji, r regional indicator, x combining or format mark, v emoji
# variation selector, z zero-width joiner, q "#" or "*", c keycap, o anything else
_MARKS = "[xvzc]*+"
_LETTERS = rf"a{_MARKS}(?:(?:[mb]{_MARKS})?a{_MARKS})*+"
_DIGITS = rf"d{_MARKS}(?:(?:[nb]{_MARKS})?d{_MARKS})*+"
_RUN = rf"(?:(?:{_LETTERS}|{_DIGITS})++|(?:k{_MARKS})++)"
_JOINERS = rf"(?:_{_MARKS})"
_WORD = rf"{_JOINERS}*+{_RUN}(?:{_JOINERS}++{_RUN})*+{_JOINERS}*+"
_EMOJI = r"(?:e|[dq]v)[vxc]*+(?:z+e[vx]*+)*+|[dq]c|rr[xvz]*+"
_TOKEN = re.compile(rf"({_WORD}|{_EMOJI}|(?:t{_MARKS})++|i{_MARKS})|{_JOINERS}++")

_CLASSES = (
    ("_", "_\u202f"),
    ("m", ":\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a"),
    ("b", "'.\u2018\u2019\u2024\ufe52\uff07\uff0e"),
    ("n", ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b"),
    ("q", "#*"),
    ("v", "\ufe0f"),
    ("z", "\u200d"),
    ("c", "\u20e3"),
    ("k", "\u3031-\u3035\u309b\u309c\u30a0-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u32d0-\u32fe\uff66-\uff9d"),
    (
        "i",
        "\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u309d-\u309f\u3400-\u4dbf"
        "\u4e00-\u9fff\uf900-\ufad9\U0001b001-\U0001b11e\U0001f200\U00020000-\U0003134f",
    ),
    ("r", "\U0001f1e6-\U0001f1ff"),
    ("x", "\U0001f3fb-\U0001f3ff\uff9e\uff9f"),
    (
        "e",  # Extended_Pictographic
        "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf\u23e9-\u23f3\u23f8-\u23fa\u24c2\u25aa\u25ab"
        "\u25b6\u25c0\u25fb-\u25fe\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714\u2716\u271d"
        "\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797\u27a1\u27b0"
        "\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f0ff"
        "\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f171\U0001f17e\U0001f17f\U0001f18e\U0001f191-\U0001f19a"
        "\U0001f1ad-\U0001f1e5\U0001f201-\U0001f20f\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f23c-\U0001f23f"
        "\U0001f249-\U0001f3fa\U0001f400-\U0001f53d\U0001f546-\U0001f64f\U0001f680-\U0001f6ff\U0001f774-\U0001f77f"
        "\U0001f7d5-\U0001f7ff\U0001f80c-\U0001f80f\U0001f848-\U0001f84f\U0001f85a-\U0001f85f\U0001f888-\U0001f88f"
        "\U0001f8ae-\U0001f8ff\U0001f90c-\U0001f93a\U0001f93c-\U0001f945\U0001f947-\U0001fffd",
    ),
    (
        "t",
        "\u0e01-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f\u1780-\u17d3"
        "\u17d7\u17dc\u17dd\u1950-\u1974\u1980-\u19ab\u19b0-\u19c9\u1a20-\u1a5e\u1aa0-\u1aad\ua9e0-\ua9ef"
        "\ua9fa-\ua9fe\uaa60-\uaac2\uaadb-\uaadf",
    ),
    ("a", "\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189"),
    ("o", "\u200b\u066b"),
)
"""Classes that no general category determines; the first that contains a character applies."""
_BY_CATEGORY = {"Nd": "d", "Nl": "a", "Pc": "_", "Mn": "x", "Mc": "x", "Me": "x", "Cf": "x"}


def analyze(text: str) -> list[str]:
    """The index terms of a text, in order, with repetitions."""
    terms = []
    for token in tokenize(text):
        word = lower(_POSSESSIVE.sub("", token))
        if word not in STOP_WORDS:
            terms.append(stem(word))
    return terms


def tokenize(text: str) -> list[str]:
    """The words of a text, unchanged, none longer than `LONGEST_TOKEN`."""
    classes = text.translate(_Classes.table())
    tokens = []
    for match in _TOKEN.finditer(classes):
        start, end = match.span(1)
        tokens += [text[i : min(i + LONGEST_TOKEN, end)] for i in range(start, end, LONGEST_TOKEN)]
    return tokens


class _Classes(dict[int, str]):
    """Code point → class, computed on first use."""

    @classmethod
    @cache
    def table(cls) -> "_Classes":
        """The table that the whole process shares."""
        return cls()

    def __missing__(self, code: int) -> str:
        self[code] = name = _class(chr(code))
        return name


def _class(character: str) -> str:
    for name, members in _patterns():
        if members.match(character):
            return name
    category = unicodedata.category(character)
    return "a" if category[0] == "L" else _BY_CATEGORY.get(category, "o")


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(f"[{members}]")) for name, members in _CLASSES)

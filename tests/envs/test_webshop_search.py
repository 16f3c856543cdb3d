"""Tokens, stems and ranking, checked against values computed by hand or by Lucene."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.envs.webshop.analyzer import LONGEST_TOKEN, STOP_WORDS, analyze, tokenize
from spa_lab.envs.webshop.bm25 import index_of, quantized
from spa_lab.envs.webshop.stemmer import stem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("note:please a:b 5:6", ["note:please", "a:b", "5", "6"]),
        ("x.y.z x..y .net", ["x.y.z", "x", "y", "net"]),
        ("3.14 1,000,000 6.76", ["3.14", "1,000,000", "6.76"]),
        ("l'eau rock'n'roll 'quoted'", ["l'eau", "rock'n'roll", "quoted"]),
        ("foo_bar __x__ ___ a_b-c", ["foo_bar", "__x__", "a_b", "c"]),
        ("A01-Beige 20x20", ["A01", "Beige", "20x20"]),
        ("中文 ひら カタカナ 한국어 ไทย", ["中", "文", "ひ", "ら", "カタカナ", "한국어", "ไทย"]),
        ("cafe\u0301 soft\u00adly", ["cafe\u0301", "soft\u00adly"]),
        ("👨‍👩‍👧 ❤️ 👍🏽 🇩🇪🇫🇷 1️⃣ ★ ©", ["👨‍👩‍👧", "❤️", "👍🏽", "🇩🇪", "🇫🇷", "1️⃣", "★", "©"]),
        ("# * $ € → ½", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


def test_long_words_are_cut() -> None:
    assert [len(word) for word in tokenize("x" * 600)] == [LONGEST_TOKEN, LONGEST_TOKEN, 90]


def test_possessives_case_and_stop_words() -> None:
    assert analyze("The Dog\u2019s John's BOWLS' İstanbul") == ["dog", "john", "bowl", "istanbul"]
    assert analyze(" ".join(STOP_WORDS)) == []
    assert len(STOP_WORDS) == 33


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("caresses", "caress"), ("ponies", "poni"), ("cats", "cat"), ("feed", "feed"), ("agreed", "agre"),
        ("plastered", "plaster"), ("bled", "bled"), ("motoring", "motor"), ("sing", "sing"),
        ("hopping", "hop"), ("falling", "fall"), ("filing", "file"), ("fizzed", "fizz"), ("happy", "happi"),
        ("sky", "sky"), ("relational", "relat"), ("rational", "ration"), ("conformabli", "conform"),
        ("homologou", "homolog"), ("analogi", "analog"), ("adoption", "adopt"), ("controll", "control"),
        ("rate", "rate"), ("cease", "ceas"), ("yyy", "yyi"), ("is", "is"), ("ies", "i"),
    ],
)  # fmt: skip
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_lengths_are_kept_in_one_byte() -> None:
    lengths = np.array([0, 23, 24, 39, 40, 41, 47, 100, 255, 1000])
    assert quantized(lengths).tolist() == [0, 23, 24, 39, 40, 40, 46, 96, 248, 984]


def test_score_by_hand() -> None:
    index = index_of([("a", "red mug"), ("b", "red red shoe lace"), ("c", "blue shoe"), ("d", "the")])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))  # document d has no term and does not count
    average = 8 / 3

    def part(count: int, length: int) -> float:
        return idf * count / (count + 0.9 * (1 - 0.4 + 0.4 * length / average))

    hits = index.search("red red")
    assert [name for name, _ in hits] == ["b", "a"]
    assert [score for _, score in hits] == pytest.approx([2 * part(2, 4), 2 * part(1, 2)], rel=1e-6)


def test_ties_are_ordered_by_name_and_the_limit_holds() -> None:
    index = index_of([(name, "mug") for name in "dacb"])
    assert [name for name, _ in index.search("mug")] == ["a", "b", "c", "d"]
    assert [name for name, _ in index.search("mug", 2)] == ["a", "b"]
    assert index.search("cup the") == []
    assert index_of([]).search("mug") == []


def test_two_documents_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two documents are called 'a'"):
        index_of([("a", "mug"), ("b", ""), ("a", "cup")])


@given(st.text(max_size=80))
def test_any_text_can_be_analysed(text: str) -> None:
    words = tokenize(text)
    rest = text
    for word in words:  # words stand in the text, in order
        assert word
        rest = rest[rest.index(word) + len(word) :]
    assert all(term == term.strip() for term in analyze(text))


@given(st.lists(st.text("ab c", max_size=12), min_size=1, max_size=8), st.text("ab c", max_size=6))
def test_search_finds_exactly_what_shares_a_term(texts: list[str], query: str) -> None:
    names = [f"d{i}" for i in range(len(texts))]
    hits = index_of(zip(names, texts, strict=True)).search(query)
    wanted = set(analyze(query))
    expected = {name for name, text in zip(names, texts, strict=True) if wanted & set(analyze(text))}
    assert {name for name, _ in hits} == expected
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)


def test_nothing_is_slow() -> None:
    for text in (
        "_" * 50_000,
        "a'" * 50_000,
        "a_" * 50_000,
        "y" * 50_000,
        "1," * 50_000,
        "😀\u200d" * 50_000,
    ):
        analyze(text)

"""Balanced panels: the first of each length, in turn."""

import itertools

import pytest

from spa_lab.envs.panels import balanced_by_length, length_bin

BINS = ((1, 2), (3, 3), (4, 9))


def test_the_first_of_each_bin_in_turn() -> None:
    lengths = {"a": 9, "b": 1, "c": 2, "d": 2, "e": 5, "f": 3, "g": 4, "h": 3}
    assert balanced_by_length(lengths.items(), BINS, 2) == ["b", "f", "a", "c", "h", "e"]
    assert balanced_by_length(lengths.items(), BINS, 1) == ["b", "f", "a"]


def test_no_more_is_looked_at_than_needed() -> None:
    endless = ((i, 1 + i % 4) for i in itertools.count())
    assert balanced_by_length(endless, BINS, 2) == [0, 2, 3, 1, 6, 7]
    assert next(endless)[0] == 8


def test_bins_that_stay_empty() -> None:
    with pytest.raises(ValueError, match=r"bins hold \[2, 0, 1\] tasks after 4, need 2 each"):
        balanced_by_length(zip("abcd", (1, 5, 2, 1), strict=True), BINS, 2)


def test_every_length_has_one_bin() -> None:
    assert [length_bin(length, BINS) for length in (1, 2, 3, 4, 9)] == [0, 0, 1, 2, 2]
    for length in (0, 10):
        with pytest.raises(ValueError, match=rf"\[1, 9\], got {length}"):
            length_bin(length, BINS)

"""Batches within a budget of tokens: every row once, in an order drawn by the given generator."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.learn.batches import token_batches


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200), st.integers(0, 3), st.booleans())
def test_every_row_once_within_the_budget(lengths: list[int], budget: int, seed: int, similar: bool) -> None:
    batches = token_batches(lengths, budget=budget, rng=random.Random(seed), similar_lengths=similar)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[row] for row in batch)
        assert padded <= budget or len(batch) == 1


def test_the_generator_decides() -> None:
    lengths = [random.Random(1).randint(1, 30) for _ in range(40)]
    first, same, other = (token_batches(lengths, budget=60, rng=random.Random(seed)) for seed in (1, 1, 2))
    assert first == same != other


def test_equal_lengths_fill_the_budget() -> None:
    batches = token_batches([10] * 20, budget=50, rng=random.Random(0))
    assert [len(batch) for batch in batches] == [5] * 4


def test_rows_of_different_lengths_are_mixed_on_request() -> None:
    """Where long rows are failures, a batch of one length would hold one outcome."""
    lengths = [5, 40] * 100
    shares = []
    for similar in (True, False):
        batches = token_batches(lengths, budget=320, rng=random.Random(0), similar_lengths=similar)
        shares.append(sum(len({lengths[row] for row in batch}) == 2 for batch in batches) / len(batches))
    assert shares[0] < 0.2 and shares[1] > 0.8


def test_little_is_padding() -> None:
    rng = random.Random(0)
    lengths = [rng.randint(1, 100) for _ in range(400)]
    batches = token_batches(lengths, budget=1000, rng=rng)
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert sum(lengths) == pytest.approx(padded, rel=0.15)
    assert [len(batch) for batch in batches] != sorted(len(batch) for batch in batches)  # long ones not last

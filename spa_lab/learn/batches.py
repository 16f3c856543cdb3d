"""Batches of rows, each within a budget of tokens."""

import random
from collections.abc import Sequence

_BUCKET = 16
"""Batches that share one shuffle-then-sort bucket: sorting saves padding, the bucket keeps it random."""


def token_batches(
    lengths: Sequence[int], *, budget: int, rng: random.Random, alike: bool = True
) -> list[list[int]]:
    """Every row once, in random batches of at most `budget` tokens, padding included.

    Args:
        lengths: tokens of each of N rows, >= 1.
        budget: tokens; a single row longer than this makes a batch of its own.
        rng: draws the order.
        alike: put rows of about one length together, which saves padding. False mixes them, for targets that
            go with length: failures are long, and a batch of failures alone teaches that all fails.

    Returns:
        Lists of row numbers that together hold 0 ... N - 1 once each.
    """
    order = list(range(len(lengths)))
    rng.shuffle(order)
    mean = sum(lengths) / max(len(lengths), 1)
    size = max(1, int(_BUCKET * budget / max(mean, 1)))
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        bucket = order[start : start + size]
        batches += _cut(sorted(bucket, key=lambda i: lengths[i]) if alike else bucket, lengths, budget)
    rng.shuffle(batches)
    return batches


def planned_batches(
    lengths: Sequence[int], *, epochs: int, budget: int, rng: random.Random, alike: bool = True
) -> list[list[int]]:
    """The `token_batches` of `epochs` passes, one after the other, each in its own order."""
    passes = (token_batches(lengths, budget=budget, rng=rng, alike=alike) for _ in range(epochs))
    return [batch for one in passes for batch in one]


def _cut(rows: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Consecutive runs of `rows` within the budget."""
    batches: list[list[int]] = []
    longest = 0
    for row in rows:
        longest = max(longest, lengths[row])
        if batches and (len(batches[-1]) + 1) * longest <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
            longest = lengths[row]
    return batches

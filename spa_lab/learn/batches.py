"""Batches of rows, each within a budget of tokens."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from spa_lab.agent.processes import processes

_BATCHES_PER_BUCKET = 16
"""Rows are shuffled, cut into buckets of about this many batches, and sorted by length within a bucket:
sorting saves padding, the buckets keep the batches random."""


def token_batches(
    lengths: Sequence[int], *, budget: int, rng: random.Random, similar_lengths: bool = True
) -> list[list[int]]:
    """Every row once, in random batches of at most `budget` tokens, padding included.

    Args:
        lengths: tokens of each of N rows, >= 1.
        budget: tokens; a single row longer than this makes a batch of its own.
        rng: draws the order.
        similar_lengths: put rows of similar lengths together, which saves padding. False mixes them, for
            targets that correlate with length: failures are long, and a batch of failures alone pulls every
            prediction towards failure.

    Returns:
        Lists of row indices that together hold 0 ... N - 1 once each.
    """
    order = list(range(len(lengths)))
    rng.shuffle(order)
    mean = sum(lengths) / max(len(lengths), 1)
    size = max(1, int(_BATCHES_PER_BUCKET * budget / max(mean, 1)))
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        bucket = order[start : start + size]
        if similar_lengths:
            bucket = sorted(bucket, key=lambda i: lengths[i])
        batches += _cut(bucket, lengths, budget)
    rng.shuffle(batches)
    return batches


def split_rows(rows: Sequence[int], lengths: Sequence[int], micro_tokens: int | None) -> list[list[int]]:
    """A batch in parts of at most `micro_tokens` tokens, padding included; None: in one part.

    Rows of similar lengths share a part, so that less of it is padding.

    Args:
        rows: indices of the batch's rows.
        lengths: tokens of every row.
        micro_tokens: tokens; a single row longer than this makes a part of its own.
    """
    if micro_tokens is None:
        return [list(rows)]
    return _cut(sorted(rows, key=lambda row: lengths[row]), lengths, micro_tokens)


class OwnParts(NamedTuple):
    """What one process reads of a batch."""

    parts: list[list[int]]
    """Parts of at least one row in all, so that every process takes part in every update."""
    counts: float
    """1; 0 if there are fewer rows than processes and the row here is another process's."""


def share_rows(rows: Sequence[int], lengths: Sequence[int], micro_tokens: int | None) -> OwnParts:
    """The parts of a batch, see `split_rows`, that this one of the processes working together reads."""
    own = processes().share(rows)
    return OwnParts(split_rows(own or rows[:1], lengths, micro_tokens), float(bool(own)))


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

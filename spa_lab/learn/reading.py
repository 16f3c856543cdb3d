"""Model outputs for many rows of different lengths, computed in padded batches and returned row by row."""

import random
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from spa_lab.agent.codec import Codec, TokenBatch, TokenRow
from spa_lab.agent.processes import processes
from spa_lab.learn.batches import token_batches
from spa_lab.types import FloatArray

READ_TOKENS = 12_000
"""Tokens in a batch that is read without a gradient."""


def read_rows(
    read: Callable[[TokenBatch], Tensor],
    codec: Codec,
    rows: Sequence[TokenRow],
    counts: Sequence[int],
    *,
    limit: int,
    budget: int,
) -> list[Tensor]:
    """The outputs of `read` for each of N rows, in order; processes that work together share the batches.

    Args:
        read: a batch -> (n, ...), n the sum of its rows' counts, row by row.
        codec: makes the batches.
        rows: N rows.
        counts: number of outputs of each row.
        limit: maximum number of tokens of a row.
        budget: tokens in a batch, padding included.

    Returns:
        For each row its (count, ...) outputs.

    Raises:
        ContextTooLong: a row has more than `limit` tokens.
    """
    by_row: dict[int, Tensor] = {}
    lengths, team = [len(row.ids) for row in rows], processes()
    for indices in team.share(token_batches(lengths, budget=budget, rng=random.Random(0))):
        outputs = read(codec.batch([rows[i] for i in indices], limit=limit))
        by_row |= zip(indices, outputs.split([counts[i] for i in indices]), strict=True)
    if team.size > 1:
        parts = team.gather([{i: outputs.cpu() for i, outputs in by_row.items()}])
        by_row = {i: outputs for part in parts for i, outputs in part.items()}
    return [by_row[i] for i in range(len(rows))]


def read_written(
    read: Callable[[TokenBatch], Tensor],
    codec: Codec,
    rows: Sequence[TokenRow],
    *,
    limit: int,
    budget: int,
) -> list[FloatArray]:
    """One number for each token that the policy wrote.

    Args:
        read: a batch -> (n,), one number for each written token, row by row.
        codec: makes the batches.
        rows: N rows.
        limit: maximum number of tokens of a row.
        budget: tokens in a batch, padding included.

    Returns:
        For each row (L,) float64, 0 where the policy did not write.
    """
    written = [np.array(row.step) >= 0 for row in rows]
    counts = [int(mask.sum()) for mask in written]
    arrays = []
    for mask, numbers in zip(
        written, read_rows(read, codec, rows, counts, limit=limit, budget=budget), strict=True
    ):
        array = np.zeros(len(mask))
        array[mask] = numbers.cpu().double().numpy()
        arrays.append(array)
    return arrays


def sums_by_step(row: TokenRow, numbers: FloatArray) -> FloatArray:
    """(T,) of the (L,) numbers of a row's tokens, the sum over those that the policy wrote in each step."""
    step = np.array(row.step)
    written = step >= 0
    return np.bincount(step[written], numbers[written]).astype(np.float64)

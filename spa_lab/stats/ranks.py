"""Rank correlations with ties, in numpy alone; undefined is NaN."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spa_lab.types import FloatArray


def spearman(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1]; ties share the mean of their ranks.

    Args:
        one: (n,) finite numbers.
        other: (n,) finite numbers.

    Returns:
        The correlation of the ranks; NaN (undefined) if n < 2 or either side is constant.

    Raises:
        ValueError: not two finite vectors of one length.
    """
    first, second = _pair(one, other)
    return _cosine(_centred_ranks(first), _centred_ranks(second))


def kendall_tau_b(one: ArrayLike, other: ArrayLike) -> float:
    """Kendall's tau-b in [-1, 1]: concordant minus discordant pairs, corrected for ties on either side.

    Args:
        one: (n,) finite numbers.
        other: (n,) finite numbers.

    Returns:
        tau-b; NaN (undefined) if n < 2 or either side is constant. Takes n * n bytes a few times over.

    Raises:
        ValueError: not two finite vectors of one length.
    """
    first, second = (_order_signs(values) for values in _pair(one, other))
    untied = math.sqrt(np.count_nonzero(first)) * math.sqrt(np.count_nonzero(second))
    return float((first * second).sum(dtype=np.int64) / untied) if untied else math.nan


def _pair(one: ArrayLike, other: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"ranks need two vectors of one length, got shapes {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f"ranks need finite numbers, got {first} and {second}")
    return first, second


def _centred_ranks(values: FloatArray) -> FloatArray:
    """(n,) ranks less their mean; ties share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[group]  # 1-based
    return ranks - (values.size + 1) / 2


def _cosine(one: FloatArray, other: FloatArray) -> float:
    lengths = math.sqrt(one @ one) * math.sqrt(other @ other)
    return float(np.clip(one @ other / lengths, -1.0, 1.0)) if lengths else math.nan


def _order_signs(values: FloatArray) -> NDArray[np.int8]:
    """(n, n) int8: sign of values[i] - values[j]."""
    above = (values[:, None] > values[None, :]).astype(np.int8)
    return above - above.T

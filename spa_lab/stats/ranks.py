"""Rank correlations with ties, in numpy; NaN where undefined."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spa_lab.types import FloatArray


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1]; ties share the mean of their ranks.

    Args:
        x: (n,) finite numbers.
        y: (n,) finite numbers.

    Returns:
        The correlation of the ranks; NaN (undefined) if n < 2 or either side is constant.

    Raises:
        ValueError: not two finite vectors of the same length.
    """
    first, second = _pair(x, y)
    return _cosine(_centred_ranks(first), _centred_ranks(second))


def kendall_tau_b(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b in [-1, 1]: concordant minus discordant pairs, corrected for ties on either side.

    Args:
        x: (n,) finite numbers.
        y: (n,) finite numbers.

    Returns:
        tau-b; NaN (undefined) if n < 2 or either side is constant. Memory: a few arrays of n * n bytes.

    Raises:
        ValueError: not two finite vectors of the same length.
    """
    first, second = (_order_signs(values) for values in _pair(x, y))
    untied = math.sqrt(np.count_nonzero(first)) * math.sqrt(np.count_nonzero(second))
    return float((first * second).sum(dtype=np.int64) / untied) if untied else math.nan


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"rank correlation needs two vectors of one length, got shapes {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f"rank correlation needs finite numbers, got {first} and {second}")
    return first, second


def _centred_ranks(values: FloatArray) -> FloatArray:
    """(n,) ranks minus their mean; ties share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[group]  # 1-based
    return ranks - (values.size + 1) / 2


def _cosine(a: FloatArray, b: FloatArray) -> float:
    norms = math.sqrt(a @ a) * math.sqrt(b @ b)
    return float(np.clip(a @ b / norms, -1.0, 1.0)) if norms else math.nan


def _order_signs(values: FloatArray) -> NDArray[np.int8]:
    """(n, n) int8: sign of values[i] - values[j]."""
    above = (values[:, None] > values[None, :]).astype(np.int8)
    return above - above.T

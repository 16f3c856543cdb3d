"""Success rates: Wilson's interval, also of clusters; the two-proportion z test and its normal power."""

import math
from collections.abc import Sequence
from statistics import NormalDist

from spa_lab.stats.interval import Interval, checked_level, percent

_NORMAL = NormalDist()


def wilson(k: int, n: int, *, level: float = 0.95) -> Interval:
    """Success rate with its score interval (Wilson 1927): accurate for small n and for rates near 0 and 1.

    Args:
        k: successes, 0 <= k <= n.
        n: trials, n >= 1.
        level: confidence, in (0, 1).

    Returns:
        Rates in [0, 1].

    Raises:
        ValueError: not 0 <= k <= n with n >= 1, or level is outside (0, 1).
    """
    _check_count(k, n)
    return Interval(*_score_bounds(k / n, n, level), n, f"Wilson {percent(level)}")


def clustered_wilson(k: Sequence[int], n: Sequence[int], *, level: float = 0.95) -> Interval:
    """Success rate of trials in clusters, such as several episodes of each task: Wilson with fewer trials.

    n / D in the place of the n trials in all, D >= 1 the ratio of the variance of sum k / sum n over clusters
    (linearised) to that of independent trials (Kish 1965); G where all trials end alike, or where there is
    one cluster. Clusters of one trial give the interval of `wilson`.

    Args:
        k: successes of each of G clusters.
        n: trials of each, >= 1.
        level: confidence, in (0, 1).

    Returns:
        Rates in [0, 1], n trials.

    Raises:
        ValueError: no cluster, other numbers of k and n, not 0 <= k <= n with n >= 1, or a bad level.
    """
    if len(k) != len(n) or not len(n):
        raise ValueError(f"clusters need successes and trials of at least 1, got {len(k)} and {len(n)}")
    for successes, trials in zip(k, n, strict=True):
        _check_count(successes, trials)
    total, n_clusters = sum(n), len(n)
    rate, kind = sum(k) / total, f"Wilson over {n_clusters} clusters, {percent(level)}"
    if total == n_clusters:
        return wilson(sum(k), total, level=level)
    if rate in (0.0, 1.0) or n_clusters == 1:
        return Interval(*_score_bounds(rate, n_clusters, level), total, kind)
    around = sum((successes - rate * trials) ** 2 for successes, trials in zip(k, n, strict=True))
    variance = n_clusters / (n_clusters - 1) * around / total**2
    effect = max(1.0, variance / (rate * (1 - rate) / total))
    return Interval(*_score_bounds(rate, total / effect, level), total, kind)


def two_proportion_z(k_first: int, n_first: int, k_second: int, n_second: int) -> float:
    """The z statistic of the difference of two independent success rates, pooled variance.

    Args:
        k_first: successes of the first, 0 <= k_first <= n_first.
        n_first: trials of the first, >= 1.
        k_second: successes of the second.
        n_second: trials of the second.

    Returns:
        Standard errors by which the first rate exceeds the second; NaN if both are 0 or both are 1.

    Raises:
        ValueError: not 0 <= k <= n with n >= 1.
    """
    _check_count(k_first, n_first)
    _check_count(k_second, n_second)
    pooled = (k_first + k_second) / (n_first + n_second)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_first + 1 / n_second))
    return (k_first / n_first - k_second / n_second) / error if error else math.nan


def two_proportion_power(p_first: float, p_second: float, n: int, *, level: float = 0.95) -> float:
    """Power: probability that a two-sided z test detects the difference of two rates with n trials each.

    Normal approximation; rejections on the wrong side are not counted, as usual.

    Args:
        p_first: true rate of the first, in [0, 1].
        p_second: true rate of the second, in [0, 1].
        n: trials of each, >= 1.
        level: 1 - size of the test, in (0, 1).

    Returns:
        Power in [0, 1].

    Raises:
        ValueError: a rate outside [0, 1], n < 1 or a bad level.
    """
    _check_rate(p_first, n)
    _check_rate(p_second, n)
    mean_rate = (p_first + p_second) / 2
    critical = _two_sided_z(level) * math.sqrt(2 * mean_rate * (1 - mean_rate) / n)
    surplus = abs(p_first - p_second) - critical
    error = math.sqrt((p_first * (1 - p_first) + p_second * (1 - p_second)) / n)
    if error == 0:
        return 1.0 if surplus > 0 else 0.0
    return _NORMAL.cdf(surplus / error)


def two_proportion_trials(
    p_first: float, p_second: float, *, level: float = 0.95, power: float = 0.8
) -> float:
    """Trials of each of two rates with which a two-sided z test tells them apart with the given power.

    The smallest n with `two_proportion_power(p_first, p_second, n) >= power`, for independent trials:
    episodes of two models that share no task.

    Args:
        p_first: true rate of the first, in [0, 1].
        p_second: true rate of the second, in [0, 1].
        level: 1 - size of the test, in (0, 1).
        power: probability of detecting the difference, in [0.5, 1).

    Returns:
        A whole number; infinity for equal rates.

    Raises:
        ValueError: a rate, level or power out of range.
    """
    _check_rate(p_first, 1)
    _check_rate(p_second, 1)
    if not 0.5 <= power < 1:
        raise ValueError(f"power must lie in [0.5, 1), got {power}")
    if p_first == p_second:
        return math.inf
    mean_rate = (p_first + p_second) / 2
    spread = _two_sided_z(level) * math.sqrt(2 * mean_rate * (1 - mean_rate)) + _NORMAL.inv_cdf(
        power
    ) * math.sqrt(p_first * (1 - p_first) + p_second * (1 - p_second))
    return max(1.0, float(math.ceil((spread / (p_first - p_second)) ** 2)))


def minimal_detectable_difference(n: int, p: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """Smallest difference of two rates around p that a two-sided z test detects with the given power.

    Solves `two_proportion_power(p - d / 2, p + d / 2, n) = power` for d, a quadratic.

    Args:
        n: trials of each arm, >= 1.
        p: mean of the two rates, in [0, 1].
        level: 1 - size of the test, in (0, 1).
        power: probability of detecting it, in [0.5, 1).

    Returns:
        d, a fraction; infinity if no two rates around p differ enough.

    Raises:
        ValueError: p outside [0, 1], n < 1, or level or power out of range.
    """
    _check_rate(p, n)
    if not 0.5 <= power < 1:
        raise ValueError(f"power must lie in [0.5, 1), got {power}")
    z = _NORMAL.inv_cdf(power)
    variance = 2 * p * (1 - p) / n
    critical = _two_sided_z(level) * math.sqrt(variance)
    # (d - critical)^2 = z^2 (variance - d^2 / 2n), the larger root
    lead = 1 + z * z / (2 * n)
    discriminant = critical**2 - lead * (critical**2 - z * z * variance)
    if discriminant < 0:
        return math.inf
    difference = (critical + math.sqrt(discriminant)) / lead
    return difference if 0 < difference <= 2 * min(p, 1 - p) else math.inf


def _two_sided_z(level: float) -> float:
    return _NORMAL.inv_cdf((1 + checked_level(level)) / 2)


def _score_bounds(rate: float, n: float, level: float) -> tuple[float, float, float]:
    """Low bound, rate and high bound of Wilson's interval, n trials."""
    z = _two_sided_z(level)
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if rate == 0 else centre - half  # exactly 0 and 1 at the ends, despite rounding
    high = 1.0 if rate == 1 else centre + half
    return low, rate, high


def _check_count(k: int, n: int) -> None:
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"needs 0 <= k <= n and n >= 1, got k = {k}, n = {n}")


def _check_rate(p: float, n: int) -> None:
    if n < 1 or not 0 <= p <= 1:
        raise ValueError(f"needs a rate in [0, 1] and n >= 1, got p = {p}, n = {n}")

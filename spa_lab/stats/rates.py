"""Success rates: Wilson's interval, the two-proportion test and its power. Normal approximations."""

import math
from statistics import NormalDist

from spa_lab.stats.interval import Interval, checked_level, percent

_NORMAL = NormalDist()


def wilson(k: int, n: int, *, level: float = 0.95) -> Interval:
    """Success rate with its score interval (Wilson 1927): sound for small n and for rates near 0 and 1.

    Args:
        k: successes, 0 <= k <= n.
        n: trials, n >= 1.
        level: confidence, in (0, 1).

    Returns:
        Rates in [0, 1].

    Raises:
        ValueError: k or n is no such count, or level is outside (0, 1).
    """
    _check_count(k, n)
    z = _two_sided_z(level)
    rate = k / n
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if k == 0 else centre - half  # exactly 0 and 1 at the ends; rounding would miss them
    high = 1.0 if k == n else centre + half
    return Interval(low, rate, high, n, f"Wilson {percent(level)}")


def two_proportion_z(k_one: int, n_one: int, k_other: int, n_other: int) -> float:
    """The z statistic of the difference of two independent success rates, pooled variance.

    Args:
        k_one: successes of the first, 0 <= k_one <= n_one.
        n_one: trials of the first, >= 1.
        k_other: successes of the second.
        n_other: trials of the second.

    Returns:
        Standard errors by which the first rate is above the second; NaN if both are 0 or both are 1.

    Raises:
        ValueError: a pair is no count of successes among trials.
    """
    _check_count(k_one, n_one)
    _check_count(k_other, n_other)
    pooled = (k_one + k_other) / (n_one + n_other)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_one + 1 / n_other))
    return (k_one / n_one - k_other / n_other) / error if error else math.nan


def two_proportion_power(p_one: float, p_other: float, n: int, *, level: float = 0.95) -> float:
    """Chance that a two-sided z test finds the difference of two rates with n trials each.

    Normal approximation; the wrong-sided rejection is left out, as usual.

    Args:
        p_one: true rate of the first, in [0, 1].
        p_other: true rate of the second, in [0, 1].
        n: trials of each, >= 1.
        level: 1 - size of the test, in (0, 1).

    Returns:
        Power in [0, 1].

    Raises:
        ValueError: a rate outside [0, 1], n < 1 or a bad level.
    """
    _check_rate(p_one, n)
    _check_rate(p_other, n)
    mean_rate = (p_one + p_other) / 2
    critical = _two_sided_z(level) * math.sqrt(2 * mean_rate * (1 - mean_rate) / n)
    surplus = abs(p_one - p_other) - critical
    error = math.sqrt((p_one * (1 - p_one) + p_other * (1 - p_other)) / n)
    if error == 0:
        return 1.0 if surplus > 0 else 0.0
    return _NORMAL.cdf(surplus / error)


def minimal_detectable_difference(n: int, p: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """Smallest difference of two rates around p that a two-sided z test finds with the given power.

    Solves `two_proportion_power(p - d / 2, p + d / 2, n) = power` for d, a quadratic.

    Args:
        n: trials of each arm, >= 1.
        p: mean of the two rates, in [0, 1].
        level: 1 - size of the test, in (0, 1).
        power: wanted chance of finding it, in [0.5, 1).

    Returns:
        d, a fraction; infinity where no two rates around p differ enough.

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
    found = (critical + math.sqrt(discriminant)) / lead
    return found if 0 < found <= 2 * min(p, 1 - p) else math.inf


def _two_sided_z(level: float) -> float:
    return _NORMAL.inv_cdf((1 + checked_level(level)) / 2)


def _check_count(k: int, n: int) -> None:
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"needs 0 <= k <= n and n >= 1, got k = {k}, n = {n}")


def _check_rate(p: float, n: int) -> None:
    if n < 1 or not 0 <= p <= 1:
        raise ValueError(f"needs a rate in [0, 1] and n >= 1, got p = {p}, n = {n}")

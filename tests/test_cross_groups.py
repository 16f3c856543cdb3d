"""Products of different groups: unbiased, and intervals that hold with and without a signal."""

import numpy as np
import pytest

from spa_lab.stats.cross_groups import cross_group_mean, resampled_deviations


def _covered(mean: np.ndarray, groups: int, repeats: int) -> tuple[float, float, float]:
    """Mean of the estimates of |mean|^2, and the mean variance of resamples over the actual variance."""
    rng = np.random.default_rng(0)
    points, variances, inside = [], [], []
    for _ in range(repeats):
        vectors = mean + rng.normal(size=(groups, len(mean)))
        values = cross_group_mean(vectors @ vectors.T, resampled_deviations(groups, 300, rng))
        low, high = np.quantile(values[1:], [0.025, 0.975])
        points.append(values[0])
        variances.append(values[1:].var())
        inside.append(low <= mean @ mean <= high)
    return float(np.mean(points)), float(np.mean(variances) / np.var(points)), float(np.mean(inside))


@pytest.mark.parametrize("groups, held", [(30, 0.88), (8, 0.8)])
@pytest.mark.parametrize("size", [0.0, 0.3, 3.0])
def test_unbiased_with_the_right_variance(size: float, groups: int, held: float) -> None:
    """No signal (degenerate), one like the noise of the mean, and one far above it."""
    mean = np.full(20, size / np.sqrt(20))
    point, ratio, inside = _covered(mean, groups, repeats=250)
    assert point == pytest.approx(size**2, abs=(0.09 + 0.02 * size) * 30 / groups)
    assert 0.75 < ratio < 1.35
    assert inside >= held


def test_the_statistic_is_that_of_all_pairs_of_different_groups() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 6, 3))
    expected = np.mean([first[g] @ second[h] for g in range(6) for h in range(6) if g != h])
    deviations = resampled_deviations(6, 5, rng)
    assert deviations.shape == (6, 6) and (deviations.sum(axis=1) == 0).all()
    assert cross_group_mean(first @ second.T, deviations)[0] == pytest.approx(expected)


def test_what_cannot_be_resampled() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="got 1 groups and 5 resamples"):
        resampled_deviations(1, 5, rng)
    with pytest.raises(ValueError, match=r"at least 4 groups .*\(3, 3\) and \(2, 3\)"):
        cross_group_mean(np.eye(3), np.zeros((2, 3)))

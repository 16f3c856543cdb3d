"""Statistics of methods over seeds and tasks: values by hand, scipy, and simulations with known answers."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.stats import (
    DifferenceVariance,
    difference_variance,
    holm,
    improvement_interval,
    iqm,
    paired_bootstrap,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
    two_proportion_power,
    two_proportion_trials,
)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_probability_of_improvement_by_hand() -> None:
    # task 1: 3 > 1, 3 > 2, 2 > 1, 2 = 2: 3.5 of 4; task 2: none of 4
    assert probability_of_improvement([[3, 0], [2, 0]], [[1, 5], [2, 5]]) == (3.5 / 4 + 0) / 2
    assert probability_of_improvement([[1.0, 2.0]], [[1.0, 2.0]]) == 0.5


_matrices = st.integers(1, 3).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.lists(st.integers(0, 4), min_size=n, max_size=n), min_size=1, max_size=5)] * 2
    )
)


@given(_matrices)
def test_probability_of_improvement_is_that_of_mann_whitney(matrices) -> None:
    ours, theirs = (np.array(side, dtype=float) for side in matrices)
    by_task = [
        scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic
        if np.ptp([*x, *y])
        else len(x) * len(y) / 2
        for x, y in zip(ours.T, theirs.T, strict=True)
    ]
    expected = np.mean(by_task) / (len(ours) * len(theirs))
    assert probability_of_improvement(ours, theirs) == pytest.approx(expected, abs=1e-12)


def test_improvement_interval() -> None:
    better = improvement_interval([[1.0, 1.0]] * 3, [[0.0, 0.0]] * 3, rng=_rng(), resamples=50)
    assert (better.low, better.point, better.high, better.n) == (1.0, 1.0, 1.0, 2)
    same = improvement_interval(*_rng().normal(size=(2, 8, 6)), rng=_rng(), resamples=500)
    assert same.low < 0.5 < same.high and "8 and 8 seeds" in same.method
    with pytest.raises(ValueError, match="at least 2 seeds a side, got 1 and 3"):
        improvement_interval([[1.0]], [[1.0]] * 3, rng=_rng())
    with pytest.raises(ValueError, match="ours has 2 tasks, theirs 1"):
        probability_of_improvement([[1.0, 2.0]], [[1.0]])


def test_performance_profile_by_hand() -> None:
    scores = np.array([[0.1, 0.5], [0.3, 0.5]])
    profile = performance_profile(scores, [0.0, 0.1, 0.3, 0.4, 0.5], rng=_rng(), resamples=400)
    # strictly above: all 4; 3; the two of task 2; the same; none
    assert [interval.point for interval in profile] == [1.0, 0.75, 0.5, 0.5, 0.0]
    assert all(interval.low <= interval.point <= interval.high for interval in profile)
    assert (profile[1].low, profile[1].high) == (0.5, 1.0)  # task 1 may be drawn twice from either seed
    assert profile[3].low == profile[3].high == 0.5 and profile[0].n == 4
    with pytest.raises(ValueError, match="at least 2 seeds, got 1"):
        performance_profile([[0.1]], [0.0], rng=_rng())


def test_the_area_of_a_profile_is_the_mean() -> None:
    scores = _rng().uniform(size=(5, 7))
    grid = (np.arange(4000) + 0.5) / 4000
    points = [interval.point for interval in performance_profile(scores, grid, rng=_rng(), resamples=1)]
    assert np.mean(points) == pytest.approx(scores.mean(), abs=1e-3)


def test_tasks_can_be_resampled_with_the_seeds() -> None:
    # seeds agree: with tasks held fixed nothing varies, with tasks resampled the spread is that of the tasks
    scores = np.tile(_rng().normal(size=40), (4, 1))
    fixed = stratified_bootstrap(scores, np.mean, rng=_rng(), resamples=200)
    drawn = stratified_bootstrap(scores, np.mean, rng=_rng(), resamples=4000, tasks_too=True)
    assert fixed.low == pytest.approx(fixed.high)
    error = scores[0].std() / math.sqrt(40)
    assert drawn.high - drawn.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert drawn.method == "stratified bootstrap, 4 seeds and 40 tasks, 95 %"


def test_iqm_over_seeds_and_tasks_is_that_of_the_flat_matrix() -> None:
    scores = _rng().uniform(size=(5, 6))
    interval = stratified_bootstrap(scores, iqm, rng=_rng(), resamples=100)
    assert interval.point == pytest.approx(scipy.stats.trim_mean(scores, 0.25, axis=None))


def test_the_p_value_belongs_to_the_interval() -> None:
    for shift in np.linspace(-0.6, 0.6, 13):
        ours = _rng(3).normal(size=(3, 50)) + shift
        made = paired_difference(ours, np.zeros_like(ours), rng=_rng(), resamples=2000)
        assert made.interval == paired_bootstrap(ours, np.zeros_like(ours), rng=_rng(), resamples=2000)
        excluded = made.interval.low > 0 or made.interval.high < 0
        assert (made.p <= 0.05) == excluded or made.p == pytest.approx(0.05, abs=0.002)
    assert paired_difference([1.0], [0.0], rng=_rng(), resamples=100).p == 1.0, "one pair says nothing"
    assert paired_difference([1.0] * 3, [0.0] * 3, rng=_rng(), resamples=999).p == 0.25, "as a sign test"
    nothing = paired_difference([0.0, 0.0], [0.0, 0.0], rng=_rng(), resamples=100)
    assert nothing.p == 1.0
    clear = paired_difference(np.ones(20), np.zeros(20), rng=_rng(), resamples=999)
    assert clear.p == 2 / 1000  # no resample contradicts


def test_p_values_of_no_difference_are_rarely_small() -> None:
    rng = _rng(1)
    p = [paired_difference(rng.normal(size=60), np.zeros(60), rng=rng, resamples=199).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.035)  # 3 standard errors


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04: times 4, 3, 2, 1 = .04 .06 .06 .04, none below the one before
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == [] and holm([0.7]) == [0.7] and holm([0.9, 0.8]) == [1.0, 1.0]
    adjusted = holm([0.01, math.nan, 0.02])
    assert adjusted[0] == 0.02 and math.isnan(adjusted[1]) and adjusted[2] == 0.02
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got 1.5"):
        holm([0.1, 1.5])


def test_variance_components_are_recovered() -> None:
    rng = _rng()
    found = []
    for _ in range(200):
        difference = (
            rng.normal(0, 0.3, (6, 1)) + rng.normal(0, 0.5, (1, 40)) + rng.normal(0, 0.8, (6, 40)) + 0.1
        )
        made = difference_variance(difference, np.zeros((6, 40)))
        found.append((made.seed, made.task, made.rest))
    np.testing.assert_allclose(np.mean(found, axis=0), [0.09, 0.25, 0.64], rtol=0.1)


def test_variance_of_two_seeds_and_two_tasks_by_hand() -> None:
    # rows 1, 3: mean square of seeds 2 * 2 = 4; columns 2, 2: 0; rest 0 -> seed (4 - 0) / 2
    made = difference_variance([[1.0, 1.0], [3.0, 3.0]], np.zeros((2, 2)))
    assert made == DifferenceVariance(seed=2.0, task=0.0, rest=0.0)
    with pytest.raises(ValueError, match=r"at least 2 seeds and 2 tasks, got \(1, 2\)"):
        difference_variance([[1.0, 1.0]], [[0.0, 0.0]])


def test_needed_numbers_reach_the_power_and_no_smaller_ones_do() -> None:
    variance = DifferenceVariance(seed=0.0004, task=0.05, rest=0.15)
    tasks = variance.tasks_needed(0.05, 5)
    assert variance.detectable(5, int(tasks)) <= 0.05 < variance.detectable(5, int(tasks) - 1)
    seeds = variance.seeds_needed(0.05, 256)
    assert variance.detectable(int(seeds), 256) <= 0.05 < variance.detectable(int(seeds) - 1, 256)
    assert variance.tasks_needed(0.015, 5) == math.inf  # the spread over 5 seeds alone is too large
    with pytest.raises(ValueError, match="margin must be > 0, got 0"):
        variance.tasks_needed(0, 5)


def test_needed_tasks_agree_with_simulation() -> None:
    variance, rng = DifferenceVariance(0.0, 0.0, 0.25), _rng()
    tasks = int(variance.tasks_needed(0.1, 2, power=0.8))
    means = rng.normal(0.1, variance.standard_error(2, tasks), size=4000)
    assert np.mean(np.abs(means) / variance.standard_error(2, tasks) > 1.96) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("first", "second"), [(0.791, 0.776), (0.791, 0.739), (0.5, 0.6), (0.0, 1.0)])
def test_two_proportion_trials_are_the_fewest(first: float, second: float) -> None:
    n = int(two_proportion_trials(first, second))
    assert two_proportion_power(first, second, n) >= 0.8
    assert n == 1 or two_proportion_power(first, second, n - 1) < 0.8 or n <= 2
    assert two_proportion_trials(first, first) == math.inf


def test_the_papers_margin_needs_thousands_of_games() -> None:
    """79.1 against 77.6 %: 134 games are far too few for two independent evaluations."""
    assert 11_000 < two_proportion_trials(0.791, 0.776) < 13_000
    assert two_proportion_power(0.791, 0.776, 134) < 0.07

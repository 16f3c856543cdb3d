import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.stats import (
    Interval,
    bootstrap,
    clustered_wilson,
    crossed_bootstrap,
    iqm,
    kendall_tau_b,
    minimal_detectable_difference,
    paired_bootstrap,
    paired_difference,
    spearman,
    stratified_bootstrap,
    two_proportion_power,
    two_proportion_z,
    wilson,
)


def _rng():
    return np.random.default_rng(0)


def test_interval_refuses_swapped_bounds():
    with pytest.raises(ValueError, match=r"low 0.9 is above high 0.1"):
        Interval(0.9, 0.5, 0.1, 10, "hand")


def test_interval_as_text():
    assert str(Interval(0.715, 0.791, 0.851, 134, "hand")) == "0.791 [0.715, 0.851] (n = 134)"


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (106, 134, 71.5, 85.1),
        (104, 134, 69.8, 83.8),
        (101, 134, 67.4, 81.9),
        (99, 134, 65.9, 80.6),
        (132, 247, 47.2, 59.6),
        (23, 24, 79.8, 99.3),
    ],
)
def test_wilson_known_table(k, n, low, high):
    interval = wilson(k, n)
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (low, high)
    assert interval.point == k / n and interval.n == n
    assert interval.method == "Wilson 95 %"


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_wilson_agrees_with_scipy(k_and_n, level):
    k, n = k_and_n
    ours = wilson(k, n, level=level)
    theirs = scipy.stats.binomtest(k, n).proportion_ci(level, method="wilson")
    np.testing.assert_allclose([ours.low, ours.high], [theirs.low, theirs.high], rtol=0, atol=1e-9)
    assert 0 <= ours.low <= ours.point <= ours.high <= 1


def test_clusters_of_one_trial_are_trials():
    assert clustered_wilson([1, 0, 1], [1, 1, 1]) == wilson(2, 3)


def test_clusters_that_agree_count_as_one_trial_each():
    alike = clustered_wilson([8, 0, 8, 0], [8, 8, 8, 8])
    assert alike.point == 0.5 and alike.n == 32 and alike.method == "Wilson over 4 clusters, 95 %"
    # the variance of 4 clusters estimates that of 3 independent trials: divided by G - 1
    assert (alike.low, alike.high) == pytest.approx(wilson_of(0.5, 3))
    assert clustered_wilson([5, 5], [5, 5]).low == wilson(2, 2).low
    mixed = clustered_wilson([1, 1, 1, 1], [2, 2, 2, 2])
    assert mixed.low == wilson(4, 8).low  # never narrower than of independent trials


def wilson_of(rate, n):
    """Both bounds for any real n, by solving (p - q)^2 = z^2 q (1 - q) / n for q."""
    z = scipy.stats.norm.ppf(0.975)
    roots = np.roots([1 + z * z / n, -2 * rate - z * z / n, rate * rate])
    return tuple(sorted(roots.real))


def test_intervals_of_clusters_cover():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        of_task = rng.beta(0.3, 0.3, size=50)
        interval = clustered_wilson(rng.binomial(8, of_task).tolist(), [8] * 50)
        covered.append(interval.low <= 0.5 <= interval.high)
    assert 0.9 < np.mean(covered) < 0.99


@pytest.mark.parametrize(("k", "n"), [([], []), ([1], [1, 2]), ([3], [2]), ([0], [0])])
def test_clusters_that_cannot_be_are_refused(k, n):
    with pytest.raises(ValueError, match="got"):
        clustered_wilson(k, n)


def test_wilson_ends_are_exact():
    assert wilson(0, 7).low == 0.0 and wilson(7, 7).high == 1.0


@pytest.mark.parametrize(("k", "n"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_refuses_invalid_counts(k, n):
    with pytest.raises(ValueError, match=f"k = {k}, n = {n}"):
        wilson(k, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_levels_are_fractions(level):
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level=level)
    with pytest.raises(ValueError, match="level"):
        bootstrap([1.0, 2.0], np.mean, rng=_rng(), level=level)


def test_bootstrap_of_the_mean_matches_the_normal_interval():
    values = _rng().normal(3.0, 2.0, size=400)
    interval = bootstrap(values, np.mean, rng=_rng(), resamples=4000)
    half = 1.96 * values.std() / math.sqrt(400)
    np.testing.assert_allclose(
        [interval.low, interval.high], [values.mean() - half, values.mean() + half], rtol=0, atol=0.02
    )
    assert interval.point == values.mean() and interval.n == 400
    assert interval.method == "bootstrap, 95 %"


def test_bootstrap_coverage():
    rng = _rng()
    hits = 0
    for _ in range(300):
        interval = bootstrap(rng.normal(size=40), np.mean, rng=rng, level=0.9, resamples=200)
        hits += interval.low <= 0.0 <= interval.high
    assert 0.83 <= hits / 300 <= 0.95  # 0.9 plus or minus 4 standard errors, a little below for n = 40


def test_bootstrap_keeps_rows_together():
    rows = np.column_stack([np.arange(20), 2 * np.arange(20)])  # a perfect rank correlation in every resample
    interval = bootstrap(rows, lambda r: spearman(r[:, 0], r[:, 1]), rng=_rng(), resamples=50)
    np.testing.assert_allclose([interval.low, interval.high], 1.0, rtol=0, atol=1e-12)


def test_bootstrap_follows_its_generator():
    values = _rng().normal(size=10)
    assert bootstrap(values, np.mean, rng=_rng()) == bootstrap(values, np.mean, rng=_rng())
    other = bootstrap(values, np.mean, rng=np.random.default_rng(1))
    assert other != bootstrap(values, np.mean, rng=_rng())


def test_bootstrap_counts_undefined_resamples():
    values = np.array([0.0, 1.0, 1.0])  # all three equal in 1/27 + 8/27 of the resamples

    def spread(rows):
        return math.nan if rows.min() == rows.max() else float(rows.mean())

    interval = bootstrap(values, spread, rng=_rng(), resamples=600)
    lost = int(interval.method.split(", ")[2].split(" ")[0])
    assert 150 < lost < 250  # 600 / 3, standard error 11.5
    assert not math.isnan(interval.low)


def test_undefined_stays_undefined():
    interval = bootstrap([1.0, 2.0], lambda rows: math.nan, rng=_rng(), resamples=10)
    assert all(math.isnan(x) for x in (interval.low, interval.point, interval.high))


@pytest.mark.parametrize("values", [[], 3.0])
def test_bootstrap_needs_rows(values):
    with pytest.raises(ValueError, match="at least 1 row"):
        bootstrap(values, np.mean, rng=_rng())


def test_bootstraps_need_resamples():
    for call in (
        lambda: bootstrap([1.0], np.mean, rng=_rng(), resamples=0),
        lambda: stratified_bootstrap(np.ones((2, 2)), np.mean, rng=_rng(), resamples=0),
        lambda: paired_bootstrap([1.0], [1.0], rng=_rng(), resamples=0),
    ):
        with pytest.raises(ValueError, match="resamples must be >= 1, got 0"):
            call()


def test_stratified_bootstrap_resamples_within_tasks():
    # seeds agree on every task: repeating the training changes nothing, however the tasks differ
    scores = np.tile(np.arange(5.0), (3, 1))
    interval = stratified_bootstrap(scores, np.mean, rng=_rng(), resamples=100)
    assert (interval.low, interval.point, interval.high) == (2.0, 2.0, 2.0)
    assert interval.n == 15 and "3 seeds" in interval.method


def test_stratified_bootstrap_has_the_known_spread():
    scores = _rng().normal(size=(10, 30))
    interval = stratified_bootstrap(scores, np.mean, rng=_rng(), resamples=4000)
    error = math.sqrt((scores.var(axis=0) / 10).sum()) / 30  # of the mean of independent column means
    np.testing.assert_allclose(interval.high - interval.low, 2 * 1.96 * error, rtol=0.06)


def test_stratified_bootstrap_refuses_one_seed():
    with pytest.raises(ValueError, match="at least 2 seeds, got 1 for 4 tasks"):
        stratified_bootstrap(np.ones((1, 4)), np.mean, rng=_rng())


@pytest.mark.parametrize("scores", [[1.0, 2.0], np.ones((2, 0)), np.ones((2, 2, 2))])
def test_stratified_bootstrap_needs_a_matrix(scores):
    with pytest.raises(ValueError, match="shape"):
        stratified_bootstrap(scores, np.mean, rng=_rng())


def test_scores_must_be_finite():
    scores = np.ones((2, 3))
    scores[1, 2] = math.nan
    with pytest.raises(ValueError, match="seed 1, task 2"):
        stratified_bootstrap(scores, np.mean, rng=_rng())


def test_pairing_cancels_what_is_hard_for_both():
    difficulty = _rng().normal(0, 10, size=50)
    interval = paired_bootstrap(difficulty + 1, difficulty, rng=_rng(), resamples=200)
    np.testing.assert_allclose([interval.low, interval.point, interval.high], 1.0, rtol=0, atol=1e-9)
    assert interval.n == 50 and interval.method == "paired bootstrap over tasks, 95 %"


@pytest.mark.parametrize(("ours", "theirs", "point"), [(1.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, 1.0, -1.0)])
def test_pairs_that_all_differ_alike_leave_room_for_others(ours, theirs, point):
    made = paired_difference(np.full((2, 16), ours), np.full((2, 16), theirs), rng=_rng(), resamples=50)
    other = 1 - wilson(16, 16).low
    assert made.interval.point == point and made.interval.n == 16
    assert made.interval.low == pytest.approx(max(-1.0, point - other * (1 + abs(point))))
    assert made.interval.high == pytest.approx(min(1.0, point + other * (1 + abs(point))))
    assert made.interval.method == "Wilson's bound of tasks whose pairs all differ alike, 95 %"
    returns = paired_difference(np.full(16, 7.0), np.full(16, 7.0), rng=_rng(), resamples=50).interval
    assert (returns.low, returns.high) == (0.0, 0.0), "of scores without bounds nothing is known"


def test_seeds_do_not_make_few_tasks_more():
    alike = paired_difference(np.ones((5, 3)), np.zeros((5, 3)), rng=_rng(), resamples=500)
    assert alike.p == 2.0 ** (1 - 3), "a sign test of 3 tasks"
    with_a_tie = np.ones((5, 3))
    with_a_tie[0, 0] = 0
    assert paired_difference(with_a_tie, np.zeros((5, 3)), rng=_rng(), resamples=500).p == 0.25


def test_paired_bootstrap_over_tasks_has_the_known_width():
    difference = _rng().normal(size=200)
    interval = paired_bootstrap(difference, np.zeros(200), rng=_rng())
    np.testing.assert_allclose(
        interval.high - interval.low, 2 * 1.96 * difference.std() / math.sqrt(200), rtol=0.05
    )


def test_seeds_that_disagree_widen_the_interval():
    seed_effect = np.array([[-0.5], [0.0], [0.5], [0.0]])
    scores = np.zeros((4, 60)) + seed_effect
    crossed = paired_bootstrap(scores, np.zeros_like(scores), rng=_rng())
    fixed = paired_bootstrap(scores.mean(axis=0), np.zeros(60), rng=_rng())
    error = seed_effect.std() / math.sqrt(4)
    np.testing.assert_allclose(crossed.high - crossed.low, 2 * 1.96 * error, rtol=0.15)
    assert fixed.high == -fixed.low == pytest.approx(1 - wilson(60, 60).low), "no task differs"
    assert crossed.method == "paired bootstrap over tasks and 4 seeds, 95 %"


def test_tasks_are_resampled_with_all_their_seeds():
    # seeds repeat each other: more seeds must not narrow the interval over tasks
    difference = _rng().normal(size=80)
    one = paired_bootstrap(difference, np.zeros(80), rng=_rng())
    many = paired_bootstrap(np.tile(difference, (5, 1)), np.zeros((5, 80)), rng=_rng())
    np.testing.assert_allclose(many.high - many.low, one.high - one.low, rtol=0.05)


def test_a_mean_is_a_difference_from_zero():
    scores = _rng().normal(size=(3, 40))
    alone = crossed_bootstrap(scores, rng=_rng(), resamples=500)
    paired = paired_bootstrap(scores, np.zeros_like(scores), rng=_rng(), resamples=500)
    assert (alone.low, alone.point, alone.high) == (paired.low, paired.point, paired.high)
    assert (alone.n, alone.method) == (40, "bootstrap over tasks and 3 seeds, 95 %")
    with pytest.raises(ValueError, match=r"scores: expected \(seeds, tasks\)"):
        crossed_bootstrap([], rng=_rng())


def test_one_row_is_a_vector_of_tasks():
    row = paired_bootstrap([[1.0, 2.0, 4.0]], [[0.0, 0.0, 0.0]], rng=_rng(), resamples=50)
    assert row.method == "paired bootstrap over tasks, 95 %"
    assert row.n == 3


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([1.0, 2.0], [1.0]), (np.ones((2, 3)), np.ones((3, 2))), ([], []), (np.ones((1, 1, 1)),) * 2],
)
def test_paired_scores_must_fit(ours, theirs):
    with pytest.raises(ValueError, match=r"shape"):
        paired_bootstrap(ours, theirs, rng=_rng())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5], 5),
        ([1, 2, 3], 2),  # floor(3 / 4) = 0: nothing is cut
        ([100, 1, 2, -50], 1.5),
        (range(8), 3.5),
        ([[0, 10], [20, 1000]], 15),
    ],
)
def test_iqm_by_hand(values, expected):
    assert iqm(list(values)) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_iqm_is_the_trimmed_mean(values):
    np.testing.assert_allclose(iqm(values), scipy.stats.trim_mean(values, 0.25), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_iqm_refuses_empty_and_nan(values):
    with pytest.raises(ValueError, match="iqm"):
        iqm(values)


def test_rank_correlations_by_hand():
    # ranks 1 2 3 4 against 2 1 4 3: four of six pairs agree, sum of squared differences 4
    assert kendall_tau_b([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(2 / 6)
    assert spearman([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(1 - 6 * 4 / (4 * 15))
    # one tie on the left: 2 pairs agree, none disagree, sqrt(2 * 3) pairs count
    assert kendall_tau_b([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(6))
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(1.5 / math.sqrt(1.5 * 2))


_pairs = st.integers(2, 30).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-3, 3), min_size=n, max_size=n)] * 2)
)


@given(_pairs)
def test_rank_correlations_agree_with_scipy(pair):
    x, y = pair
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(spearman(x, y)) and math.isnan(kendall_tau_b(x, y))
        return
    assert spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)
    assert kendall_tau_b(x, y) == pytest.approx(scipy.stats.kendalltau(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("correlation", [spearman, kendall_tau_b])
def test_rank_correlations_of_long_vectors(correlation):
    rng = _rng()
    x = rng.integers(50, size=700)
    y = x + rng.integers(80, size=700)
    oracle = {spearman: scipy.stats.spearmanr, kendall_tau_b: scipy.stats.kendalltau}[correlation]
    assert correlation(x, y) == pytest.approx(oracle(x, y).statistic, abs=1e-12)
    assert correlation(x, x) == pytest.approx(1.0) and correlation(x, -x) == pytest.approx(-1.0)


@pytest.mark.parametrize("correlation", [spearman, kendall_tau_b])
@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([1, math.nan], [1, 2])])
def test_rank_correlations_refuse_invalid_vectors(correlation, x, y):
    with pytest.raises(ValueError, match="rank correlation needs"):
        correlation(x, y)


@pytest.mark.parametrize("correlation", [spearman, kendall_tau_b])
@pytest.mark.parametrize("n", [0, 1])
def test_rank_correlation_of_fewer_than_two_is_undefined(correlation, n):
    assert math.isnan(correlation([1.0] * n, [2.0] * n))


@pytest.mark.parametrize(("k", "z"), [(104, 0.30), (101, 0.73), (99, 1.01)])
def test_published_alfworld_differences_are_not_significant(k, z):
    assert round(two_proportion_z(106, 134, k, 134), 2) == z
    assert two_proportion_z(k, 134, 106, 134) == -two_proportion_z(106, 134, k, 134)


@pytest.mark.parametrize("k", [0, 5])
def test_z_of_two_certain_rates_is_undefined(k):
    assert math.isnan(two_proportion_z(k, 5, k, 5))


def test_two_proportion_z_squared_is_chi_square():
    table = [[30, 20], [18, 42]]
    chi_square = scipy.stats.chi2_contingency(table, correction=False).statistic
    assert two_proportion_z(30, 50, 18, 60) ** 2 == pytest.approx(chi_square)


def test_panel_of_134_games_needs_about_15_points():
    assert 0.14 < minimal_detectable_difference(134, 0.75) < 0.15


@pytest.mark.parametrize(
    ("n", "p", "power"), list(itertools.product([30, 134, 1000], [0.3, 0.5, 0.75], [0.5, 0.8, 0.9]))
)
def test_detectable_difference_has_the_requested_power(n, p, power):
    d = minimal_detectable_difference(n, p, power=power)
    assert two_proportion_power(p - d / 2, p + d / 2, n) == pytest.approx(power, abs=1e-9)


def test_too_few_trials_detect_nothing():
    assert minimal_detectable_difference(1, 0.5) == math.inf
    assert minimal_detectable_difference(10, 0.95) == math.inf  # no rate above 1
    assert (
        minimal_detectable_difference(100, 1.0) == math.inf or minimal_detectable_difference(100, 1.0) == 0.0
    )


def test_power_agrees_with_simulation():
    rng = _rng()
    one, other = rng.binomial(134, 0.65, 4000), rng.binomial(134, 0.80, 4000)
    z = np.array([two_proportion_z(int(b), 134, int(a), 134) for a, b in zip(one, other, strict=True)])
    assert (z > 1.96).mean() == pytest.approx(two_proportion_power(0.65, 0.80, 134), abs=0.03)


def test_power_of_certainties():
    assert two_proportion_power(0.0, 1.0, 20) == 1.0
    assert two_proportion_power(0.0, 1.0, 1) == 0.0  # one trial each decides nothing
    assert two_proportion_power(0.0, 0.0, 20) == 0.0


@pytest.mark.parametrize(("p", "n"), [(-0.1, 10), (1.1, 10), (0.5, 0)])
def test_power_refuses_invalid_rates(p, n):
    with pytest.raises(ValueError, match=f"p = {p}, n = {n}"):
        two_proportion_power(p, 0.5, n)
    with pytest.raises(ValueError, match=f"p = {p}, n = {n}"):
        minimal_detectable_difference(n, p)


def test_requested_power_must_be_reachable():
    with pytest.raises(ValueError, match="got 1"):
        minimal_detectable_difference(10, 0.5, power=1.0)

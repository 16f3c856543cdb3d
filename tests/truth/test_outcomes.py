"""Outcomes of branches: means, errors that never claim certainty, halves, and where a budget goes."""

import math

import numpy as np
import pytest

from spa_lab.stats import wilson
from spa_lab.truth.allocation import allocate
from spa_lab.truth.outcomes import BranchOutcomes, smoothed_variance


def _outcomes(*steps: object, outcome: float = 1.0, common: bool = False) -> BranchOutcomes:
    vectors = tuple(np.array(step, dtype=float) for step in steps)
    return BranchOutcomes("t1", outcome, vectors, "tiny", 9, common, 5)


def test_values_are_means_and_end_with_the_outcome() -> None:
    one = _outcomes([0, 1, 1, 1], [0.5, 1.0], outcome=0.25)
    assert one.values.tolist() == [0.75, 0.75, 0.25]
    assert one.progress.tolist() == [0.0, -0.5]
    assert one.counts.tolist() == [4, 2]
    truth = one.to_truth()
    assert (truth.trajectory_id, truth.branches, truth.policy, truth.step_cap) == ("t1", 2, "tiny", 9)
    assert truth.values.tolist() == one.values.tolist()
    assert truth.standard_error.tolist() == one.standard_error.tolist()


def test_standard_error_by_hand() -> None:
    """One 0 and one 1 put in: 0 of 64 is 1 of 66, 32 of 64 stays a half."""
    error = _outcomes([0] * 64, [0, 1] * 32, [1] * 64).standard_error
    one_of_66 = math.sqrt(1 / 66 * 65 / 66 / 64)
    assert error == pytest.approx([one_of_66, 0.5 / 8, one_of_66, 0.0])
    assert one_of_66 == pytest.approx(0.0153, abs=1e-4)


def test_standard_error_lies_between_the_plain_one_and_the_largest_possible() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 64):
        for values in (rng.random((50, n)), rng.integers(0, 2, (50, n)).astype(float)):
            for x in values:
                assert np.var(x) <= smoothed_variance(x) + 1e-12
                assert 0 < smoothed_variance(x) <= 0.25


def test_interval_is_wilsons() -> None:
    one = _outcomes([0] * 9 + [1], [0] * 7, [1] * 3, outcome=1.0)
    found = one.interval()
    for row, (k, n) in zip(found, [(1, 10), (0, 7), (3, 3)], strict=False):
        expected = wilson(k, n)
        assert row == pytest.approx([expected.low, expected.high], abs=1e-12)
    assert found[-1].tolist() == [1.0, 1.0]


def test_an_interval_of_graded_outcomes_covers() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        (low, high), _ = _outcomes(rng.choice([0.0, 0.5, 1.0], size=30, p=[0.6, 0.3, 0.1])).interval()
        covered.append(low <= 0.25 <= high)
    assert np.mean(covered) >= 0.94


def test_common_numbers_make_progress_surer() -> None:
    """Two steps whose branches end alike differ by nothing but the pseudo-outcomes; independent ones do."""
    same = [0, 1, 1, 0] * 10
    independent, common = (_outcomes(same, same, common=c).progress_error for c in (False, True))
    assert independent[0] == pytest.approx(math.sqrt(2 * 0.25 / 40))
    assert common[0] == pytest.approx(0, abs=1e-6)
    assert independent[1] == common[1] == pytest.approx(0.5 / math.sqrt(40)), "h_T has no branches"


@pytest.mark.parametrize("sizes", [(400, 400), (400, 150), (100, 300)])
def test_progress_error_is_the_spread_of_progress(sizes: tuple[int, int]) -> None:
    """Branch n of both steps ends alike in four of five cases; the steps have different numbers of them."""
    rng = np.random.default_rng(2)
    found, errors = [], []
    for _ in range(300):
        first = rng.random(max(sizes)) < 0.5
        second = np.where(rng.random(max(sizes)) < 0.8, first, rng.random(max(sizes)) < 0.5)
        one = _outcomes(first[: sizes[0]], second[: sizes[1]], common=True)
        found.append(one.progress[0])
        errors.append(one.progress_error[0])
    assert np.std(found) == pytest.approx(np.mean(errors), rel=0.12)


def test_halves_share_no_branch() -> None:
    one = _outcomes([0.0, 0.1, 0.2, 0.3, 0.4], [1, 0])
    even, odd = one.split_half()
    assert [x.tolist() for x in even.outcomes] == [[0.0, 0.2, 0.4], [1.0]]
    assert [x.tolist() for x in odd.outcomes] == [[0.1, 0.3], [0.0]]
    assert even.outcome == odd.outcome == one.outcome
    with pytest.raises(ValueError, match="step 1 has 1 branch, 2 halves need 2"):
        _outcomes([0, 1], [1]).split_half()


def test_extended_keeps_what_was_there() -> None:
    one = _outcomes([0, 1], [1]).extended([[0.5], []])
    assert [x.tolist() for x in one.outcomes] == [[0, 1, 0.5], [1]]


def test_bad_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="needs at least 1 step"):
        _outcomes()
    with pytest.raises(ValueError, match=r"'t1', step 1: expected a non-empty vector, got shape \(0,\)"):
        _outcomes([1], [])
    with pytest.raises(ValueError, match=r"step 0: outcomes must lie in \[0, 1\], got 0.0 to 1.5"):
        _outcomes([0, 1.5])
    with pytest.raises(ValueError, match="step 0"):
        _outcomes([math.nan])
    with pytest.raises(ValueError, match="outcome must lie in"):
        _outcomes([1], outcome=2.0)
    with pytest.raises(ValueError, match="read-only"):
        _outcomes([1.0]).outcomes[0][0] = 0.0


def test_a_budget_goes_where_the_error_is() -> None:
    sure, unsure = [1] * 16, [0, 1] * 8
    ((first, second, third),) = allocate([_outcomes(sure, unsure, sure)], 100)
    assert first + second + third == 48 + 100
    assert second > 2 * third > 2 * first > 2 * 16


def test_a_budget_is_neymans() -> None:
    """In the limit the numbers are as sqrt(w v): here the variances are equal, w is 1 and 2."""
    ((first, second),) = allocate([_outcomes([0, 1] * 8, [0, 1] * 8)], 50_000)
    assert second / first == pytest.approx(math.sqrt(2), rel=0.01)


def test_a_target_that_is_reached_ends_the_spending() -> None:
    known = [_outcomes([0, 1] * 8, [1] * 16), _outcomes([0, 1] * 200)]
    reached = allocate(known, 100_000, target=0.1)
    assert reached[1] == (400,)
    assert reached[0][1] == 16
    assert reached[0][0] == pytest.approx(0.25 * 2 / 0.1**2, abs=1)
    assert allocate(known, 0) == [(16, 16), (400,)]

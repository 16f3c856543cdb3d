"""Branch outcomes: means, standard errors that never claim certainty, intervals, subsets."""

import math

import numpy as np
import pytest

from spa_lab.stats import wilson
from spa_lab.truth.outcomes import BranchOutcomes, smoothed_variance


def _outcomes(*steps: object, outcome: float = 1.0) -> BranchOutcomes:
    vectors = tuple(np.array(step, dtype=float) for step in steps)
    return BranchOutcomes("t1", outcome, vectors, "tiny", 9, 5)


def test_values_are_means_and_end_with_the_outcome() -> None:
    measured = _outcomes([0, 1, 1, 1], [0.5, 1.0], outcome=0.25)
    assert measured.values.tolist() == [0.75, 0.75, 0.25]
    assert measured.progress.tolist() == [0.0, -0.5]
    assert measured.counts.tolist() == [4, 2]
    truth = measured.to_truth()
    assert (truth.trajectory_id, truth.branches, truth.policy, truth.step_cap) == ("t1", 2, "tiny", 9)
    assert truth.values.tolist() == measured.values.tolist()
    assert truth.standard_error.tolist() == measured.standard_error.tolist()


def test_standard_error_by_hand() -> None:
    """With one 0 and one 1 added, 0 of 64 becomes 1 of 66, and 32 of 64 stays one half."""
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
    intervals = _outcomes([0] * 9 + [1], [0] * 7, [1] * 3, outcome=1.0).interval()
    for row, (k, n) in zip(intervals, [(1, 10), (0, 7), (3, 3)], strict=False):
        expected = wilson(k, n)
        assert row == pytest.approx([expected.low, expected.high], abs=1e-12)
    assert intervals[-1].tolist() == [1.0, 1.0]


def test_an_interval_of_graded_outcomes_covers() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        (low, high), _ = _outcomes(rng.choice([0.0, 0.5, 1.0], size=30, p=[0.6, 0.3, 0.1])).interval()
        covered.append(low <= 0.25 <= high)
    assert np.mean(covered) >= 0.94


@pytest.mark.parametrize("sizes", [(400, 400), (400, 150), (100, 300)])
def test_progress_error_is_the_spread_of_progress(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    progress, errors = [], []
    for _ in range(300):
        measured = _outcomes(rng.random(sizes[0]) < 0.5, rng.random(sizes[1]) < 0.7)
        progress.append(measured.progress[0])
        errors.append(measured.progress_error[0])
    assert np.std(progress) == pytest.approx(np.mean(errors), rel=0.12)


def test_the_last_progress_has_the_error_of_one_value() -> None:
    """R is known, so only V(h_{T-1}) is uncertain."""
    measured = _outcomes([0, 1] * 20, [0, 1] * 20)
    assert measured.progress_error == pytest.approx([math.sqrt(2 * 0.25 / 40), 0.5 / math.sqrt(40)])


def test_disjoint_subsets_share_no_continuation() -> None:
    measured = _outcomes([0.0, 0.1, 0.2, 0.3], [1, 0, 0.5])
    first, second = measured.subset(0, 1), measured.subset(1, 3)
    assert [x.tolist() for x in first.outcomes] == [[0.0], [1.0]]
    assert [x.tolist() for x in second.outcomes] == [[0.1, 0.2], [0.0, 0.5]]
    assert first.outcome == second.outcome == measured.outcome
    with pytest.raises(ValueError, match="step 1 has 3, asked for numbers 1 to 3"):
        measured.subset(1, 4)


def test_extended_keeps_the_earlier_outcomes() -> None:
    measured = _outcomes([0, 1], [1]).extended([[0.5], []])
    assert [x.tolist() for x in measured.outcomes] == [[0, 1, 0.5], [1]]


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

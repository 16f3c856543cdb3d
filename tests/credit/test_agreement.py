"""Statistics of agreement: by hand, and against slow references that copy the resampled tasks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from spa_lab.credit import agreement
from spa_lab.credit.agreement import Case, ratio


def _case(
    contributions: list[float], truth: list[float], error: float = 0.0, task: int = 0, **more: object
) -> Case:
    facts = {"predicted": sum(contributions), "outcome": 1.0, "success": True} | more
    errors = np.full(len(truth) + 1, error)
    return Case(task, np.array(contributions, float), np.array(truth, float), errors, **facts)  # type: ignore[arg-type]


ONCE = np.ones((1, 1))


@pytest.mark.parametrize(
    ("part", "case", "expected"),
    [
        (agreement.spearman_part, _case([1, 2, 3], [3, 2, 1]), (-1, 1)),
        (
            agreement.spearman_part,
            _case([1, 1, 1], [3, 2, 1]),
            (0, 0),
        ),  # constant contributions have no ranks
        (agreement.kendall_part, _case([1, 3, 2], [1, 2, 3]), (1 / 3, 1)),
        # of the three pairs one is in order, one is not, one is tied
        (agreement.pair_part, _case([1, 3, 1], [0, 1, 2]), (1.5, 3)),
        # pairs that the truth itself ties are none, and what differs by rounding alone is a tie
        (agreement.pair_part, _case([1, 2], [0.1 + 0.2, 0.3]), (0, 0)),
        (agreement.sign_part, _case([1, 2], [0.1 + 0.2 - 0.3, 0.5]), (1, 1)),
        (agreement.pair_part, _case([1, 2], [0.5, 0.5]), (0, 0)),
        (agreement.sign_part, _case([1, -1, 0, 2], [0.3, 0.3, 0.3, 0]), (1.5, 3)),
        (agreement.harm_part, _case([1, 2, 3, 1], [-0.5, 0.5, 0, 0.1]), (2.5, 3)),
        (agreement.harm_part, _case([1, 2], [0.5, 0.5]), (0, 0)),
        (agreement.pivot_part, _case([1, 2, 3], [0, 0.2, 0.8]), (1, 1)),
        (agreement.pivot_part, _case([1, 1, 1, 0], [0, 0.2, 0.8, 0]), (1 / 3, 1)),
        (agreement.pivot_part, _case([0.25, 0, 0.25], [0.25, 0, 0.25]), (1, 1)),  # two steps are pivotal
        (agreement.pivot_part, _case([0, 0, 1], [0.1 + 0.2, 0, 0.3]), (1, 1)),
        (agreement.pivot_part, _case([1, 1, 1], [0.25, 0, 0.25]), (2 / 3, 1)),
        (agreement.pivot_part, _case([1, 2, 3], [0, 0.2, -0.8], success=False), (0, 1)),
        (agreement.pivot_part, _case([1, 2, -3], [0, 0.2, -0.8], success=False), (1, 1)),
        (agreement.pivot_part, _case([1, 2], [0.1, 0.2], success=False), (0, 0)),  # no step did harm
        (agreement.square_part, _case([1, 2, 3], [5, 6, 7]), (0, 3)),  # the offset cancels
        (agreement.square_part, _case([0, 2], [0, 0]), (2, 2)),
        (agreement.sum_square_part, _case([1, 2], [0, 0], outcome=0.0), (9, 1)),
        (agreement.sum_bias_part, _case([1, 2], [0, 0]), (2, 1)),
        (agreement.last_part, _case([1, -3], [0, 0]), (0.75, 1)),
        (agreement.last_part, _case([0, 0], [0, 0]), (0, 0)),
    ],
)
def test_by_hand(part: object, case: Case, expected: tuple[float, float]) -> None:
    assert part(case) == pytest.approx(expected)  # type: ignore[operator]


def test_rounding_breaks_no_tie() -> None:
    shares = np.array([7 / 12 - 4 / 12, 3 / 12, 11 / 12 - 8 / 12, 0.0])
    assert len(np.unique(shares)) > 2, "the same share, but for rounding"
    assert len(np.unique(agreement.without_rounding(shares, 1.0))) == 2
    np.testing.assert_allclose(agreement.without_rounding(shares, 1.0), shares, atol=1e-9)
    assert (agreement.without_rounding(np.zeros(3), 0.0) == 0).all()


def test_what_the_truth_does_not_know_is_not_asked() -> None:
    """With errors of 0.1 a value, Delta is known to 0.141: 0.28 is within two errors, 0.3 is not."""
    case = _case([-1, 1, 0], [0.28, 0.3, 0.0], error=0.1)
    assert case.truth_error.tolist() == pytest.approx([0.02**0.5] * 3)
    assert case.sure.tolist() == [False, True, False]
    assert agreement.sign_part(case) == (1, 1)
    # neighbours: 2 * sqrt(0.1^2 (1 + 4 + 1)) = 0.49; two apart: 2 * sqrt(0.04) = 0.4
    near, far = _case([0, 1, 0], [0.0, 0.45, 0.0], error=0.1), _case([0, 0, 1], [0.0, 0.0, 0.45], error=0.1)
    assert agreement.pair_part(near) == (0, 0)
    assert agreement.pair_part(far) == (1, 1)


def test_ratio_weighs_tasks() -> None:
    cases = [_case([1, 2, 3], [1, 2, 3]), _case([3, 2, 1], [1, 2, 3], task=1), _case([1, 1], [0, 1], task=1)]
    weights = np.array([[1, 1], [2, 0], [0, 2], [1, 3]], dtype=float)
    values, used = ratio(cases, weights, agreement.spearman_part)
    assert used == cases[:2]
    np.testing.assert_allclose(values, [0, 1, -1, (1 - 3) / 4])
    nothing, none = ratio(cases[2:], weights, agreement.spearman_part)
    assert np.isnan(nothing).all() and none == []


@given(st.integers(0, 10_000))
def test_pooled_statistics_are_those_of_copied_tasks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [
        _case(rng.integers(-2, 3, size=n).tolist(), (rng.integers(-2, 3, size=n) / 4).tolist(), task=i % 3)
        for i, n in enumerate(rng.integers(1, 6, size=5))
    ]
    weights = rng.multinomial(3, [1 / 3] * 3, size=2).astype(float)
    for row in weights:
        copies = [case for case in cases for _ in range(int(row[case.task]))]
        contributions = np.concatenate([case.contributions for case in copies])
        truth = np.concatenate([case.truth for case in copies])
        defined = len(set(contributions)) > 1 and len(set(truth)) > 1
        rho, tau = agreement.pooled_spearman(cases, row[None]), agreement.pooled_kendall(cases, row[None])
        if not defined:
            assert np.isnan(rho).all() and np.isnan(tau).all()
            continue
        np.testing.assert_allclose(rho[0], spearmanr(contributions, truth).statistic, atol=1e-9)
        np.testing.assert_allclose(tau[0], kendalltau(contributions, truth).statistic, atol=1e-9)
        low, high = contributions[truth < 0], contributions[truth >= 0]
        auc = agreement.pooled_harm(cases, row[None])[0]
        if len(low) and len(high):
            expected = np.mean((np.sign(high[None] - low[:, None]) + 1) / 2)
            np.testing.assert_allclose(auc, expected)
        else:
            assert np.isnan(auc)


def test_many_steps_are_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    cases = [_case(rng.normal(size=9).tolist(), rng.normal(size=9).tolist(), task=i) for i in range(3)]
    weights = np.array([[1, 1, 1], [2, 0, 1]], dtype=float)
    whole = [f(cases, weights) for f in (agreement.pooled_spearman, agreement.pooled_kendall)]
    monkeypatch.setattr(agreement, "_ROWS_IN_MEMORY", 4)
    parts = [f(cases, weights) for f in (agreement.pooled_spearman, agreement.pooled_kendall)]
    np.testing.assert_allclose(whole, parts)


def test_pooling_inflates() -> None:
    """Simpson: within each trajectory the order is reversed, over both it looks right."""
    low = _case([2, 1, 0], [0.0, 0.1, 0.2])
    high = replace(_case([12, 11, 10], [0.8, 0.9, 1.0]), task=0)
    assert ratio([low, high], ONCE, agreement.spearman_part)[0][0] == pytest.approx(-1)
    assert agreement.pooled_spearman([low, high], ONCE)[0] > 0.5

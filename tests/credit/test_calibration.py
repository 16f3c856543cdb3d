"""Sums of contributions against outcomes, worked out by hand."""

from collections.abc import Callable, Sequence
from math import isnan, sqrt

import numpy as np
import pytest

from spa_lab.credit.calibration import (
    Bin,
    Calibration,
    calibrate,
    calibration_bins,
    step_number_share,
    verdicts,
)
from spa_lab.types import Credit, Trajectory

Make = Callable[[str, float, int], Trajectory]


@pytest.fixture
def make(make_trajectory: Callable[..., Trajectory]) -> Make:
    """(id, outcome, number of steps) -> Trajectory."""
    return lambda name, outcome, length: make_trajectory(outcome, (True,) * length, id=name)


@pytest.fixture
def held_out(make: Make) -> list[Trajectory]:
    return [make("a", 1.0, 2), make("b", 0.0, 4), make("c", 1.0, 1)]


@pytest.fixture
def fitted(make: Make) -> list[Trajectory]:
    """Mean outcome 0.4; 0.5 with two steps, 1/3 with four, none with one."""
    known = [(1.0, 2), (0.0, 2), (0.0, 4), (1.0, 4), (0.0, 4)]
    return [make(f"f{i}", outcome, length) for i, (outcome, length) in enumerate(known)]


@pytest.fixture
def credits() -> list[Credit]:
    """Predict 0.75, 0.5 and 0.5."""
    return [
        Credit("a", "x", [0.25, 0.5]),
        Credit("b", "x", [0.1, -0.1, 0.2, 0.3]),
        Credit("c", "x", [0.3], base_value=0.2),
    ]


def test_by_hand(credits: list[Credit], held_out: list[Trajectory], fitted: list[Trajectory]) -> None:
    calibration = calibrate(credits, held_out, fitted)
    assert (calibration.n, calibration.n_success) == (3, 2)
    assert calibration.rmse == pytest.approx(sqrt((0.25**2 + 0.5**2 + 0.5**2) / 3))
    assert calibration.bias == pytest.approx((-0.25 + 0.5 - 0.5) / 3)
    assert calibration.auc == pytest.approx((1 + 0.5) / 2)  # above the failure once, level with it once
    assert calibration.rmse_constant == pytest.approx(sqrt((0.6**2 + 0.4**2 + 0.6**2) / 3))
    assert calibration.rmse_length == pytest.approx(sqrt((0.5**2 + (1 / 3) ** 2 + 0.6**2) / 3))
    assert calibration.share_on_last_step == pytest.approx((0.5 / 0.75 + 0.3 / 0.7 + 1) / 3)
    assert calibration.even_share == pytest.approx((1 / 2 + 1 / 4 + 1) / 3)


def test_a_source_that_knows_the_outcome(held_out: list[Trajectory], fitted: list[Trajectory]) -> None:
    """Uniform credit: no error, and the share of the last step is the uniform one."""
    credits = [
        Credit(trajectory.id, "x", [trajectory.outcome / len(trajectory)] * len(trajectory))
        for trajectory in held_out
    ]
    calibration = calibrate(credits, held_out, fitted)
    assert (calibration.rmse, calibration.bias, calibration.auc) == (0.0, 0.0, 1.0)
    assert calibration.share_on_last_step == pytest.approx((1 / 2 + 0 + 1) / 3)  # b has nothing to share


def test_without_one_kind_there_is_no_auc(
    credits: list[Credit], held_out: list[Trajectory], fitted: list[Trajectory]
) -> None:
    assert calibrate(credits[:1], held_out[:1], fitted).auc is None
    assert calibrate(credits[1:2], held_out[1:2], fitted).auc is None


def test_partial_outcomes_are_no_successes(make: Make, fitted: list[Trajectory]) -> None:
    calibration = calibrate([Credit("a", "x", [0.75])], [make("a", 0.5, 1)], fitted)
    assert (calibration.n_success, calibration.rmse, calibration.auc) == (0, 0.25, None)


def test_bins_rise_and_are_equally_filled(credits: list[Credit], held_out: list[Trajectory]) -> None:
    assert calibration_bins(credits, held_out, n_bins=2) == [
        Bin(n=2, predicted=0.5, outcome=0.5),  # b and c
        Bin(n=1, predicted=0.75, outcome=1.0),
    ]
    assert [group.n for group in calibration_bins(credits, held_out, n_bins=5)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([Credit("a", "x", [1.0, 0.0])], "1 credits for 3 trajectories"),
        ([Credit(name, "x", [0.0] * 2) for name in "abc"], r"'b' \(2 steps\) .* 'b' \(4 steps\)"),
        ([Credit("a", "x", [1, 0]), Credit("z", "x", [1] * 4), Credit("c", "x", [1])], "'z' .* 'b'"),
    ],
)
def test_credits_of_something_else(
    wrong: Sequence[Credit], message: str, held_out: list[Trajectory], fitted: list[Trajectory]
) -> None:
    for look in (lambda: calibrate(wrong, held_out, fitted), lambda: calibration_bins(wrong, held_out)):
        with pytest.raises(ValueError, match=message):
            look()


def test_nothing_to_compare_with(credits: list[Credit], held_out: list[Trajectory]) -> None:
    with pytest.raises(ValueError, match="got 0 held-out and 3 fitted"):
        calibrate([], [], held_out)
    with pytest.raises(ValueError, match="got 3 held-out and 0 fitted"):
        calibrate(credits, held_out, [])


def test_it_is_plain_numbers(
    credits: list[Credit], held_out: list[Trajectory], fitted: list[Trajectory]
) -> None:
    """So that it can stand in a JSON file."""
    calibration = calibrate(credits, held_out, fitted)
    assert isinstance(calibration, Calibration)
    assert {type(value) for value in vars(calibration).values()} == {int, float}


def test_the_share_of_the_step_number_by_hand() -> None:
    assert step_number_share([Credit("a", "x", [0.5, 0.25]), Credit("b", "x", [0.5])]) == pytest.approx(1.0)
    assert step_number_share([Credit("a", "x", [0.5, 0.5])]) == 0.0
    # 1.25 around 0.25, the mean of all, 3 degrees of freedom; 0.25 around 0.75 and -0.25, 2 degrees
    mixed = [Credit("a", "x", [1.0, 0.0]), Credit("b", "x", [0.5, -0.5])]
    assert step_number_share(mixed) == pytest.approx(1 - (0.25 / 2) / (1.25 / 3))
    assert step_number_share([Credit("a", "x", [0.5, 0.0]), Credit("b", "x", [-0.5, 1.0])]) == 0.0
    assert isnan(step_number_share([Credit("a", "x", [0.5, 0.0])]))  # no number occurs twice
    for length, n in ((10, 3), (7, 1), (6, 3)):  # a mean of equal numbers is not always that number
        assert step_number_share([Credit(f"{i}", "mean", [1 / length] * length) for i in range(n)]) == 0.0
    with pytest.raises(ValueError, match="needs at least 1 credit"):
        step_number_share([])


def test_noise_of_a_few_episodes_is_no_clock() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 4):
        shares = [
            step_number_share([Credit(f"{i}", "x", list(rng.normal(size=10))) for i in range(n)])
            for _ in range(50)
        ]
        assert np.mean(shares) < 0.2


def test_a_clock_is_told(make: Make, fitted: list[Trajectory]) -> None:
    """The first step pays 1 and each later one takes 1/4 back: a failure is long."""
    held_out = [make("a", 1.0, 2), make("b", 0.0, 4)]
    clock = [Credit(t.id, "x", [1.0, *[-0.25] * (len(t) - 1)]) for t in held_out]
    longer, constant, told = verdicts(clock, held_out, fitted)
    assert told.holds and "100% of the variance of c: this estimator is a clock" in told.text
    assert not longer.holds and longer.text.endswith("(RMSE 0.42, the estimator 0.25)")
    assert not constant.holds


def test_one_episode_does_not_tell_a_clock(make: Make, fitted: list[Trajectory]) -> None:
    told = verdicts([Credit("a", "x", [1.0, -0.25])], [make("a", 1.0, 2)], fitted)[-1]
    assert told == (False, "one episode cannot show whether the step number explains c")


def test_a_source_without_such_faults_is_cleared(make: Make, fitted: list[Trajectory]) -> None:
    held_out = [make("a", 1.0, 2), make("b", 0.0, 2)]
    known = [Credit("a", "x", [0.0, 1.0]), Credit("b", "x", [0.5, -0.5])]
    assert [verdict.holds for verdict in verdicts(known, held_out, fitted)] == [False, False, False]
    even = [Credit(t.id, "x", [0.25, 0.25]) for t in held_out]
    assert [verdict.holds for verdict in verdicts(even, held_out, fitted)] == [True, True, False]

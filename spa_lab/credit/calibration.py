"""How well the contributions of a source sum to the outcome, on trajectories that it was not fitted to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spa_lab.types import Credit, FloatArray, Trajectory


@dataclass(frozen=True)
class Calibration:
    """Sum of contributions against outcome over N trajectories; errors in outcome units."""

    n: int
    n_success: int
    rmse: float
    """Root mean squared error of the predicted outcome."""
    bias: float
    """Mean of predicted minus true outcome."""
    auc: float | None
    """Probability that a success is predicted above a failure, ties half; None if one kind is missing."""
    rmse_constant: float
    """Error of the trivial predictor "the mean outcome of the trajectories it was fitted to"."""
    rmse_length: float
    """Error of predicting from the number of steps alone: the mean outcome of fitted ones as long."""
    share_on_last_step: float
    """Mean of |c_T| / sum |c_t|: 1 if all credit is on the last step, 1/T if it is uniform."""
    even_share: float
    """Mean of 1/T, for comparison."""


@dataclass(frozen=True)
class Bin:
    """Trajectories with similar predicted outcomes."""

    n: int
    predicted: float
    """Mean predicted outcome."""
    outcome: float
    """Mean true outcome; equal to `predicted` if the source is calibrated."""


def calibrate(
    credits: Sequence[Credit], trajectories: Sequence[Trajectory], fitted_to: Sequence[Trajectory]
) -> Calibration:
    """Compare sums of contributions with outcomes.

    Args:
        credits: one for each trajectory, in the same order.
        trajectories: N held-out trajectories.
        fitted_to: the trajectories that the source and the trivial predictors were fitted to.

    Raises:
        ValueError: credits and trajectories do not match, or there are no held-out or no fitted ones.
    """
    if not trajectories or not fitted_to:
        raise ValueError(f"got {len(trajectories)} held-out and {len(fitted_to)} fitted trajectories")
    predicted, outcome = _pairs(credits, trajectories)
    fitted_outcomes = np.array([trajectory.known_outcome for trajectory in fitted_to])
    success = np.array([trajectory.known_success for trajectory in trajectories])
    shares = [abs(c.contributions[-1]) / max(np.abs(c.contributions).sum(), 1e-12) for c in credits]
    return Calibration(
        n=len(trajectories),
        n_success=int(success.sum()),
        rmse=_rms(predicted - outcome),
        bias=float(np.mean(predicted - outcome)),
        auc=_auc(predicted[success], predicted[~success]),
        rmse_constant=_rms(fitted_outcomes.mean() - outcome),
        rmse_length=_rms(_by_length(trajectories, fitted_to) - outcome),
        share_on_last_step=float(np.mean(shares)),
        even_share=float(np.mean([1 / len(trajectory) for trajectory in trajectories])),
    )


def calibration_bins(
    credits: Sequence[Credit], trajectories: Sequence[Trajectory], *, n_bins: int = 5
) -> list[Bin]:
    """Equally filled bins of rising predicted outcome."""
    predicted, outcome = _pairs(credits, trajectories)
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, n_bins) if len(part)]
    return [Bin(len(part), float(predicted[part].mean()), float(outcome[part].mean())) for part in parts]


def step_number_share(credits: Sequence[Credit]) -> float:
    """Share of the variance of all c_t that the step number t alone explains, in [0, 1]; 0 without variance.

    1 - (S_w / (n - m)) / (S / (n - 1)) with S_w the sum of squares around the mean of each of the m step
    numbers, and S that around the mean of all n steps (epsilon squared, Kelley 1935): without the degrees of
    freedom a few episodes of noise would look like a clock. Below 0 it is 0. Near 1 the source is a clock: it
    gives credit by the step number, whatever the agent did. NaN where no step number occurs twice.

    Raises:
        ValueError: no credit.
    """
    if not credits:
        raise ValueError("step number: needs at least 1 credit, got 0")
    values = np.concatenate([credit.contributions for credit in credits])  # (n,)
    number = np.concatenate([np.arange(len(credit)) for credit in credits])
    n, n_numbers = len(values), int(number.max()) + 1
    if np.ptp(values) <= 1e-12 * np.abs(values).max():  # 1 / T summed up is not the same in every order
        return 0.0
    if n == n_numbers:
        return math.nan
    means = np.bincount(number, values) / np.bincount(number)
    around_all = float(((values - values.mean()) ** 2).sum()) / (n - 1)
    around_means = float(((values - means[number]) ** 2).sum()) / (n - n_numbers)
    return max(0.0, 1.0 - around_means / around_all)


CLOCK = 0.5
"""Share explained by the step number from which on a source is called a clock."""
CONSTANT = 0.05
"""Outcome units: standard deviation of predicted outcomes below which all predictions are the same."""


class Verdict(NamedTuple):
    """What would speak against an estimator, and whether it is so here."""

    holds: bool
    text: str


def verdicts(
    credits: Sequence[Credit], trajectories: Sequence[Trajectory], fitted_to: Sequence[Trajectory]
) -> list[Verdict]:
    """Whether the sums of a source, or its steps, are explained by something trivial; see `calibrate`.

    Three: no better than the length alone, the same prediction for all, a clock. Where one holds, training on
    this credit means training on the trivial thing.
    """
    score = calibrate(credits, trajectories, fitted_to)
    spread = float(np.std([credit.predicted_outcome for credit in credits]))
    share = step_number_share(credits)
    clock = ": this estimator is a clock. Stop here and think, or measure first (notebook 5b)"
    explains = f"the step number explains {share:.0%} of the variance of c{clock if share >= CLOCK else ''}"
    if math.isnan(share):
        explains = "one episode cannot show whether the step number explains c"
    longer = score.rmse >= score.rmse_length
    return [
        Verdict(
            longer,
            f"the length alone predicts the outcome {'at least as well' if longer else 'less well'} "
            f"(RMSE {score.rmse_length:.2f}, the estimator {score.rmse:.2f})",
        ),
        Verdict(spread < CONSTANT, f"its predictions differ by {spread:.2f} (standard deviation)"),
        Verdict(share >= CLOCK, explains),
    ]


def _pairs(credits: Sequence[Credit], trajectories: Sequence[Trajectory]) -> tuple[FloatArray, FloatArray]:
    if len(credits) != len(trajectories):
        raise ValueError(f"got {len(credits)} credits for {len(trajectories)} trajectories")
    for credit, trajectory in zip(credits, trajectories, strict=True):
        if credit.trajectory_id != trajectory.id or len(credit) != len(trajectory):
            raise ValueError(
                f"credit of {credit.trajectory_id!r} ({len(credit)} steps) does not belong to "
                f"{trajectory.id!r} ({len(trajectory)} steps)"
            )
    return np.array([c.predicted_outcome for c in credits]), np.array([t.known_outcome for t in trajectories])


def _by_length(trajectories: Sequence[Trajectory], fitted_to: Sequence[Trajectory]) -> FloatArray:
    """(N,) mean outcome of the fitted trajectories of the same length; of all of them if there is none."""
    by_length: dict[int, list[float]] = {}
    for trajectory in fitted_to:
        by_length.setdefault(len(trajectory), []).append(trajectory.known_outcome)
    overall = float(np.mean([trajectory.known_outcome for trajectory in fitted_to]))
    return np.array(
        [float(np.mean(by_length.get(len(trajectory), [overall]))) for trajectory in trajectories]
    )


def _auc(positive: FloatArray, negative: FloatArray) -> float | None:
    if not len(positive) or not len(negative):
        return None
    difference = positive[:, None] - negative[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def _rms(error: FloatArray) -> float:
    return float(np.sqrt(np.mean(error**2)))

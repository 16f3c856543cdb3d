"""Drift: how far the episodes of an iteration have left what the fitted credit was fitted to.

A credit that was fitted to explorations is right about texts like theirs. A policy that is trained on it may
move to texts that the credit takes for progress; then contributions no longer add up to the outcome, single
steps are paid more than any explored step was, or the same text is paid again and again. `spa_lab.alarms`
judges the numbers.
"""

from collections.abc import Sequence

import numpy as np

from spa_lab.alarms import LARGE_ERROR
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.credit.gaming import paid_repeats
from spa_lab.types import Credit, Trajectory


def drift_metrics(
    trajectories: Sequence[Trajectory], credits: Sequence[Credit], explored: ContributionRange
) -> dict[str, float]:
    """Signs of drift in N episodes; "later" steps are all but the first of an episode.

    Args:
        trajectories: N episodes, at least one.
        credits: of each, as the source gave it, before any clipping.
        explored: what the source gave the explorations that it was fitted to.

    Returns:
        `credit_error`: mean of |base value + sum of c - R|, outcome units.
        `credit_missed`: share of episodes in which that error is above `alarms.LARGE_ERROR`.
        `paid_beyond`: share of later steps that are paid more than any explored later step.
        `paid_repeats`: share of later steps that repeat an earlier text of their episode and are paid more
            than `alarms.PAID`. Shares of later steps are 0 if there is none.
    """
    pairs = list(zip(trajectories, credits, strict=True))
    gaps = [credit.predicted_outcome - trajectory.known_outcome for trajectory, credit in pairs]
    errors = np.abs(gaps)  # (N,)
    n_later = max(sum(len(trajectory) - 1 for trajectory in trajectories), 1)
    return {
        "credit_error": float(errors.mean()),
        "credit_missed": float((errors > LARGE_ERROR).mean()),
        "paid_beyond": sum(explored.exceeded_by(credit) for credit in credits) / n_later,
        "paid_repeats": sum(paid_repeats(*pair) for pair in pairs) / n_later,
    }

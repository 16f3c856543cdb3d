"""Counts of gaming: steps that a fitted credit pays although nothing was achieved.

An agent that is trained on a fitted credit may repeat a text that the credit takes for progress. The counts
show it on recorded trajectories: steps after the first that are paid like a success, the same text paid
again, refused actions that are paid, and failures whose contributions add up to more than an outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spa_lab.alarms import LARGE_ERROR, PAID
from spa_lab.types import Credit, Trajectory, check_credit_of

MANY = 3
"""So many later steps that are paid more than `LARGE_ERROR` make a failure count as gamed."""


@dataclass(frozen=True)
class GamingCounts:
    """Counts over N trajectories; "later" steps are all but the first of a trajectory."""

    n: int
    """Trajectories."""
    n_failures: int
    """Trajectories with R = 0."""
    later_steps: int
    later_paid: int
    """Later steps with a contribution above `alarms.LARGE_ERROR`."""
    paid_refused: int
    """Those of them that the world refused."""
    paid_repeats: int
    """Later steps that repeat an earlier text of their trajectory and are paid more than `alarms.PAID`."""
    gamed_failures: int
    """Failures with at least `MANY` later steps above `alarms.LARGE_ERROR`."""
    largest_sum_of_failures: float | None
    """Largest base value + sum of c among the failures, outcome units; None without a failure."""

    @property
    def refused_share(self) -> float | None:
        """Share of `later_paid` that the world refused; None if there is none."""
        return self.paid_refused / self.later_paid if self.later_paid else None


def gaming_counts(trajectories: Sequence[Trajectory], credits: Sequence[Credit]) -> GamingCounts:
    """Counts of N trajectories and their credits, in one order.

    Raises:
        ValueError: a credit belongs to another trajectory.
    """
    later, refused, repeats, gamed, sums = 0, 0, 0, 0, []
    for trajectory, credit in zip(trajectories, credits, strict=True):
        check_credit_of(trajectory, credit)
        paid = credit.contributions[1:] > LARGE_ERROR
        later += int(paid.sum())
        refused += int((paid & ~trajectory.grounded[1:]).sum())
        repeats += paid_repeats(trajectory, credit)
        if trajectory.known_outcome == 0:
            sums.append(credit.predicted_outcome)
            gamed += int(paid.sum() >= MANY)
    return GamingCounts(
        n=len(trajectories),
        n_failures=len(sums),
        later_steps=sum(len(trajectory) - 1 for trajectory in trajectories),
        later_paid=later,
        paid_refused=refused,
        paid_repeats=repeats,
        gamed_failures=gamed,
        largest_sum_of_failures=max(sums, default=None),
    )


def paid_repeats(trajectory: Trajectory, credit: Credit) -> int:
    """Number of later steps that repeat an earlier text of the trajectory and are paid more than `PAID`."""
    return int((is_repeat(trajectory) & (credit.contributions > PAID)).sum())


def is_repeat(trajectory: Trajectory) -> NDArray[np.bool_]:
    """(T,) whether an earlier step of the trajectory has the same text."""
    seen: set[str] = set()
    repeated = []
    for step in trajectory.steps:
        repeated.append(step.text in seen)
        seen.add(step.text)
    return np.array(repeated)

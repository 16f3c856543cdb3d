"""The range of a credit's contributions on given trajectories: what a fitted source paid where it was fitted.

A policy that is trained on a fitted credit moves away from the texts that the credit was fitted to. Payments
beyond the range are then errors of the credit, not progress.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spa_lab.types import Credit, FloatArray


@dataclass(frozen=True)
class ContributionRange:
    """Smallest and largest contribution, outcome units; the first step has a range of its own.

    An estimator may put what it knows before the first step (the task) into that step's contribution, so that
    it is much larger than those of later steps.
    """

    first: tuple[float, float]
    """Of the first step."""
    later: tuple[float, float]
    """Of all later steps; (0, 0) if there was none."""

    @classmethod
    def of(cls, credits: Sequence[Credit]) -> "ContributionRange":
        """The range of these credits.

        Raises:
            ValueError: there is none.
        """
        if not credits:
            raise ValueError("the range of contributions needs at least 1 credit, got 0")
        first = np.array([credit.contributions[0] for credit in credits])
        later = np.concatenate([credit.contributions[1:] for credit in credits])
        return cls(_ends(first), _ends(later) if len(later) else (0.0, 0.0))

    def clip(self, credit: Credit) -> Credit:
        """The credit with contributions inside of the range; its other fields are kept."""
        contributions = credit.contributions.copy()
        contributions[0] = np.clip(contributions[0], *self.first)
        contributions[1:] = np.clip(contributions[1:], *self.later)
        return replace(credit, contributions=contributions)

    def exceeded_by(self, credit: Credit) -> int:
        """Number of later steps that are paid more than any later step of the range."""
        return int((credit.contributions[1:] > self.later[1]).sum())


def _ends(values: FloatArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())

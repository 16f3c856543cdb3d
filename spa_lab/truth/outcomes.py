"""Outcomes of Monte Carlo continuations of one trajectory, and the values they estimate.

A history h_t is the text before step t together with the number of steps left to the step cap. Worlds are
deterministic, so an action leads to exactly one next history: Q(h_t, a_t) = V(h_{t+1}), the advantage of the
action taken is the progress V(h_{t+1}) - V(h_t), and one measurement of values serves all three. An action is
all that the policy wrote in a step, its thought included. Knows nothing of models or worlds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spa_lab.types import FloatArray, ValueTruth


@dataclass(frozen=True, eq=False)
class BranchOutcomes:
    """Final outcomes of continuations from every history of one trajectory.

    Invariants: T >= 1 vectors, none empty, all outcomes in [0, 1].
    """

    trajectory_id: str
    outcome: float
    """R of the trajectory itself: V(h_T), known without a continuation."""
    outcomes: tuple[FloatArray, ...]
    """T vectors (N_t,) float64: entry n is the outcome of continuation n from h_t. N_t may differ."""
    policy: str
    """Name of the policy that continued."""
    step_cap: int
    """Longest episode, steps."""
    seed: int = 0
    """Base of the random numbers, from which further continuations can be drawn; unused if the outcomes are
    not `monte_carlo`'s."""

    def __post_init__(self) -> None:
        where = f"branches of {self.trajectory_id!r}"
        object.__setattr__(
            self, "outcomes", tuple(_checked(x, where, t) for t, x in enumerate(self.outcomes))
        )
        if not self.outcomes:
            raise ValueError(f"{where}: needs at least 1 step, got 0")
        if not 0.0 <= self.outcome <= 1.0:
            raise ValueError(f"{where}: outcome must lie in [0, 1], got {self.outcome}")

    def __len__(self) -> int:
        """T, the number of steps."""
        return len(self.outcomes)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(T,) int64: continuations from each history, N_t."""
        return np.array([x.size for x in self.outcomes], dtype=np.int64)

    @property
    def values(self) -> FloatArray:
        """(T + 1,) float64: mean outcome from each history, unbiased; the last one is R itself."""
        return np.array([*(x.mean() for x in self.outcomes), self.outcome])

    @property
    def standard_error(self) -> FloatArray:
        """(T + 1,) float64: sqrt(v_t / N_t), 0 for h_T.

        v_t is the variance of the outcomes from h_t with one pseudo-outcome 0 and one pseudo-outcome 1 added
        (Agresti & Caffo 2000): after 64 failures the error is 0.015 and not 0, which would claim certainty.
        Never below sqrt(p (1 - p) / N_t) of the share p, never above 0.5 / sqrt(N_t).
        """
        return np.array([*(np.sqrt(smoothed_variance(x) / x.size) for x in self.outcomes), 0.0])

    @property
    def progress(self) -> FloatArray:
        """(T,) float64: V(h_{t+1}) - V(h_t)."""
        return np.diff(self.values)

    @property
    def progress_error(self) -> FloatArray:
        """(T,) float64: standard error of `progress`; the errors of the two values are independent."""
        return np.hypot(self.standard_error[:-1], self.standard_error[1:])

    def interval(self, *, level: float = 0.95) -> FloatArray:
        """(T + 1, 2) float64: Wilson's score interval of each value; (R, R) for h_T.

        Meant for outcomes of 0 and 1; conservative for outcomes in between, whose variance is at most
        p (1 - p).
        """
        z = NormalDist().inv_cdf((1 + level) / 2)
        n, p = self.counts, self.values[:-1]
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        ends = np.stack([np.minimum(centre - half, p), np.maximum(centre + half, p)], axis=1)  # (T, 2)
        return np.vstack([ends, [self.outcome, self.outcome]])

    def to_truth(self) -> ValueTruth:
        """Values and their standard errors; `branches` is the smallest N_t."""
        least = int(self.counts.min())
        return ValueTruth(
            self.trajectory_id, self.values, self.standard_error, least, self.policy, self.step_cap
        )

    def subset(self, start: int, stop: int) -> "BranchOutcomes":
        """Continuations `start` to `stop - 1` from each history.

        Disjoint subsets are independent measurements of the same values, to be scored against each other.

        Raises:
            ValueError: a history has fewer than `stop` continuations.
        """
        if self.counts.min() < stop:
            t = int(self.counts.argmin())
            raise ValueError(
                f"branches of {self.trajectory_id!r}: step {t} has {self.counts[t]}, "
                f"asked for numbers {start} to {stop - 1}"
            )
        return replace(self, outcomes=tuple(x[start:stop] for x in self.outcomes))

    def extended(self, more: Sequence[ArrayLike]) -> "BranchOutcomes":
        """With further outcomes (T vectors, may be empty) after those of each step."""
        joined = tuple(np.append(x, new) for x, new in zip(self.outcomes, more, strict=True))
        return replace(self, outcomes=joined)


def smoothed_variance(outcomes: FloatArray) -> float:
    """Variance of outcomes in [0, 1] with one pseudo-outcome 0 and one pseudo-outcome 1 added."""
    return float(np.var(np.append(outcomes, (0.0, 1.0))))


def _checked(outcomes: FloatArray, where: str, step: int) -> FloatArray:
    vector = np.array(outcomes, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"{where}, step {step}: expected a non-empty vector, got shape {vector.shape}")
    if not ((vector >= 0) & (vector <= 1)).all():  # also refuses NaN
        raise ValueError(
            f"{where}, step {step}: outcomes must lie in [0, 1], got {vector.min()} to {vector.max()}"
        )
    vector.setflags(write=False)
    return vector

"""From log-ratios of steps to values and contributions in [0, 1]: a logistic regression with two numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spa_lab.types import Credit, FloatArray, Trajectory

_NEWTON_STEPS = 50


class OddsLine(NamedTuple):
    """logit V = offset + slope * (sum of the log-ratios so far)."""

    offset: float
    """Log odds of success at the start."""
    slope: float
    """>= 0; 1 for models that know everything, 0 for models that know nothing."""

    def values(self, ratios: FloatArray) -> FloatArray:
        """(T + 1,) V(h_0), ..., V(h_T) in [0, 1] from the (T,) log-ratios of an episode."""
        total = np.concatenate([[0.0], np.cumsum(ratios)])
        return np.asarray(_sigmoid(self.offset + self.slope * total))


def fit_odds_line(ratios: Sequence[FloatArray], outcomes: Sequence[float]) -> OddsLine:
    """Logistic regression of the outcome on the sum of log-ratios, over all histories h_0, ..., h_T.

    Every episode weighs 1, however many steps it has. A normal prior of variance 1 around slope 1 and half a
    success and half a failure at the start keep both numbers finite. Where the slope would be below 0, it is
    0 and the offset that of the mean outcome.

    Args:
        ratios: (T,) of each of N episodes.
        outcomes: R of each, in [0, 1].

    Raises:
        ValueError: there is no episode.
    """
    if not ratios:
        raise ValueError("a line through log odds needs at least 1 episode, got 0")
    total = np.concatenate([np.concatenate([[0.0], np.cumsum(each)]) for each in ratios])  # (n,)
    weight = np.concatenate([np.full(len(each) + 1, 1.0 / (len(each) + 1)) for each in ratios])
    target = np.repeat(np.asarray(outcomes, dtype=np.float64), [len(each) + 1 for each in ratios])
    x = np.stack([np.ones(len(total) + 1), np.append(total, 0.0)], axis=1)  # (n + 1, 2)
    offset, slope = _regress(x, np.append(target, 0.5), np.append(weight, 1.0))
    if slope < 0:
        mean = (sum(outcomes) + 0.5) / (len(outcomes) + 1)
        return OddsLine(float(np.log(mean / (1 - mean))), 0.0)
    return OddsLine(offset, slope)


def _regress(x: FloatArray, target: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Newton's method on the convex loss, with half steps where a whole one does not descend."""
    line = np.array([0.0, 0.0])
    loss = _loss(line, x, target, weight)
    for _ in range(_NEWTON_STEPS):
        p = _sigmoid(x @ line)
        gradient = x.T @ (weight * (p - target)) + np.array([0.0, line[1] - 1.0])
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag([1e-9, 1.0])
        change = np.linalg.solve(curvature, gradient)
        while (new := _loss(line - change, x, target, weight)) > loss and np.abs(change).max() > 1e-9:
            change = change / 2
        line, loss = line - change, new
        if np.abs(change).max() <= 1e-9:
            break
    return float(line[0]), float(line[1])


def _loss(line: FloatArray, x: FloatArray, target: FloatArray, weight: FloatArray) -> float:
    """Cross-entropy in nats, with the prior on the slope."""
    z = x @ line
    return float((weight * (np.logaddexp(0.0, z) - target * z)).sum() + (line[1] - 1.0) ** 2 / 2)


def hindsight_credit(
    trajectories: Sequence[Trajectory],
    ratios: Sequence[FloatArray],
    line: OddsLine,
    *,
    close: bool = True,
) -> list[Credit]:
    """c_t = V(h_{t+1}) - V(h_t); base value V(h_0).

    Args:
        trajectories: N trajectories.
        ratios: (T,) of each.
        line: gives V.
        close: V(h_T) = R, so that base value and contributions sum to R; else V(h_T) is read like the others.

    Raises:
        ValueError: a trajectory has another number of log-ratios than steps.
    """
    credits = []
    for trajectory, each in zip(trajectories, ratios, strict=True):
        if len(each) != len(trajectory):
            raise ValueError(f"{trajectory.id!r}: {len(each)} log-ratios for {len(trajectory)} steps")
        values = line.values(each)
        if close:
            values[-1] = trajectory.known_outcome
        credits.append(Credit(trajectory.id, "spa_hindsight", np.diff(values), float(values[0])))
    return credits


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))))

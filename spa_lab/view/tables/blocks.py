"""Steps of one trajectory in a few blocks, so that a long episode fits one drawing."""

import math

import numpy as np
import pandas as pd

from spa_lab.matching import check_match
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth
from spa_lab.view.tables.trajectory import MEASURED

MOST = 7
"""Blocks of a drawing."""
CLEAR = 2.0
"""Standard errors by which credit and measured progress must differ to count as different."""
LEAST = 0.05
"""Outcome units by which they must differ as well: what is exact has no standard error."""
TELESCOPES = ("mc_difference", "Monte Carlo", MEASURED)
"""Beginnings of names of sources whose contributions are differences of independent estimates."""


def block_table(
    trajectory: Trajectory, credit: Credit, truth: ValueTruth | None = None, *, most: int = MOST
) -> pd.DataFrame:
    """One row per block of consecutive steps: the step itself where there are at most `most` of them.

    In a longer trajectory neighbours are joined one by one, each time the two whose credit (and measured
    progress) per step is most alike, by Ward's criterion. Sums over all blocks are those over all steps.

    Columns:
        first, last: int64, steps of the block, both included.
        contribution: float64, outcome units, the sum over its steps.
        contribution_error: float64, standard error of that sum; NaN if the source gives none. In differences
            of continuations the errors of the values between cancel; in other sources nothing is known of how
            the errors of steps depend on each other, and a block of several steps has NaN; `differs` then
            takes their sum, which it cannot exceed.
        progress: float64, outcome units, V after the block minus V before it; NaN without a truth.
        progress_error: float64, its standard error, as of independent estimates; NaN without a truth.
        excess: float64, contribution minus progress; NaN without a truth.
        differs: bool, |excess| > `CLEAR` standard errors and > `LEAST`. Several blocks are looked at, so one
            in twenty exceeds two standard errors by chance.
        refused: int64, steps that the world is known to have refused.

    Args:
        trajectory: T steps.
        credit: of this trajectory.
        truth: a measurement of this trajectory.
        most: blocks at most, >= 1.

    Raises:
        ValueError: a credit or truth of another trajectory, or `most` below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    check_match([trajectory], [credit], [truth] if truth else [])
    columns = [credit.contributions] if truth is None else [credit.contributions, truth.progress]
    starts = _starts(np.stack(columns, axis=1), most)
    ends = np.append(starts[1:], len(trajectory))
    frame = pd.DataFrame({"first": starts, "last": ends - 1})
    frame["contribution"] = np.add.reduceat(credit.contributions, starts)
    errors = credit.standard_error
    frame["contribution_error"] = math.nan if errors is None else _errors(credit.source, errors, starts, ends)
    frame["progress"] = math.nan if truth is None else truth.values[ends] - truth.values[starts]
    frame["progress_error"] = (
        math.nan if truth is None else np.hypot(truth.standard_error[starts], truth.standard_error[ends])
    )
    frame["excess"] = frame["contribution"] - frame["progress"]
    frame["differs"] = _differs(frame, 0.0 if errors is None else np.add.reduceat(errors, starts))
    refused = np.array([step.grounded is False for step in trajectory.steps], dtype=np.int64)
    frame["refused"] = np.add.reduceat(refused, starts)
    return frame


def _differs(frame: pd.DataFrame, most: FloatArray | float) -> pd.Series:
    """Whether the excess of each block is clear; `most` is what an error can be that is unknown."""
    known = frame["contribution_error"]
    error = np.hypot(frame["progress_error"], known.where(known.notna(), most))
    return (frame["excess"].abs() > CLEAR * error) & (frame["excess"].abs() > LEAST)


def _errors(source: str, errors: FloatArray, starts: np.ndarray, ends: np.ndarray) -> FloatArray:
    """(blocks,) standard errors of sums of contributions, whose own are `errors` (T,); NaN where unknown."""
    if not source.startswith(TELESCOPES):
        return np.where(ends - starts == 1, errors[starts], math.nan)
    of_value = np.zeros(len(errors) + 1)  # squared, of V(h_0), ..., V(h_T) = R, which has none
    for t in reversed(range(len(errors))):
        of_value[t] = max(0.0, errors[t] ** 2 - of_value[t + 1])
    return np.asarray(np.sqrt(of_value[starts] + of_value[ends]))


def _starts(rows: FloatArray, most: int) -> np.ndarray:
    """First steps of at most `most` blocks of the rows (T, columns): Ward's criterion, neighbours only."""
    starts = list(range(len(rows)))
    sums = [row.copy() for row in rows]
    sizes = [1] * len(rows)
    while len(starts) > most:
        costs = [_cost(sums[i], sizes[i], sums[i + 1], sizes[i + 1]) for i in range(len(starts) - 1)]
        joined = int(np.argmin(costs))
        sums[joined] = sums[joined] + sums.pop(joined + 1)
        sizes[joined] += sizes.pop(joined + 1)
        del starts[joined + 1]
    return np.array(starts, dtype=np.int64)


def _cost(one: FloatArray, n: int, other: FloatArray, m: int) -> float:
    """How much the sum of squared distances to the mean grows when two blocks are joined."""
    return float(n * m / (n + m) * ((one / n - other / m) ** 2).sum())

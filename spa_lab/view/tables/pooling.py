"""The scoreboards of several runs as one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

Z = 1.96
"""Standard errors from the middle of a 95 % interval to its end."""
_KEYS = ("source", "outcome", "metric")


def pooled_board(boards: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of `credit.fidelity.scoreboard` of K training runs as one table of the same columns.

    Values and ceilings are means over the runs. The variance of such a mean is taken as s^2 / K + mean(e_k^2)
    with s the standard deviation over the runs and e_k the standard error over tasks that the interval of run
    k implies: the runs share their tasks, so more of them do not make the tasks more. Normal intervals, a
    little wide.

    Args:
        boards: K >= 1 of them; one alone is handed back as it is.

    Returns:
        The rows that all boards have; n_tasks and n_trajectories are those of the first, `n_seeds` is K.

    Raises:
        ValueError: no board.
    """
    if not boards:
        raise ValueError("needs at least 1 scoreboard to pool, got 0")
    if len(boards) == 1:
        return boards[0].assign(n_seeds=1)
    indexed = [board.set_index(list(_KEYS)) for board in boards]
    shared = [key for key in indexed[0].index if all(key in one.index for one in indexed[1:])]
    pooled = indexed[0].loc[shared].copy()
    for name in ("value", "ceiling"):
        ends = ("low", "high") if name == "value" else ("ceiling_low", "ceiling_high")
        values, low, high = (
            np.array([one.loc[shared, column] for one in indexed], dtype=np.float64)
            for column in (name, *ends)
        )
        errors = (high - low) / (2 * Z)
        error = np.sqrt(values.var(axis=0, ddof=1) / len(boards) + (errors**2).mean(axis=0))
        middle = values.mean(axis=0)
        pooled[name], pooled[ends[0]], pooled[ends[1]] = middle, middle - Z * error, middle + Z * error
    return pooled.reset_index().assign(n_seeds=len(boards))

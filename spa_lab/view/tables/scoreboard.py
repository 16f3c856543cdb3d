"""Scoreboards of credit sources: the rows that a figure draws, and the boards of several runs as one.

All functions take tables of `credit.fidelity.scoreboard`: one row per source, outcome and metric.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.types import FloatArray

DEFAULT_METRICS = ("pair_accuracy", "harm_auc", "spearman", "spearman_pooled", "pivot_hit", "rmse")
"""Metrics that are drawn if none are given."""
OUTCOMES = ("success", "failure")
"""Outcomes that are drawn, each with marks of its own; "both" stays in the table."""
SECOND = "second measurement"
"""Source name of a second, independent truth: no rival of the others."""
Z = 1.96
"""Standard errors from the centre of a 95 % normal interval to its end."""
_KEYS = ("source", "outcome", "metric")


def sources_and_titles(table: pd.DataFrame, metrics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sources in the order of the table, and the title of each metric.

    Args:
        table: a scoreboard.
        metrics: values of its column `metric`, at least one.

    Raises:
        ValueError: the table is empty, `metrics` is empty, or a metric is not in the table.
    """
    if table.empty:
        raise ValueError("scoreboard: the table has 0 rows")
    known = list(table["metric"].unique())
    missing = [metric for metric in metrics if metric not in known]
    if missing or not metrics:
        raise ValueError(f"scoreboard: no metric {missing}; the table has: {', '.join(known)}")
    titles = table.drop_duplicates("metric").set_index("metric")["title"]
    return list(table["source"].unique()), [str(titles[metric]) for metric in metrics]


def metric_rows(table: pd.DataFrame, metric: str, outcome: str, sources: Sequence[str]) -> pd.DataFrame:
    """One row per source, in the given order; NaN where a source has no value of this metric and outcome."""
    rows = table[(table["metric"] == metric) & (table["outcome"] == outcome)]
    return rows.set_index("source").reindex(list(sources)).reset_index()


def sample_sizes(table: pd.DataFrame) -> str:
    """Sample sizes and kind of the intervals as a phrase for a caption or subtitle.

    Args:
        table: a scoreboard, or a pooled one, whose `n_seeds` is then K > 1.
    """
    n_seeds = int(table["n_seeds"].max()) if "n_seeds" in table else 1
    parts = []
    for outcome in OUTCOMES:
        rows = table[(table["outcome"] == outcome) & (table["metric"] == "sum_rmse")]
        if len(rows):
            first = rows.iloc[0]
            tasks = "1 task" if first["n_tasks"] == 1 else f"{first['n_tasks']} tasks"
            tasks = tasks if n_seeds == 1 else f"at most {tasks} a seed"
            plural = {"success": "es", "failure": "s"}[outcome] if first["n_trajectories"] != 1 else ""
            parts.append(f"{first['n_trajectories']} {outcome}{plural} ({tasks})")
    counts = "trajectories: " + ", ".join(parts)
    has_intervals = bool(np.isfinite(table["low"]).any())
    if n_seeds == 1:
        return f"{counts}; {'bootstrap' if has_intervals else 'too few tasks for'} intervals over tasks"
    intervals = ", normal intervals over seeds and tasks" if has_intervals else " without intervals"
    return f"mean of {n_seeds} seeds{intervals}, {counts}"


def fewer_trajectories(table: pd.DataFrame) -> str:
    """Metrics that only some trajectories define, such as those with a known order, as a phrase; or "".

    Args:
        table: the rows of a scoreboard that are shown.
    """
    rows = table[table["value"].notna()]
    whole = rows["outcome"].map(table.groupby("outcome")["n_trajectories"].max())
    fewer = rows[rows["n_trajectories"] < whole]
    parts = [
        f"{title} (n = {low} to {high})" if low < high else f"{title} (n = {low})"
        for title, low, high in (
            fewer.groupby("title", sort=False)["n_trajectories"].agg(["min", "max"]).itertuples(name=None)
        )
    ]
    return f"defined in fewer: {', '.join(parts)}" if parts else ""


def pooled_scoreboard(boards: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Scoreboards of K training runs as one table of the same columns.

    Values and ceilings are means over the runs. The variance of such a mean is s^2 / K + mean(e_k^2), with s
    the standard deviation over the runs and e_k the standard error over tasks implied by the interval of run
    k. The second term is not divided by K because the runs share their tasks. The intervals are normal and
    slightly conservative. An interval of width 0, as of 0 of 12 pivotal steps found, says nothing of e_k:
    the mean is over the other runs, and where no run has another one, the mean has no interval.

    Args:
        boards: K >= 1; a single board is returned unchanged but for `n_seeds`.

    Returns:
        The rows that all boards have; n_trajectories is the sum over the boards, n_tasks that of the board
        with the most, `n_seeds` is K.

    Raises:
        ValueError: no board.
    """
    if not boards:
        raise ValueError("needs at least 1 scoreboard to pool, got 0")
    if len(boards) == 1:
        return boards[0].assign(n_seeds=1)
    indexed = [board.set_index(list(_KEYS)) for board in boards]
    shared = [key for key in indexed[0].index if all(key in board.index for board in indexed[1:])]
    pooled = indexed[0].loc[shared].copy()
    for name, taken in (("n_trajectories", np.sum), ("n_tasks", np.max)):
        pooled[name] = taken([board.loc[shared, name] for board in indexed], axis=0)
    for name in ("value", "ceiling"):
        ends = ("low", "high") if name == "value" else ("ceiling_low", "ceiling_high")
        values, low, high = (
            np.array([board.loc[shared, column] for board in indexed], dtype=np.float64)
            for column in (name, *ends)
        )
        error = np.sqrt(values.var(axis=0, ddof=1) / len(boards) + _over_tasks(low, high))
        centre = values.mean(axis=0)
        pooled[name], pooled[ends[0]], pooled[ends[1]] = centre, centre - Z * error, centre + Z * error
    return pooled.reset_index().assign(n_seeds=len(boards))


def _over_tasks(low: FloatArray, high: FloatArray) -> FloatArray:
    """(rows,) squared standard error over tasks, mean over the runs; of bounds (runs, rows).

    NaN where a run has no interval, and where no interval of a row has a width.
    """
    squares = ((high - low) / (2 * Z)) ** 2
    known = low != high  # NaN is not equal to NaN
    counts = known.sum(axis=0)
    sums = np.where(known, squares, 0.0).sum(axis=0)
    return np.where(counts, sums / np.maximum(counts, 1), np.nan)


def without_interval(table: pd.DataFrame) -> str:
    """Why values lack an interval of any width, to follow "no interval"; "" where none does for that."""
    if (table["low"] == table["high"]).any():
        return "where the resamples do not differ"
    if "n_seeds" not in table:
        return ""
    # a pooled value has none where its resamples do not differ, nor where a run had too few tasks for one
    lacks = (table["n_seeds"] > 1) & table["low"].isna() & table["value"].notna()
    return "where the resamples do not differ or a seed has too few tasks" if lacks.any() else ""

"""Success rates: per policy, by length of the task, and paired differences between policies.

Rates are fractions. The optional column `run_seed` of a frame is the seed of the training run: intervals of a
policy with several runs are over seeds and tasks, of one run over tasks alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from spa_lab.stats import (
    Interval,
    clustered_wilson,
    crossed_bootstrap,
    paired_bootstrap,
    same_resamples,
    wilson,
)
from spa_lab.types import FloatArray

Bin = tuple[int, int | None]
"""First and last length of a bin in steps, both included; None: no upper end."""
LengthColumn = Literal["expert_length", "n_steps"]

_RATE = ("k", "n", "success", "low", "high", "n_seeds")
LENGTH_BINS: tuple[Bin, ...] = ((1, 4), (5, 9), (10, 14), (15, 19), (20, 24), (25, 29), (30, None))


def success_by_length(
    frame: pd.DataFrame,
    *,
    bins: Sequence[Bin] = LENGTH_BINS,
    by: LengthColumn = "expert_length",
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Success rate of every policy in every bin of lengths, empty bins included.

    Columns:
        policy: str, in order of appearance.
        by: str, the column that the bins are of.
        bin: str, e.g. "5–9", "30+".
        k, n: int64, successes, and trajectories whose success is known; others do not count.
        success, low, high: float64, k / n with its 95 % interval; NaN where n = 0. For one training run
            Wilson's, with tasks as clusters (`stats.clustered_wilson`); for several runs `rate_over_runs`,
            whose rate is the mean over tasks: another one than k / n where some tasks have more episodes.
        n_seeds: int64, training runs.

    Args:
        frame: of `trajectories_frame`, N rows; see the module for several runs.
        bins: ascending, not overlapping.
        by: "expert_length" compares like with like; "n_steps" is the length of the episode itself, so that
            failures at the step limit are all long, and bins of several runs hold different tasks, which
            is an error.
        rng: random numbers of the bootstrap, the same for every row; required if a policy has several runs.

    Raises:
        ValueError: bins that overlap or descend, a length that is missing or in no bin (names trajectory and
            length), an unknown `by`, or as `rate_over_runs`.
    """
    if by not in get_args(LengthColumn):
        raise ValueError(f"by must be one of {get_args(LengthColumn)}, got {by!r}")
    in_bin = bin_index(frame, bins, by)
    fresh = _fresh(rng)
    rows = []
    for policy in frame["policy"].unique():
        is_policy = frame["policy"] == policy
        for i, edges in enumerate(bins):
            rate = _rate(frame[is_policy & (in_bin == i)], fresh())
            rows.append({"policy": policy, "by": by, "bin": bin_label(edges)} | rate)
    return pd.DataFrame(rows, columns=["policy", "by", "bin", *_RATE])


def success_table(frame: pd.DataFrame, *, rng: np.random.Generator | None = None) -> pd.DataFrame:
    """One row per policy: success rate, grounding, length of its episodes.

    Columns:
        policy: str, in order of appearance.
        k, n: int64, successes, and trajectories whose success is known; others do not count.
        success, low, high: float64, k / n with its 95 % interval, and n_seeds: int64; as in
            `success_by_length`.
        outcome: float64 in [0, 1], mean R.
        grounding: float64 in [0, 1], executable steps among all steps of the policy. The paper does not say
            whether it averages over steps or trajectories; for the latter take
            `frame.groupby("policy").grounding.mean()`.
        mean_steps: float64, mean T.

    Args:
        frame: of `trajectories_frame`, N rows; see the module for several runs.
        rng: random numbers of the bootstrap, the same for every row; required if a policy has several runs.

    Raises:
        ValueError: as `rate_over_runs`.
    """
    rows, fresh = [], _fresh(rng)
    for policy in frame["policy"].unique():
        subset = frame[frame["policy"] == policy]
        rows.append(
            {"policy": policy}
            | _rate(subset, fresh())
            | {
                "outcome": float(subset["outcome"].mean()),
                "grounding": _grounding(subset),
                "mean_steps": float(subset["n_steps"].mean()),
            }
        )
    return pd.DataFrame(rows, columns=["policy", *_RATE, "outcome", "grounding", "mean_steps"])


def differences_table(
    frame: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Success of one policy minus that of another on the same tasks, one row per pair.

    Columns:
        ours, theirs: str, the two policies.
        low, point, high: float64, the difference with its 95 % interval by the paired bootstrap, over tasks
            and the training runs that both have.
        n, n_seeds: int64, tasks and training runs.
        method: str, how the interval was made.

    Args:
        frame: of `trajectories_frame`, N rows; see the module for several runs.
        pairs: (ours, theirs); a pair is left out if the frame lacks one of the two.
        rng: random numbers of the bootstrap, the same for every pair.

    Raises:
        ValueError: two policies share no run, or as `rate_over_runs`.
    """
    rows, fresh = [], same_resamples(rng)
    for pair in pairs:
        ours, theirs = (_with_runs(frame[frame["policy"] == policy]) for policy in pair)
        if len(ours) and len(theirs):
            if not set(ours["run_seed"]) & set(theirs["run_seed"]):
                raise ValueError(f"{pair[0]!r} and {pair[1]!r} share no training run")
            first, second, n_seeds = paired_scores(ours, theirs)
            facts = asdict(paired_bootstrap(first, second, rng=fresh())) | {"n_seeds": n_seeds}
            rows.append({"ours": pair[0], "theirs": pair[1]} | facts)
    return pd.DataFrame(rows, columns=["ours", "theirs", "low", "point", "high", "n", "n_seeds", "method"])


def rate_over_runs(frame: pd.DataFrame, *, rng: np.random.Generator) -> Interval:
    """Success rate of one policy over its training runs and their common tasks.

    The crossed bootstrap over tasks and seeds. If all scores are equal there is nothing to resample; the
    interval is then Wilson's with the tasks as trials, as for a single seed.

    Args:
        frame: rows of one policy, with the column `run_seed`.
        rng: random numbers of the bootstrap.

    Raises:
        ValueError: a run lacks a task that another run played (names run and task).
    """
    scores = task_scores(frame, list(frame["task_id"].unique()))
    n_tasks = scores.shape[1]
    if scores.min() == scores.max() and scores.max() in (0.0, 1.0):
        return wilson(int(scores.max()) * n_tasks, n_tasks)
    return crossed_bootstrap(scores, rng=rng)


def intervals_in_words(table: pd.DataFrame) -> str:
    """Kind of the intervals in a table of this module, and the number of seeds, as a phrase."""
    seeds = table.loc[table["n"] > 0, "n_seeds"] if table["n"].any() else table["n_seeds"]
    n_seeds, fewest = int(seeds.max()), int(seeds.min())
    if n_seeds > 1:
        up_to = "" if fewest == n_seeds else "up to "
        return f"95 % bootstrap intervals over tasks and {up_to}{n_seeds} seeds"
    return "95 % Wilson intervals over tasks (1 seed)"


def bin_index(frame: pd.DataFrame, bins: Sequence[Bin], by: LengthColumn) -> pd.Series:
    """Index of the bin of every row.

    Raises:
        ValueError: bins that overlap or descend, or a length that is missing or in no bin (names trajectory
            and length).
    """
    _check_bins(bins)
    found = pd.Series(-1, index=frame.index)
    for i, (first, last) in enumerate(bins):
        inside = frame[by] >= first if last is None else frame[by].between(first, last)
        found[inside.fillna(False).astype(bool)] = i
    outside = frame[found == -1]
    if len(outside):
        raise ValueError(
            f"{len(outside)} of {len(frame)} trajectories are in no bin, the first is "
            f"{outside['trajectory_id'].iloc[0]!r} with {by} = {outside[by].iloc[0]}"
        )
    return found


def bin_label(edges: Bin) -> str:
    """Label of a bin: "5–9", "7" or "30+"."""
    first, last = edges
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}–{last}"


def _fresh(rng: np.random.Generator | None) -> Callable[[], np.random.Generator | None]:
    """The same random numbers for every row of a table; None without any."""
    return (lambda: None) if rng is None else same_resamples(rng)


def _rate(frame: pd.DataFrame, rng: np.random.Generator | None) -> dict[str, Any]:
    """The columns `_RATE`, of the rows of one policy."""
    frame = frame[frame["success"].notna()]
    k, n, n_seeds = int(frame["success"].sum()), len(frame), _with_runs(frame)["run_seed"].nunique()
    if n == 0:
        return dict(zip(_RATE, (0, 0, math.nan, math.nan, math.nan, 0), strict=True))
    if n_seeds > 1 and rng is None:
        raise ValueError(
            f"{frame['policy'].iloc[0]!r} has {n_seeds} training runs: pass rng for the interval"
        )
    interval = _rate_of_run(frame) if rng is None or n_seeds == 1 else rate_over_runs(frame, rng=rng)
    return dict(zip(_RATE, (k, n, interval.point, interval.low, interval.high, n_seeds), strict=True))


def _rate_of_run(frame: pd.DataFrame) -> Interval:
    """Wilson's interval, with tasks as clusters; an episode without `task_id` is of a task of its own."""
    tasks = np.arange(len(frame))
    if "task_id" in frame:
        codes = pd.factorize(frame["task_id"])[0]
        tasks = np.where(codes < 0, -1 - tasks, codes)
    of_task = frame["success"].astype(int).groupby(tasks, sort=False)
    return clustered_wilson(of_task.sum().tolist(), of_task.count().tolist())


def _grounding(frame: pd.DataFrame) -> float:
    """Executable steps among the steps of which it is known."""
    n_known = frame.get("n_grounding_known", frame["n_steps"])
    executed = (frame["grounding"].fillna(0.0) * n_known).sum()
    return float(executed / n_known.sum()) if n_known.sum() else math.nan


def _with_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """With the column `run_seed`; a frame without it is of one run."""
    return frame if "run_seed" in frame else frame.assign(run_seed=0)


def paired_scores(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[FloatArray, FloatArray, int]:
    """Success of two policies on the seeds that both have, (K, tasks) each in the same order, and K."""
    shared = sorted(set(ours["run_seed"]) & set(theirs["run_seed"]))
    tasks = list(pd.concat([ours, theirs])["task_id"].unique())
    first, second = (task_scores(side[side["run_seed"].isin(shared)], tasks) for side in (ours, theirs))
    return first, second, len(shared)


def task_scores(frame: pd.DataFrame, tasks: Sequence[str]) -> FloatArray:
    """(K, tasks) float64: success of every run on every task, the mean over its episodes.

    Raises:
        ValueError: a run lacks a task (names run and task).
    """
    scores = frame.groupby(["run_seed", "task_id"])["success"].mean().unstack().reindex(columns=list(tasks))
    missing = np.argwhere(scores.isna().to_numpy())
    if len(missing):
        seed, task = scores.index[missing[0][0]], tasks[missing[0][1]]
        raise ValueError(
            f"{frame['policy'].iloc[0]!r}: the run with seed {seed} lacks task {task!r}, or knows no success"
        )
    return scores.to_numpy(dtype=np.float64)


def _check_bins(bins: Sequence[Bin]) -> None:
    previous: float = -math.inf
    for edges in bins:
        first, last = edges
        end = math.inf if last is None else last
        if first <= previous or end < first:
            raise ValueError(
                f"bins must ascend and not overlap: {edges} follows a bin that ends at {previous}"
            )
        previous = end

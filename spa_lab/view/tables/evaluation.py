"""Counting: success by length of the task, one line per policy, policies against each other.

Rates are fractions. A policy that was trained several times has the column `run_seed` in its frame: the seed
of the training run. Its intervals are then over seeds and tasks; without it they are over tasks alone.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from spa_lab.stats import Interval, crossed_bootstrap, paired_bootstrap, wilson
from spa_lab.types import FloatArray

Bin = tuple[int, int | None]
"""First and last length of a bin, steps, both included; no last length means no end."""
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
        k, n: int64, successes and trajectories.
        success, low, high: float64, k / n with its 95 % interval; NaN where n = 0. Of one training run it is
            Wilson's, for which trajectories count as independent; several of one task are not quite. Of
            several runs it is `rate_over_runs`.
        n_seeds: int64, training runs behind it.

    Args:
        frame: of `trajectories_frame`, N rows; see the module for several runs.
        bins: ascending, not overlapping.
        by: "expert_length" compares like with like; "n_steps" is what the policy itself needed, and failures
            that ran into the step limit are then all long. Bins of several runs
            then hold different tasks, and are refused.
        rng: draws the resamples; needed where a policy has several runs.

    Raises:
        ValueError: bins that overlap or descend, a length that is missing or in no bin (names trajectory and
            length), an unknown `by`, or as `rate_over_runs`.
    """
    if by not in get_args(LengthColumn):
        raise ValueError(f"by must be one of {get_args(LengthColumn)}, got {by!r}")
    _check_bins(bins)
    place = _places(frame, bins, by)
    rows = []
    for policy in frame["policy"].unique():
        own = frame["policy"] == policy
        for number, edges in enumerate(bins):
            rate = _rate(frame[own & (place == number)], rng)
            rows.append({"policy": policy, "by": by, "bin": bin_label(edges)} | rate)
    return pd.DataFrame(rows, columns=["policy", "by", "bin", *_RATE])


def success_table(frame: pd.DataFrame, *, rng: np.random.Generator | None = None) -> pd.DataFrame:
    """One row per policy: how often it succeeds, how well it is grounded, how long it takes.

    Columns:
        policy: str, in order of appearance.
        k, n: int64, successes and trajectories.
        success, low, high: float64, k / n with its 95 % interval, and n_seeds: int64; as in
            `success_by_length`.
        outcome: float64 in [0, 1], mean R.
        grounding: float64 in [0, 1], executable steps among all steps of the policy. For the mean over
            trajectories take `frame.groupby("policy").grounding.mean()`; the paper does not say which.
        mean_steps: float64, mean T.

    Args:
        frame: of `trajectories_frame`, N rows; see the module for several runs.
        rng: draws the resamples; needed where a policy has several runs.

    Raises:
        ValueError: as `rate_over_runs`.
    """
    rows = []
    for policy in frame["policy"].unique():
        own = frame[frame["policy"] == policy]
        rows.append(
            {"policy": policy}
            | _rate(own, rng)
            | {
                "outcome": float(own["outcome"].mean()),
                "grounding": float((own["grounding"] * own["n_steps"]).sum() / own["n_steps"].sum()),
                "mean_steps": float(own["n_steps"].mean()),
            }
        )
    return pd.DataFrame(rows, columns=["policy", *_RATE, "outcome", "grounding", "mean_steps"])


def differences_table(
    frame: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Success of one policy less that of another on the same tasks, one row per pair.

    Columns:
        ours, theirs: str, the two policies.
        low, point, high: float64, the difference with its 95 % interval by the paired bootstrap, over tasks
            and the training runs that both have.
        n, n_seeds: int64, tasks and training runs behind it.
        method: str, how the interval was made.

    Args:
        frame: of `trajectories_frame`, N rows; see the module for several runs.
        pairs: (ours, theirs); those of which the frame lacks one are left out.
        rng: draws the resamples.

    Raises:
        ValueError: two policies share no run, or as `rate_over_runs`.
    """
    rows = []
    for pair in pairs:
        ours, theirs = (_with_runs(frame[frame["policy"] == policy]) for policy in pair)
        if len(ours) and len(theirs):
            shared = sorted(set(ours["run_seed"]) & set(theirs["run_seed"]))
            if not shared:
                raise ValueError(f"{pair[0]!r} and {pair[1]!r} share no training run to be compared in")
            both = pd.concat([ours, theirs])
            tasks = list(both["task_id"].unique())
            scores = [_scores(side[side["run_seed"].isin(shared)], tasks) for side in (ours, theirs)]
            facts = asdict(paired_bootstrap(*scores, rng=rng)) | {"n_seeds": len(shared)}
            rows.append({"ours": pair[0], "theirs": pair[1]} | facts)
    return pd.DataFrame(rows, columns=["ours", "theirs", "low", "point", "high", "n", "n_seeds", "method"])


def rate_over_runs(own: pd.DataFrame, *, rng: np.random.Generator) -> Interval:
    """Success rate of one policy over its training runs and their common tasks.

    The crossed bootstrap over tasks and seeds. Where every score is the same it has nothing to resample; the
    interval is then Wilson's with the tasks as trials, as if all seeds were one.

    Args:
        own: rows of one policy, with the column `run_seed`.
        rng: draws the resamples.

    Raises:
        ValueError: a run did not play a task that another did (names run and task).
    """
    scores = _scores(own, list(own["task_id"].unique()))
    n_tasks = scores.shape[1]
    if scores.min() == scores.max() and scores.max() in (0.0, 1.0):
        return wilson(int(scores.max()) * n_tasks, n_tasks)
    return crossed_bootstrap(scores, rng=rng)


def intervals_in_words(table: pd.DataFrame) -> str:
    """What the intervals of a table of this module are, and of how many training runs."""
    n_seeds = int(table["n_seeds"].max())
    if n_seeds > 1:
        return f"95 % bootstrap intervals over tasks and up to {n_seeds} seeds"
    return "95 % Wilson intervals (1 seed)"


def bin_label(edges: Bin) -> str:
    """A bin in words: "5–9", "7" or "30+"."""
    first, last = edges
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}–{last}"


def _rate(own: pd.DataFrame, rng: np.random.Generator | None) -> dict[str, Any]:
    """The columns `_RATE` of the rows of one policy."""
    k, n, n_seeds = int(own["success"].sum()), len(own), _with_runs(own)["run_seed"].nunique()
    if n == 0:
        return dict(zip(_RATE, (0, 0, math.nan, math.nan, math.nan, 0), strict=True))
    if n_seeds > 1 and rng is None:
        raise ValueError(f"{own['policy'].iloc[0]!r} has {n_seeds} training runs: pass rng for the interval")
    interval = wilson(k, n) if rng is None or n_seeds == 1 else rate_over_runs(own, rng=rng)
    return dict(zip(_RATE, (k, n, interval.point, interval.low, interval.high, n_seeds), strict=True))


def _with_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """With the column `run_seed`; without one all is of one run."""
    return frame if "run_seed" in frame else frame.assign(run_seed=0)


def _scores(own: pd.DataFrame, tasks: Sequence[str]) -> FloatArray:
    """(K, tasks) success of every run on every task, the mean of several episodes."""
    scores = own.groupby(["run_seed", "task_id"])["success"].mean().unstack().reindex(columns=list(tasks))
    missing = np.argwhere(scores.isna().to_numpy())
    if len(missing):
        seed, task = scores.index[missing[0][0]], tasks[missing[0][1]]
        raise ValueError(f"{own['policy'].iloc[0]!r}: the run with seed {seed} did not play task {task!r}")
    return scores.to_numpy(dtype=np.float64)


def _check_bins(bins: Sequence[Bin]) -> None:
    previous: float = -math.inf
    for edges in bins:
        first, last = edges
        end = math.inf if last is None else last
        if first <= previous or end < first:
            raise ValueError(f"bins must ascend and not overlap: {edges} follows one that ends at {previous}")
        previous = end


def _places(frame: pd.DataFrame, bins: Sequence[Bin], by: LengthColumn) -> pd.Series:
    """Number of the bin of every row."""
    place = pd.Series(-1, index=frame.index)
    for number, (first, last) in enumerate(bins):
        inside = frame[by] >= first if last is None else frame[by].between(first, last)
        place[inside.fillna(False).astype(bool)] = number
    lost = frame[place == -1]
    if len(lost):
        raise ValueError(
            f"{len(lost)} of {len(frame)} trajectories are in no bin, the first is "
            f"{lost['trajectory_id'].iloc[0]!r} with {by} = {lost[by].iloc[0]}"
        )
    return place

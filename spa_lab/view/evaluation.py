"""Counting: success by length of the task, and one line per policy. Rates are fractions."""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import pandas as pd

from spa_lab.stats import wilson

Bin = tuple[int, int | None]
"""First and last length of a bin, steps, both included; no last length means no end."""
LengthColumn = Literal["expert_length", "n_steps"]

LENGTH_BINS: tuple[Bin, ...] = ((1, 4), (5, 9), (10, 14), (15, 19), (20, 24), (25, 29), (30, None))


def success_by_length(
    frame: pd.DataFrame, *, bins: Sequence[Bin] = LENGTH_BINS, by: LengthColumn = "expert_length"
) -> pd.DataFrame:
    """Success rate of every policy in every bin of lengths, empty bins included.

    Columns:
        policy: str, in order of appearance.
        by: str, the column that the bins are of.
        bin: str, e.g. "5–9", "30+".
        k, n: int64, successes and trajectories.
        success, low, high: float64, k / n with its 95 % Wilson interval; NaN where n = 0. Trajectories count
            as independent; several of one task are not quite.

    Args:
        frame: of `trajectories_frame`, N rows.
        bins: ascending, not overlapping.
        by: "expert_length" compares like with like; "n_steps" is what the policy itself needed, and failures
            that ran into the step limit are then all long.

    Raises:
        ValueError: bins that overlap or descend, a length that is missing or in no bin (names trajectory and
            length), or an unknown `by`.
    """
    if by not in get_args(LengthColumn):
        raise ValueError(f"by must be one of {get_args(LengthColumn)}, got {by!r}")
    _check_bins(bins)
    place = _places(frame, bins, by)
    rows = []
    for policy in frame["policy"].unique():
        own = frame["policy"] == policy
        for number, edges in enumerate(bins):
            members = frame["success"][own & (place == number)]
            rate = _rate(int(members.sum()), len(members))
            rows.append({"policy": policy, "by": by, "bin": bin_label(edges)} | rate)
    return pd.DataFrame(rows, columns=["policy", "by", "bin", "k", "n", "success", "low", "high"])


def success_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per policy: how often it succeeds, how well it is grounded, how long it takes.

    Columns:
        policy: str, in order of appearance.
        k, n: int64, successes and trajectories.
        success, low, high: float64, k / n with its 95 % Wilson interval; as in `success_by_length`.
        grounding: float64 in [0, 1], executable steps among all steps of the policy. For the mean over
            trajectories take `frame.groupby("policy").grounding.mean()`; the paper does not say which.
        mean_steps: float64, mean T.

    Args:
        frame: of `trajectories_frame`, N rows.
    """
    rows = []
    for policy in frame["policy"].unique():
        own = frame[frame["policy"] == policy]
        rows.append(
            {"policy": policy}
            | _rate(int(own["success"].sum()), len(own))
            | {
                "grounding": float((own["grounding"] * own["n_steps"]).sum() / own["n_steps"].sum()),
                "mean_steps": float(own["n_steps"].mean()),
            }
        )
    columns = ["policy", "k", "n", "success", "low", "high", "grounding", "mean_steps"]
    return pd.DataFrame(rows, columns=columns)


def bin_label(edges: Bin) -> str:
    """A bin in words: "5–9", "7" or "30+"."""
    first, last = edges
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}–{last}"


def _rate(k: int, n: int) -> dict[str, Any]:
    if n == 0:
        return {"k": 0, "n": 0, "success": math.nan, "low": math.nan, "high": math.nan}
    interval = wilson(k, n)
    return {"k": k, "n": n, "success": interval.point, "low": interval.low, "high": interval.high}


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

"""Success while training: over the episodes learnt from, and over the wall time that they took."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from spa_lab.stats import bootstrap, same_resamples

Against = Literal["episodes", "seconds"]
COLUMNS = ("policy", "value", "low", "high", "n_seeds")
"""Of the table, besides `episodes` or `seconds`."""
LEAST_SEEDS = 3
"""Seeds from which there is a band: of two, every resample is one of them or their mean."""


def learning_table(
    curves: pd.DataFrame, against: Against = "episodes", *, rng: np.random.Generator
) -> pd.DataFrame:
    """Success of the episodes that a policy learns from, over their number or the time that they took.

    Columns:
        policy: str, in order of appearance.
        episodes or seconds: float64, learnt from, or spent, up to and with this iteration; mean over the
            seeds.
        value, low, high: float64, mean over the seeds with its 95 % percentile bootstrap interval over
            seeds; NaN with fewer than `LEAST_SEEDS`. With few seeds the interval is too narrow.
        n_seeds: int64.

    Args:
        curves: a row per policy, seed and iteration with `policy`, `run_seed`, `iteration`, `success` and
            the column `against`. An iteration that not all seeds of a policy have is left out, and so is one
            without a number in that column.
        against: what success is drawn over.
        rng: draws the resamples.
    """
    rows: list[Mapping[str, Any]] = []
    fresh = same_resamples(rng)
    for policy in curves["policy"].unique():
        subset = curves[(curves["policy"] == policy) & curves[against].notna() & curves["success"].notna()]
        n_seeds = subset["run_seed"].nunique()
        for _, group in subset.groupby("iteration"):
            if len(group) == n_seeds:
                interval = bootstrap(group["success"], np.mean, rng=fresh())
                has_band = n_seeds >= LEAST_SEEDS
                rows.append(
                    {"policy": policy, against: float(group[against].mean()), "value": interval.point}
                    | {"low": interval.low if has_band else np.nan}
                    | {"high": interval.high if has_band else np.nan, "n_seeds": n_seeds}
                )
    return pd.DataFrame(rows, columns=[COLUMNS[0], against, *COLUMNS[1:]])


def with_seconds(curves: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """The curves with a column `seconds`: wall time of the policy's own stages, by its share of the episodes.

    The time of a single iteration is not recorded, so the whole time is spread evenly over the episodes; NaN
    where no time is known.

    Args:
        curves: with `env`, `policy`, `run_seed` and `episodes`, which rises with the iterations.
        costs: a row per policy, seed and world with `env`, `policy`, `run_seed` and `seconds`.
    """
    if costs.empty:  # its columns have no types to join by
        return curves.assign(seconds=np.nan)
    keys = ["env", "policy", "run_seed"]
    spent = curves[keys].merge(costs[[*keys, "seconds"]], on=keys, how="left")["seconds"].to_numpy(np.float64)
    whole = curves.groupby(keys)["episodes"].transform("max")
    share = (curves["episodes"] / whole.where(whole > 0)).to_numpy(dtype=np.float64)
    return curves.assign(seconds=spent * share)

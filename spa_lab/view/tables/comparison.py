"""Policies compared over seeds and tasks: aggregates, differences to a reference, profiles, power, costs.

Frames of episodes have the columns of `frames.trajectories_frame` that are used here, `run_seed` (the seed of
the training run) and `kind` (the type of a task), and hold one panel of one world. Rates are fractions.

Success of a single episode is 0 or 1. Aggregates over scores (interquartile mean, profiles, probability of
improvement) therefore take as a score the success rate of a seed on a type of tasks.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.stats import (
    Interval,
    difference_variance,
    holm,
    improvement_interval,
    iqm,
    paired_difference,
    performance_profile,
    same_resamples,
    stratified_bootstrap,
)
from spa_lab.types import FloatArray
from spa_lab.view.tables.evaluation import paired_scores, success_table

THRESHOLDS = np.linspace(0.0, 1.0, 51)
"""Success rates at which profiles are drawn."""
PUBLISHED_MARGIN = 0.015
"""What the paper reports over its strongest baseline on ALFWorld: 79.1 against 77.6 % (arXiv:2505.20732)."""
_AGAINST = (
    "difference", "difference_low", "difference_high", "p", "p_holm", "shared_seeds",
    "improvement", "improvement_low", "improvement_high",
)  # fmt: skip


def comparison_table(
    frame: pd.DataFrame, reference: str, *, rng: np.random.Generator, apart: Sequence[str] = ()
) -> pd.DataFrame:
    """One row per policy: success, aggregates, and its difference to the reference.

    Columns:
        those of `evaluation.success_table`;
        iqm, iqm_low, iqm_high: float64, interquartile mean over seeds and types of tasks, with the interval
            of the stratified bootstrap; NaN with fewer than 2 seeds, or where the resamples do not differ.
        difference, difference_low, difference_high: float64, success minus the reference's on the same tasks
            and seeds, with the interval of the paired bootstrap; NaN for the reference.
        p, p_holm: float64, its p value (`stats.PairedDifference`), and adjusted by Holm's rule for the number
            of policies in this table that are compared with the reference.
        shared_seeds: Int64, seeds that both have.
        improvement, improvement_low, improvement_high: float64, `stats.probability_of_improvement` over the
            reference, over types of tasks; NaN with fewer than 2 seeds on a side, its interval also where the
            resamples do not differ.

    Args:
        frame: of episodes, see the module.
        reference: a policy; if the frame lacks it, the columns of the comparison are NaN.
        rng: random numbers of the bootstraps; every policy gets the same, so that its numbers do not depend
            on which others there are.
        apart: policies that are shown but not compared, and not counted by Holm's rule.

    Raises:
        ValueError: a run lacks a task that another one played.
    """
    table, fresh = success_table(frame, rng=rng), same_resamples(rng)
    rows = []
    for policy in table["policy"]:
        ours = frame[frame["policy"] == policy]
        row = _aggregate(ours, fresh())
        theirs = frame[frame["policy"] == reference]
        if policy not in (reference, *apart) and set(ours["run_seed"]) & set(theirs["run_seed"]):
            row |= _against(ours, theirs, fresh())
        rows.append(row)
    names = ["iqm", "iqm_low", "iqm_high", *_AGAINST]
    more = pd.DataFrame(rows, columns=names).astype({"shared_seeds": "Int64"})
    return pd.concat([table, more.assign(p_holm=holm(list(more["p"])))], axis=1)


def _aggregate(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    scores = kind_scores(frame)
    if len(scores) < 2:
        return {"iqm": iqm(scores), "iqm_low": math.nan, "iqm_high": math.nan}
    interval = stratified_bootstrap(scores, iqm, rng=rng)
    return dict(zip(("iqm", "iqm_low", "iqm_high"), _resampled(interval), strict=True))


def _resampled(interval: Interval) -> tuple[float, float, float]:
    """Point and bounds of a bootstrap; no bounds of width 0, which would say that nothing is uncertain."""
    if interval.low == interval.high:
        return interval.point, math.nan, math.nan
    return interval.point, interval.low, interval.high


def _against(ours: pd.DataFrame, theirs: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    first, second, n_seeds = paired_scores(ours, theirs)
    made = paired_difference(first, second, rng=rng)
    facts = (made.interval.point, made.interval.low, made.interval.high, made.p, math.nan, n_seeds)
    better = (math.nan,) * 3
    sides = [kind_scores(side) for side in (ours, theirs)]
    if min(map(len, sides)) > 1:
        interval = improvement_interval(*sides, rng=rng)
        better = _resampled(interval)
    return dict(zip(_AGAINST, (*facts, *better), strict=True))


def kind_scores(frame: pd.DataFrame) -> FloatArray:
    """(K, types) float64: success rate of every seed on every type of tasks; one type if none is known."""
    kinds = frame["kind"].fillna("all").astype(str)
    rates = frame.assign(kind=kinds).groupby(["run_seed", "kind"])["success"].mean().unstack()
    return rates.to_numpy(dtype=np.float64)


def seed_table(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Success of every training seed by itself, and what it is above the reference's of the same seed.

    The mean of `difference` over the seeds of a policy is its difference in `comparison_table`.

    Columns:
        policy: str, in order of appearance; run_seed: int64, ascending.
        n: int64, episodes whose success is known.
        success: float64 in [0, 1].
        difference: float64, on the same tasks; NaN for the reference, and for a seed that it lacks.

    Args:
        frame: of episodes, see the module.
        reference: a policy; if the frame lacks it, all differences are NaN.

    Raises:
        ValueError: a run lacks a task that one of the reference played.
    """
    theirs = frame[frame["policy"] == reference]
    rows = []
    for policy in frame["policy"].unique():
        ours = frame[frame["policy"] == policy]
        apart: dict[int, float] = {}
        shared = sorted(set(ours["run_seed"]) & set(theirs["run_seed"]))
        if shared and policy != reference:
            first, second, _ = paired_scores(ours, theirs)
            apart = dict(zip(shared, (first - second).mean(axis=1), strict=True))
        for seed, successes in ours.groupby("run_seed")["success"]:
            rows.append(
                {"policy": policy, "run_seed": seed, "n": successes.count(), "success": successes.mean()}
                | {"difference": apart.get(seed, math.nan)}
            )
    return pd.DataFrame(rows, columns=["policy", "run_seed", "n", "success", "difference"])


def kind_table(frame: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Success by type of task: the columns of `evaluation.success_table`, and `kind`."""
    kinds, fresh = frame["kind"].fillna("all").astype(str), same_resamples(rng)
    tables = [
        success_table(frame[kinds == kind], rng=fresh()).assign(kind=kind) for kind in sorted(kinds.unique())
    ]
    return pd.concat(tables, ignore_index=True)


def profile_table(frame: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Performance profiles: share of seeds and types of tasks whose success rate is above a threshold.

    Columns:
        policy: str, in order of appearance; one with fewer than 2 seeds is left out.
        threshold: float64 in [0, 1].
        value, low, high: float64 in [0, 1], with pointwise 95 % intervals over seeds.
        n_seeds: int64.
    """
    rows: list[dict[str, Any]] = []
    fresh = same_resamples(rng)
    for policy in frame["policy"].unique():
        scores = kind_scores(frame[frame["policy"] == policy])
        if len(scores) > 1:
            profile = performance_profile(scores, THRESHOLDS, rng=fresh())
            rows += [
                {"policy": policy, "threshold": float(threshold), "value": interval.point}
                | {"low": interval.low, "high": interval.high, "n_seeds": len(scores)}
                for threshold, interval in zip(THRESHOLDS, profile, strict=True)
            ]
    return pd.DataFrame(rows, columns=["policy", "threshold", "value", "low", "high", "n_seeds"])


def power_table(frame: pd.DataFrame, reference: str, *, margin: float = PUBLISHED_MARGIN) -> pd.DataFrame:
    """What this comparison could have found, and what it would take to find a margin.

    Columns:
        policy: str; those that share at least 2 seeds with the reference.
        seeds, tasks: int64, shared.
        sd_seed, sd_task, sd_rest: float64, square roots of `stats.DifferenceVariance`.
        detectable: float64, true difference that these seeds and tasks find with probability 0.8.
        margin: float64, the one asked for.
        tasks_needed, seeds_needed: float64, with these seeds and with these tasks; infinity if no number is
            enough. These and `detectable` are NaN where all pairs differ alike: no variance was measured
            then, which does not make it 0.

    Args:
        frame: of episodes, see the module.
        reference: a policy.
        margin: true difference to find, a fraction.
    """
    rows = []
    theirs = frame[frame["policy"] == reference]
    for policy in frame["policy"].unique():
        ours = frame[frame["policy"] == policy]
        if policy == reference or len(set(ours["run_seed"]) & set(theirs["run_seed"])) < 2:
            continue
        first, second, n_seeds = paired_scores(ours, theirs)
        n_tasks = first.shape[1]
        if n_tasks < 2:
            continue
        found = difference_variance(first, second)
        measured = 1.0 if np.ptp(first - second) else math.nan
        rows.append(
            {"policy": policy, "seeds": n_seeds, "tasks": n_tasks, "sd_seed": math.sqrt(found.seed)}
            | {"sd_task": math.sqrt(found.task), "sd_rest": math.sqrt(found.rest)}
            | {"detectable": measured * found.detectable(n_seeds, n_tasks), "margin": margin}
            | {"tasks_needed": measured * found.tasks_needed(margin, n_seeds)}
            | {"seeds_needed": measured * found.seeds_needed(margin, n_tasks)}
        )
    names = ["policy", "seeds", "tasks", "sd_seed", "sd_task", "sd_rest", "detectable", "margin"]
    return pd.DataFrame(rows, columns=[*names, "tasks_needed", "seeds_needed"])


def cost_table(costs: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of what each policy cost; `costs` has a row per policy and seed.

    A seed counts where the number is known. `n_seeds` are all seeds, `n_timed` those whose time is known.
    """
    numbers = [name for name in costs.columns if name not in ("env", "policy", "run_seed")]
    grouped = costs.groupby("policy", sort=False)
    counts = {"n_seeds": grouped["run_seed"].nunique(), "n_timed": grouped["seconds"].count()}
    return grouped[numbers].mean().assign(**counts).reset_index()


def ordered(frame: pd.DataFrame, policies: Sequence[str]) -> pd.DataFrame:
    """The rows in the order of the policies; policies that are not named come first, as they stand."""
    order = {policy: i for i, policy in enumerate(policies)}
    places = frame["policy"].map(lambda policy: order.get(policy, -1))
    return frame.assign(_place=places).sort_values("_place", kind="stable").drop(columns="_place")

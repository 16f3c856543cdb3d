"""Figures of the evaluations of runs of one setting: success, paired differences, success by length."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spa_lab.learn.methods import METHODS
from spa_lab.pipeline.evaluations import (
    TITLES,
    comparisons,
    evaluations,
    expert_lengths,
    main_panel,
    panel_by_length,
    panel_frame,
    policy_titles,
)
from spa_lab.pipeline.figures.asked import Asked, LeftOut, Made
from spa_lab.store import Run
from spa_lab.types import Trajectory
from spa_lab.view import paper
from spa_lab.view.tables.evaluation import differences_table, success_by_length, success_table

NAMES = ("success", "differences", "success-by-length")


def of_evaluations(runs: Sequence[Run], asked: Asked) -> Made:
    """Success of every policy, policies against each other, success by length."""
    played = {run: panels for run in runs if (panels := evaluations(run))}
    if not played:
        yield LeftOut("success, differences, success-by-length", "no run holds evaluations")
        return
    # a generator that depends only on the runs
    rng = np.random.default_rng([0xF16, *(run.seed for run in played)])
    first, panels = next(iter(played.items()))
    page, titles = asked.page, all_titles(list(played))
    beside = tuple(titles.values())
    panel, world = str(main_panel(panels)), str(first.config.get("env"))
    frame = _panel(played, panel, {})
    tasks = (panel, world, frame["task_id"].nunique())
    yield paper.success_figure(success_table(frame, rng=rng), columns=page, beside=beside).on_panel(*tasks)
    seeds = frame.groupby("policy")["run_seed"].agg(set)
    named = [(titles[ours], titles[theirs]) for ours, theirs in comparisons(list(titles)) if theirs in titles]
    pairs = [pair for pair in named if set(pair) <= set(seeds.index) and seeds[pair[0]] & seeds[pair[1]]]
    if pairs:
        table = differences_table(frame, pairs, rng=rng)
        yield paper.differences_figure(table, columns=page, beside=beside).on_panel(*tasks)
    else:
        yield LeftOut("differences", "no two trained policies that could be compared share a seed")
    panel = str(panel_by_length(panels))
    by_length = _panel(played, panel, expert_lengths(first))
    unknown = by_length.loc[by_length["expert_length"].isna(), "task_id"]
    if len(unknown):
        why = f"{unknown.nunique()} of {by_length['task_id'].nunique()} tasks, the first {unknown.iloc[0]!r}"
        yield LeftOut("success-by-length", f"the run does not know the expert's length for {why}")
        return
    made = paper.success_by_length_figure(success_by_length(by_length, rng=rng), columns=page, beside=beside)
    yield made.on_panel(panel, world, by_length["task_id"].nunique())


def all_titles(runs: Sequence[Run]) -> dict[str, str]:
    """Policy -> title over all runs: base, cloned, the built-in methods in their order, then others."""
    titles = {policy: title for run in runs for policy, title in policy_titles(run).items()}
    order = {policy: i for i, policy in enumerate([*TITLES, *METHODS])}
    return dict(sorted(titles.items(), key=lambda entry: order.get(entry[0], len(order))))


def _panel(
    played: Mapping[Run, Mapping[str, Mapping[str, list[Trajectory]]]], panel: str, lengths: Mapping[str, int]
) -> pd.DataFrame:
    """All evaluations on one panel; of runs with one seed, which share e.g. the clone, the first counts."""
    frames = [
        panel_frame(panels[panel], lengths).assign(run_seed=run.seed, run=i)
        for i, (run, panels) in enumerate(played.items())
        if panel in panels
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[frame["run"] == frame.groupby(["policy", "run_seed"])["run"].transform("min")]
    titles = all_titles(list(played))
    titles |= {policy: policy for policy in frame["policy"].unique() if policy not in titles}
    order = {policy: i for i, policy in enumerate(titles)}
    frame = frame.sort_values("policy", key=lambda names: names.map(order), kind="stable")
    return frame.assign(policy=frame["policy"].map(titles))

"""`spa-lab figures`: all figures for a paper that finished runs allow; runs of several seeds are pooled."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from spa_lab.configs.presets import preset_from_dict
from spa_lab.credit.fidelity import scoreboard
from spa_lab.learn.methods import METHODS
from spa_lab.pipeline.credited import credited, figure_order, long_pair
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
from spa_lab.pipeline.sources import SOURCE_TITLES
from spa_lab.store import Run
from spa_lab.types import Trajectory
from spa_lab.view import paper
from spa_lab.view.paper import Columns, PaperFigure
from spa_lab.view.paper.contributions import CreditedTrajectory
from spa_lab.view.paper.rows import most_sources
from spa_lab.view.provenance import in_words, provenance_of
from spa_lab.view.tables.advantages import AdvantageSettings
from spa_lab.view.tables.evaluation import differences_table, success_by_length, success_table
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS, pooled_scoreboard
from spa_lab.view.tables.training import training_table

CURVES = {
    "training-clone": ("clone", ("loss", "accuracy")),
    "training-estimator": ("estimate", ("loss", "bias", "share_on_last_step")),
    "training-ppo": ("ppo", ("success", "grounding", "length", "reward", "value", "kl")),
}
"""Figure -> stage whose curves are drawn, and metrics."""


class LeftOut(NamedTuple):
    """A figure that could not be made, or not as a whole."""

    name: str
    why: str


class Asked(NamedTuple):
    """Options of the figures."""

    columns: Columns = 2
    trajectory: str | None = None
    """Id of the trajectory to draw; a long success and a failure if None."""
    sources: tuple[str, ...] = ()
    """Sources to draw, in this order; as many as fit if empty."""


Made = Iterator[PaperFigure | LeftOut]


def figures(*, runs: Sequence[Path], out: Path, asked: Asked | None = None, in_caption: bool = False) -> str:
    """Write all figures and tables that the runs allow.

    Args:
        runs: folders of finished runs of one setting; those that differ in their seed alone are pooled.
        out: folder for the files; made if missing.
        asked: what to draw.
        in_caption: close every caption with n, seeds, rollouts, preset and commit.

    Returns:
        What was written, and what was left out and why.

    Raises:
        ValueError: no run, runs of different settings, or a trajectory or source that no run has.
        StoreError: a folder is no run, or the disk refused.
    """
    opened = [Run.open(path) for path in runs]
    _check_alike(opened)
    asked = asked or Asked()
    provenance = provenance_of(opened)
    lines, missing = [], []
    for make in MAKERS:
        for made in make(opened, asked):
            if isinstance(made, LeftOut):
                missing.append(f"left out: {made.name}: {made.why}")
                continue
            sentence = in_words(provenance | dict(made.facts)) if in_caption else ""
            files = made.save(out, provenance, in_caption=sentence)
            lines.append(f"{made.name:<24} {', '.join(path.name.removeprefix(made.name) for path in files)}")
    head = f"{len(lines)} figures in {out}, {'one column' if asked.columns == 1 else 'two columns'} wide"
    return "\n".join([head, "", *lines, *([""] if missing else []), *missing])


def _check_alike(runs: Sequence[Run]) -> None:
    """Runs whose settings differ are different methods, not different seeds of one."""
    if not runs:
        raise ValueError("figures: needs at least 1 run, got 0")
    first = runs[0]
    for run in runs[1:]:
        for key in ("env", "preset"):
            theirs, ours = first.config.get(key), run.config.get(key)
            if theirs != ours:
                raise ValueError(
                    f"{run.path}: {_difference(key, ours, theirs)} in {first.path}; "
                    "only runs of one setting are drawn together"
                )


def _difference(key: str, ours: Any, theirs: Any) -> str:
    """The first setting that differs: `preset.ppo.lr is 0.1, but 0.2`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        name = next(name for name in ours | theirs if ours.get(name) != theirs.get(name))
        return _difference(f"{key}.{name}", ours.get(name), theirs.get(name))
    return f"{key} is {json.dumps(ours):.40}, but {json.dumps(theirs):.40}"


def _of_trajectories(runs: Sequence[Run], asked: Asked) -> Made:
    """Contributions, running sum and advantages of single trajectories of the first run."""
    run, columns = runs[0], asked.columns
    names = ("contributions", "running-sum", "advantages")
    entries = _credited(run, asked)
    if not entries:
        yield LeftOut(", ".join(names), f"{run.path.name} holds no credits")
        return
    chosen = _chosen(entries, asked, run)
    n_shown = most_sources(paper.width_of(columns))
    for kind, entry in chosen.items():
        shown, rest = entry.credits[:n_shown], entry.credits[n_shown:]
        if rest:
            sources = ", ".join(credit.source for credit in rest)
            yield LeftOut(f"{names[0]}-{kind}", f"no space for the sources {sources}; choose with --sources")
        yield paper.contributions_figure(
            entry.trajectory,
            shown,
            entry.truth,
            name=f"{names[0]}-{kind}",
            columns=columns,
            titles=SOURCE_TITLES,
        )
        yield paper.running_sum_figure(
            *entry, name=f"{names[1]}-{kind}", columns=columns, titles=SOURCE_TITLES
        )
        yield _advantages(entry, run, name=f"{names[2]}-{kind}", columns=columns)
    for kind in {"success", "failure"} - set(chosen) if asked.trajectory is None else ():
        yield LeftOut(f"{names[0]}-{kind}", f"no {kind} has credits")


def _credited(run: Run, asked: Asked) -> list[CreditedTrajectory]:
    """All trajectories with credit; those that were measured first.

    Raises:
        ValueError: a source that is asked for gave no credit at all.
    """
    credits = run.credits()
    for source in asked.sources:
        if source not in credits:
            names = ", ".join(credits) or "none"
            raise ValueError(f"{run.path}: no source {source!r}; there are: {names}")
    order = asked.sources or figure_order(credits)
    ids = {name for by_id in credits.values() for name in by_id}
    return credited(run, _trajectories(run, ids), {source: credits[source] for source in order})


def _trajectories(run: Run, ids: set[str]) -> list[Trajectory]:
    """Those of the run that have these ids."""
    return [
        trajectory
        for entry in run.trajectory_sets()
        if any(record["id"] in ids for record in entry.peek())
        for trajectory in entry.load()
        if trajectory.id in ids
    ]


def _chosen(entries: Sequence[CreditedTrajectory], asked: Asked, run: Run) -> dict[str, CreditedTrajectory]:
    """The requested trajectory, or the longest success and the failure nearest to it in length."""
    if asked.trajectory is None:
        return long_pair(entries)
    for entry in entries:
        if entry.trajectory.id == asked.trajectory:
            kinds = {True: "success", False: "failure", None: "episode"}
            return {kinds[entry.trajectory.success]: entry}
    raise ValueError(f"{run.path}: no trajectory {asked.trajectory!r} among {len(entries)} with credits")


def _advantages(entry: CreditedTrajectory, run: Run, *, name: str, columns: Columns) -> PaperFigure | LeftOut:
    """The advantages of the first source; left out where the log does not say what they need."""
    settings = _advantage_settings(run)
    try:
        return paper.advantages_figure(
            entry.trajectory, entry.credits[0], settings, name=name, columns=columns
        )
    except ValueError as error:
        return LeftOut(name, str(error))


def _advantage_settings(run: Run) -> AdvantageSettings:
    """As the run was trained; the defaults if it was not."""
    facts = run.config.get("preset")
    if not isinstance(facts, dict):
        return AdvantageSettings()
    preset = preset_from_dict(facts)
    reward, ppo = preset.reward, preset.ppo
    return AdvantageSettings(
        alpha=reward.alpha, beta=reward.beta, gamma=ppo.gamma, lam=ppo.lam, granularity=ppo.gae_level,
        grounding_form=reward.grounding_form, residual=reward.residual,
    )  # fmt: skip


def _of_evaluations(runs: Sequence[Run], asked: Asked) -> Made:
    """Success of every policy, policies against each other, success by length."""
    played = {run: panels for run in runs if (panels := evaluations(run))}
    if not played:
        yield LeftOut("success, differences, success-by-length", "no run holds evaluations")
        return
    # a generator that depends only on the runs
    rng = np.random.default_rng([0xF16, *(run.seed for run in played)])
    first, panels = next(iter(played.items()))
    columns, titles = asked.columns, _all_titles(list(played))
    frame = _panel(played, str(main_panel(panels)), {})
    yield paper.success_figure(success_table(frame, rng=rng), columns=columns)
    seeds = frame.groupby("policy")["run_seed"].agg(set)
    named = [(titles[ours], titles[theirs]) for ours, theirs in comparisons(list(titles)) if theirs in titles]
    pairs = [pair for pair in named if set(pair) <= set(seeds.index) and seeds[pair[0]] & seeds[pair[1]]]
    if pairs:
        yield paper.differences_figure(differences_table(frame, pairs, rng=rng), columns=columns)
    else:
        yield LeftOut("differences", "no two trained policies that could be compared share a seed")
    by_length = _panel(played, str(panel_by_length(panels)), expert_lengths(first))
    unknown = by_length.loc[by_length["expert_length"].isna(), "task_id"]
    if len(unknown):
        why = f"{unknown.nunique()} of {by_length['task_id'].nunique()} tasks, the first {unknown.iloc[0]!r}"
        yield LeftOut("success-by-length", f"the run does not know the expert's length for {why}")
        return
    yield paper.success_by_length_figure(success_by_length(by_length, rng=rng), columns=columns)


def _all_titles(runs: Sequence[Run]) -> dict[str, str]:
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
    titles = _all_titles(list(played))
    titles |= {policy: policy for policy in frame["policy"].unique() if policy not in titles}
    order = {policy: i for i, policy in enumerate(titles)}
    frame = frame.sort_values("policy", key=lambda names: names.map(order), kind="stable")
    return frame.assign(policy=frame["policy"].map(titles))


def _of_scoreboards(runs: Sequence[Run], asked: Asked) -> Made:
    """Credit against the truth, where it was measured."""
    boards = [board for run in runs if (board := _board(run)) is not None]
    if not boards:
        yield LeftOut("scoreboard", "no run has measured values; see spa-lab fidelity")
        return
    figure = paper.scoreboard_figure(pooled_scoreboard(boards), columns=asked.columns, titles=SOURCE_TITLES)
    yield figure
    rest = [metric for metric in DEFAULT_METRICS if metric not in set(figure.numbers["metric"])]
    if rest:
        yield LeftOut("scoreboard", f"no space for the metrics {', '.join(rest)}; take two columns")


def _board(run: Run) -> pd.DataFrame | None:
    """The table that `spa-lab fidelity` left, or one made here of the run's truths; None without either."""
    if (rows := run.results("scoreboard")) is not None:
        table = pd.DataFrame(rows)
        numbers = ["value", "low", "high", "ceiling", "ceiling_low", "ceiling_high", "chance", "best"]
        return table.astype(dict.fromkeys(numbers, np.float64))
    measured = [(entry, entry.truth) for entry in _credited(run, Asked()) if entry.truth is not None]
    common = [{credit.source for credit in entry.credits} for entry, _ in measured]
    sources = set.intersection(*common) if common else set()
    if not sources:
        return None
    return scoreboard(
        [entry.trajectory for entry, _ in measured],
        [credit for entry, _ in measured for credit in entry.credits if credit.source in sources],
        [truth for _, truth in measured],
        rng=np.random.default_rng([run.seed, 0x5C0E]),
    )


def _of_gradients(runs: Sequence[Run], asked: Asked) -> Made:
    """Advantages before training, of the first run in which they were compared."""
    for run in runs:
        found = [entry for entry in run.result_sets() if entry.result == "gradient"]
        for entry in found:
            table = pd.DataFrame(entry.load())
            table = table.astype(dict.fromkeys(("value", "low", "high"), np.float64))
            yield paper.gradient_figure(table, name=entry.name, columns=asked.columns)
        if found:
            return
    yield LeftOut("gradient", "no run has compared advantages; see spa-lab gradient")


def _of_training(runs: Sequence[Run], asked: Asked) -> Made:
    """Metrics over the updates, one figure for each kind of training."""
    titles = _all_titles(runs)
    order = {title: i for i, title in enumerate(titles.values())}
    for name, (stage, metrics) in CURVES.items():
        curves: dict[str, dict[int, list[dict[str, Any]]]] = {}
        for run in runs:
            for curve in run.curves():
                if curve.stage == stage:
                    title = titles.get(curve.method, curve.method) if curve.method else stage
                    curves.setdefault(title, {}).setdefault(run.seed, curve.rows)
        ordered = dict(sorted(curves.items(), key=lambda entry: order.get(entry[0], len(order))))
        table = training_table(ordered, metrics)
        if table.empty:
            yield LeftOut(name, "no run was trained in this way (metrics/)")
        else:
            yield paper.training_figure(table, name=name, columns=asked.columns)


MAKERS: tuple[Callable[[Sequence[Run], Asked], Made], ...] = (
    _of_trajectories, _of_evaluations, _of_scoreboards, _of_gradients, _of_training,
)  # fmt: skip
"""In the order of the report."""

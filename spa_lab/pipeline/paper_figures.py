"""What can be drawn of finished runs: each function makes its figures, or says why it cannot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from spa_lab.credit.fidelity import scoreboard
from spa_lab.pipeline.evaluations import (
    COMPARISONS,
    NAMES,
    evaluations,
    expert_lengths,
    long_ones,
    longest_panel,
    panel_frame,
)
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import paper
from spa_lab.view.paper import Columns, PaperFigure
from spa_lab.view.paper.rows import most_sources
from spa_lab.view.tables.advantages import AdvantageSettings
from spa_lab.view.tables.evaluation import differences_table, success_by_length, success_table
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS, pooled_scoreboard
from spa_lab.view.tables.training import training_table

CURVES = {
    "training-clone": (("clone",), ("loss", "accuracy")),
    "training-estimator": (("estimate",), ("loss", "bias", "share_on_last_step")),
    "training-ppo": (
        tuple(f"ppo-{method}" for method in NAMES),
        ("success", "grounding", "length", "reward", "value", "kl"),
    ),
}
"""Figure -> files of metrics, and what is drawn of them."""


class LeftOut(NamedTuple):
    """A figure that could not be made, or not as a whole."""

    name: str
    why: str


class Asked(NamedTuple):
    """What the user wants to see."""

    columns: Columns = 2
    trajectory: str | None = None
    """Id of the trajectory to draw; a long success and a failure if None."""
    sources: tuple[str, ...] = ()
    """Sources to draw, in this order; all that have room if empty."""


Found = Iterator[PaperFigure | LeftOut]


class _Credited(NamedTuple):
    """A trajectory with what is said and measured of it."""

    trajectory: Trajectory
    credits: list[Credit]
    truth: ValueTruth | None


def _of_trajectories(runs: Sequence[Run], asked: Asked) -> Found:
    """Contributions, running sum and advantages of single trajectories of the first run."""
    names = ("contributions", "running-sum", "advantages")
    every = _credited(runs[0], asked)
    if not every:
        yield LeftOut(", ".join(names), f"{runs[0].path.name} holds no credits")
        return
    chosen = _chosen(every, asked, runs[0])
    columns, most = asked.columns, most_sources(paper.width_of(asked.columns))
    for kind, one in chosen.items():
        shown, rest = one.credits[:most], one.credits[most:]
        if rest:
            sources = ", ".join(credit.source for credit in rest)
            yield LeftOut(f"{names[0]}-{kind}", f"no room for the sources {sources}; choose with --sources")
        yield paper.contributions_figure(
            one.trajectory, shown, one.truth, name=f"{names[0]}-{kind}", columns=columns
        )
        yield paper.running_sum_figure(*one, name=f"{names[1]}-{kind}", columns=columns)
        yield paper.advantages_figure(
            one.trajectory, one.credits[0], _knobs(runs[0]), name=f"{names[2]}-{kind}", columns=columns
        )
    for kind in {"success", "failure"} - set(chosen) if asked.trajectory is None else ():
        yield LeftOut(f"{names[0]}-{kind}", f"no {kind} has credits")


def _credited(run: Run, asked: Asked) -> list[_Credited]:
    """All trajectories of which somebody gave credit; those that were measured first.

    Raises:
        ValueError: a source that is asked for gave no credit at all.
    """
    given: dict[str, dict[str, Credit]] = {}
    for name in run.names("credits"):
        for credit in run.load_credits(name):
            given.setdefault(credit.trajectory_id, {})[credit.source] = credit
    there = list(dict.fromkeys(source for credits in given.values() for source in credits))
    for source in asked.sources:
        if source not in there:
            raise ValueError(f"{run.path}: no source {source!r}; there are: {', '.join(there) or 'none'}")
    # the estimator's own first: it is what has room in one column
    order = asked.sources or sorted(there, key=lambda source: not source.lower().startswith("spa"))
    truths = run.truth()
    found = []
    for one in _trajectories(run, set(given)):
        credits = [given[one.id][source] for source in order if source in given[one.id]]
        if credits:
            found.append(_Credited(one, credits, truths.get(one.id)))
    return sorted(found, key=lambda one: one.truth is None)


def _trajectories(run: Run, ids: set[str]) -> list[Trajectory]:
    """Those of the run that have these ids."""
    return [
        one
        for name in run.names("trajectories")
        if any(record["id"] in ids for record in run.peek_trajectories(name))
        for one in run.load_trajectories(name)
        if one.id in ids
    ]


def _chosen(every: Sequence[_Credited], asked: Asked, run: Run) -> dict[str, _Credited]:
    """The one asked for, or the longest success and the failure nearest to it in length."""
    if asked.trajectory is not None:
        for one in every:
            if one.trajectory.id == asked.trajectory:
                return {"success" if one.trajectory.success else "failure": one}
        raise ValueError(f"{run.path}: no trajectory {asked.trajectory!r} among {len(every)} with credits")
    measured = {one.trajectory.id: one for one in [one for one in every if one.truth] or every}
    found = long_ones([one.trajectory for one in measured.values()])
    return {kind: measured[trajectory.id] for kind, trajectory in found.items()}


def _knobs(run: Run) -> AdvantageSettings:
    """As the run was trained; the defaults where it was not."""
    preset = run.config.get("preset")
    if not isinstance(preset, dict):
        return AdvantageSettings()
    reward, ppo = preset["reward"], preset["ppo"]
    return AdvantageSettings(
        reward["alpha"], reward["beta"], ppo["gamma"], ppo["lam"], grounding_form=reward["grounding_form"],
        residual=reward.get("residual", "kept"),  # runs of older versions do not say; they kept it
    )  # fmt: skip


def _of_evaluations(runs: Sequence[Run], asked: Asked) -> Found:
    """Success of every policy, policies against each other, success by length."""
    played = {run: evaluations(run) for run in runs if _evaluated(run)}
    if not played:
        yield LeftOut("success, differences, success-by-length", "no run was evaluated (trajectories/eval-*)")
        return
    # its own numbers, the same for the same runs
    rng = np.random.default_rng([0xF16, *(run.seed for run in played)])
    unseen = _panel(played, "unseen", {})
    columns = asked.columns
    yield paper.success_figure(success_table(unseen, rng=rng), columns=columns)
    runs_of = unseen.groupby("policy")["run_seed"].agg(set)
    pairs = [(NAMES[ours], NAMES[theirs]) for ours, theirs in COMPARISONS]
    pairs = [
        pair for pair in pairs if set(pair) <= set(runs_of.index) and runs_of[pair[0]] & runs_of[pair[1]]
    ]
    if pairs:
        yield paper.differences_figure(differences_table(unseen, pairs, rng=rng), columns=columns)
    else:
        yield LeftOut("differences", "no two trained policies that could be compared share a seed")
    first, own = next(iter(played.items()))
    panel = _panel(played, longest_panel(own), expert_lengths(first))
    unknown = panel.loc[panel["expert_length"].isna(), "task_id"]
    if len(unknown):
        why = f"{unknown.nunique()} of {panel['task_id'].nunique()} tasks, the first {unknown.iloc[0]!r}"
        yield LeftOut(
            "success-by-length", f"the worlds of this version do not have {why}; played by another?"
        )
        return
    yield paper.success_by_length_figure(success_by_length(panel, rng=rng), columns=columns)


def _evaluated(run: Run) -> bool:
    return any(one.role == "evaluation" for one in run.trajectory_sets())


def _panel(
    played: Mapping[Run, Mapping[str, Mapping[str, list[Trajectory]]]], panel: str, lengths: Mapping[str, int]
) -> pd.DataFrame:
    """All evaluations on one panel; of runs with one seed, which share e.g. the clone, the first counts."""
    frames = [
        panel_frame(own[panel], lengths).assign(run_seed=run.seed, run=number)
        for number, (run, own) in enumerate(played.items())
        if panel in own
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[frame["run"] == frame.groupby(["policy", "run_seed"])["run"].transform("min")]
    order = {name: number for number, name in enumerate(NAMES)}
    frame = frame.sort_values("policy", key=lambda names: names.map(order), kind="stable")
    return frame.assign(policy=frame["policy"].map(NAMES))


def _of_scoreboards(runs: Sequence[Run], asked: Asked) -> Found:
    """Credit against the truth, where it was measured."""
    boards = [board for run in runs if (board := _board(run)) is not None]
    if not boards:
        yield LeftOut("scoreboard", "no run has measured values; see spa-lab fidelity")
        return
    figure = paper.scoreboard_figure(pooled_scoreboard(boards), columns=asked.columns)
    yield figure
    rest = [metric for metric in DEFAULT_METRICS if metric not in set(figure.numbers["metric"])]
    if rest:
        yield LeftOut("scoreboard", f"no room for the metrics {', '.join(rest)}; take two columns")


def _board(run: Run) -> pd.DataFrame | None:
    """The table that `spa-lab fidelity` left, or one made here of the run's truths; None without either."""
    if (rows := run.results("scoreboard")) is not None:
        table = pd.DataFrame(rows)
        numbers = ["value", "low", "high", "ceiling", "ceiling_low", "ceiling_high", "chance", "best"]
        return table.astype(dict.fromkeys(numbers, np.float64))
    truths = run.truth()
    measured = [one for one in _credited(run, Asked()) if one.truth]
    common = [{credit.source for credit in one.credits} for one in measured]
    sources = set.intersection(*common) if common else set()
    if not sources:
        return None
    credits = [credit for one in measured for credit in one.credits if credit.source in sources]
    trajectories = [one.trajectory for one in measured]
    rng = np.random.default_rng([run.seed, 0x5C0E])
    return scoreboard(trajectories, credits, [truths[one.id] for one in trajectories], rng=rng)


def _of_training(runs: Sequence[Run], asked: Asked) -> Found:
    """Metrics over the updates, one figure for each kind of training."""
    for name, (files, metrics) in CURVES.items():
        stages = {
            NAMES.get(file.removeprefix("ppo-"), file): {
                run.seed: run.load_metrics(file) for run in runs if file in run.names("metrics")
            }
            for file in files
        }
        table = training_table({stage: found for stage, found in stages.items() if found}, metrics)
        if table.empty:
            yield LeftOut(name, "no run was trained in this way (metrics/)")
        else:
            yield paper.training_figure(table, name=name, columns=asked.columns)


MAKERS: tuple[Callable[[Sequence[Run], Asked], Found], ...] = (
    _of_trajectories, _of_evaluations, _of_scoreboards, _of_training,
)  # fmt: skip
"""In the order of the report."""

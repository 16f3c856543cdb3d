"""`spa-lab fidelity`: every credit source of a finished run against the Monte Carlo truth of its agent.

What is done is kept in the run, so that an interrupted call goes on where it stopped. Truth, ceiling and the
rollouts of Monte Carlo methods are different continuations: nothing is compared with itself.
"""

import json
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from spa_lab.configs.presets import Preset, preset_from_dict
from spa_lab.credit import methods
from spa_lab.credit.fidelity import scoreboard
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline.fidelity_jobs import READERS, branch_job, reader_job, save_measured
from spa_lab.pipeline.parallel import WorkerPool, WorkerTask
from spa_lab.pipeline.stages import split_by_task
from spa_lab.store import Run, writing
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import FloatArray, Trajectory, ValueTruth

TRAJECTORIES_PER_JOB = 4
"""Trajectories of one job: what an interruption can cost."""
MC_CREDIT_BRANCHES = (5, 8)
"""Continuations of the Monte Carlo methods: IPR's and Math-Shepherd's."""
TEXT_METRICS = ("pair_accuracy", "harm_auc", "spearman", "spearman_pooled", "pivot_hit", "rmse", "last_share")
ORDER = (
    "terminal", "mean", "random", "grounding", "step_index", "leave_one_out", "gigpo", "spa",
    "spa_released_head", "spa_prefix", "occlusion", "rudder", "critic_td", "critic_gae", "critic",
    "math_shepherd_8", "ipr_5", "mc_difference_8",
)  # fmt: skip
"""Sources from trivial to expensive."""
COSTS = ("fit_seconds", "fit_rollouts", "seconds", "rollouts")
"""To prepare a method once, and to give credit to the scored trajectories."""


def fidelity(*, run: Path, trajectories: int = 40, branches: int = 64, workers: int = 2) -> str:
    """Measure the truth, let every method give credit, score them and draw.

    Writes `credits/fidelity-<source>`, `results/fidelity` (the scoreboard) and `figures/fidelity.*` into the
    run. Each value is measured twice by `branches` continuations: the truth, and the second measurement
    that gives the ceiling.

    Args:
        run: folder of a finished run that has an estimator.
        trajectories: held-out trajectories of each outcome, as many as there are.
        branches: N, continuations behind each value of each measurement.
        workers: processes side by side.

    Returns:
        The scoreboard as text.

    Raises:
        ValueError: a count below 1, settings that this version does not know, or another number of branches
            than in an interrupted call.
        StoreError: the run lacks its explorations, the cloned policy or the estimator, or another command
            writes into it.
    """
    if min(trajectories, branches) < 1:
        raise ValueError(f"needs at least 1 trajectory and 1 branch, got {trajectories} and {branches}")
    opened = Run.open(run)
    with writing(opened.path):
        return render_scoreboard(_fidelity(opened, trajectories, branches, workers))


def _fidelity(opened: Run, trajectories: int, branches: int, workers: int) -> pd.DataFrame:
    preset = preset_of(opened)
    _, held_out = split_by_task(opened.load_trajectories("explore"), preset.held_out_fraction)
    chosen = balanced(held_out, trajectories)
    opened.model("estimator")  # asked for before hours are spent
    played = 2 * branches + max(MC_CREDIT_BRANCHES)
    _do_jobs(opened, preset, chosen, played, workers)
    measured = _outcomes(opened, chosen, played)
    _cheap_methods(opened, preset, chosen, measured, branches)
    table = _scored(opened, chosen, measured, branches)
    opened.save_results("fidelity", table.to_dict("records"))
    _draw(opened, table)
    return table


def balanced(trajectories: Sequence[Trajectory], each: int) -> list[Trajectory]:
    """At most `each` successes and as many failures in turn, over as many tasks as possible.

    A larger number only adds trajectories at the end, as long as there are enough of both outcomes.
    """
    sides = []
    for success in (True, False):
        by_task: dict[str, list[Trajectory]] = {}
        for one in trajectories:
            if one.success == success:
                by_task.setdefault(one.task_id, []).append(one)
        rounds = [
            (number, i, one) for i, own in enumerate(by_task.values()) for number, one in enumerate(own)
        ]
        sides.append([one for _, _, one in sorted(rounds, key=lambda place: place[:2])[:each]])
    return [one for pair in zip_longest(*sides) for one in pair if one is not None]


def preset_of(run: Run) -> Preset:
    """The preset that the run was begun with.

    Raises:
        ValueError: it has settings that this version does not know.
    """
    try:
        return preset_from_dict(run.config["preset"])
    except ValueError as error:
        raise ValueError(f"{run.path}: {error}") from error


def render_scoreboard(table: pd.DataFrame) -> str:
    """The scoreboard as text: one block per outcome, one line per source."""
    lines = []
    for outcome in ("success", "failure"):
        own = table[table["outcome"] == outcome]
        if own.empty:
            continue
        n_trajectories, n_tasks = own["n_trajectories"].max(), own["n_tasks"].max()
        lines += [f"{outcome}: {n_trajectories} trajectories of {n_tasks} tasks", ""]
        lines.append(f"{'source':<20}" + "".join(f"{name:>17}" for name in TEXT_METRICS))
        values = own.pivot(index="source", columns="metric", values="value")
        for source in own["source"].unique():
            cells = (values.loc[source, name] for name in TEXT_METRICS)
            lines.append(
                f"{source:<20}" + "".join(f"{'–' if np.isnan(x) else f'{x:.3f}':>17}" for x in cells)
            )
        lines.append("")
    lines += [f"{'cost':<20}" + "".join(f"{name:>17}" for name in COSTS)]
    for source, spent in table.drop_duplicates("source").set_index("source")[list(COSTS)].iterrows():
        cells = (f"{'–' if np.isnan(x) else f'{x:,.1f}'.removesuffix('.0'):>17}" for x in spent)
        lines.append(f"{source:<20}" + "".join(cells))
    return "\n".join([*lines, "", "intervals and pooled numbers: results/fidelity.jsonl of the run"])


def _do_jobs(run: Run, preset: Preset, chosen: Sequence[Trajectory], branches: int, workers: int) -> None:
    """Truths and readers that are not in the run yet, side by side."""
    env, ids = run.config["env"], [one.id for one in chosen]
    done = run.names("metrics")
    jobs = [
        WorkerTask(f"truth {name[-4:]}", branch_job, (run.path, env, preset, name, part, branches))
        for name, part in _parts(ids, branches)
        if name not in done
    ]
    jobs += [
        WorkerTask(f"read: {model}", reader_job, (run.path, env, preset, model, ids))
        for model in READERS
        if f"fidelity-read-{model}" not in done
        or run.load_metrics(f"fidelity-read-{model}")[0]["n"] != len(ids)
    ]
    with WorkerPool(workers) as crew:
        crew.run(jobs)


def _parts(ids: Sequence[str], branches: int) -> list[tuple[str, Sequence[str]]]:
    """Name and trajectories of each truth job."""
    starts = range(0, len(ids), TRAJECTORIES_PER_JOB)
    return [
        (f"fidelity-truth-{branches}-{start:04d}", ids[start : start + TRAJECTORIES_PER_JOB])
        for start in starts
    ]


def _outcomes(run: Run, chosen: Sequence[Trajectory], branches: int) -> list[BranchOutcomes]:
    """What the truth jobs left, in the order of the trajectories.

    Raises:
        ValueError: they are of other trajectories: the run, or the number of trajectories, has changed.
    """
    found: dict[str, list[FloatArray]] = {}
    for name, _ in _parts([one.id for one in chosen], branches):
        for row in run.load_metrics(name):
            found.setdefault(row["trajectory_id"], []).append(np.array(json.loads(row["outcomes"])))
    for one in chosen:
        if len(found.get(one.id, ())) != len(one):
            raise ValueError(
                f"{run.path}: metrics/fidelity-truth-* measure {len(found.get(one.id, ()))} steps of "
                f"{one.id!r}, which has {len(one)}; remove them to measure anew"
            )
    cap = make_environment(run.config["env"]).step_limit
    return [
        BranchOutcomes(one.id, one.outcome, tuple(found[one.id]), "cloned", cap, run.seed) for one in chosen
    ]


def _between(measured: Sequence[BranchOutcomes], start: int, stop: int) -> list[ValueTruth]:
    """Truths by the continuations with numbers from `start` to `stop`."""
    return [outcomes.subset(start, stop).to_truth() for outcomes in measured]


def _cheap_methods(
    run: Run, preset: Preset, chosen: Sequence[Trajectory], measured: Sequence[BranchOutcomes], branches: int
) -> None:
    """Methods that need no worker: the trivial ones, groups, and those that spend continuations."""
    fitted, held_out = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
    rng = np.random.default_rng([run.seed, 0xF1DE])
    for method in (
        methods.TERMINAL,
        methods.MEAN,
        methods.random_split(rng=rng),
        methods.GROUNDING,
        methods.step_index(fitted),
        methods.leave_one_out(held_out),
        methods.gigpo(held_out),
    ):
        save_measured(run, method, chosen)
    first, played = 2 * branches, 2 * branches + max(MC_CREDIT_BRANCHES)
    names = [name for name, _ in _parts([one.id for one in chosen], played)]
    seconds = sum(row["seconds"] for name in names for row in run.load_metrics(name)) / played
    few, more = (partial(_spent, _between(measured, first, first + n)) for n in MC_CREDIT_BRANCHES)
    for method in (
        methods.ipr(few, branches=MC_CREDIT_BRANCHES[0]),
        methods.math_shepherd(more, branches=MC_CREDIT_BRANCHES[1]),
        methods.monte_carlo_difference(more, branches=MC_CREDIT_BRANCHES[1]),
    ):
        save_measured(run, method, chosen, played_seconds=seconds * method.branches)


def _spent(truths: Sequence[ValueTruth], trajectories: Sequence[Trajectory]) -> list[ValueTruth]:
    """Continuations that were played together with the truth's, but are none of them."""
    by_id = {truth.trajectory_id: truth for truth in truths}
    return [by_id[one.id] for one in trajectories]


def _scored(
    run: Run, chosen: Sequence[Trajectory], measured: Sequence[BranchOutcomes], branches: int
) -> pd.DataFrame:
    """The scoreboard, with the cost of each source."""
    there = [source for source in ORDER if f"fidelity-cost-{source}" in run.names("metrics")]
    costs = pd.DataFrame([row for source in there for row in run.load_metrics(f"fidelity-cost-{source}")])
    credits = [credit for source in costs["source"] for credit in run.load_credits(f"fidelity-{source}")]
    table = scoreboard(
        chosen, credits, _between(measured, 0, branches), second=_between(measured, branches, 2 * branches),
        rng=np.random.default_rng([run.seed, 0x5C0E]),
    )  # fmt: skip
    return table.merge(costs.drop(columns="n"), on="source", how="left")


def _draw(run: Run, table: pd.DataFrame) -> None:
    # imported here: worker processes import this package and need no pictures
    from spa_lab.view.paper.paper_figure import write_picture
    from spa_lab.view.paper.scoreboard import draw_scoreboard

    known = run.provenance
    provenance = {name: known[name] for name in ("config", "seed", "n", "n_seeds", "device", "git_commit")}
    figure = draw_scoreboard(table)
    for ending in ("svg", "png"):
        write_picture(figure, run.path / "figures" / f"fidelity.{ending}", provenance)

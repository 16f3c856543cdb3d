"""`spa-lab fidelity`: credit sources against the measured values of a run's own agent.

Leaves two independent measurements as `truths/`, so that the inspector and the figures show credit beside the
truth, and the scoreboard and the costs in `results/`. Every result is saved as soon as it is ready: an
interrupted call is resumed, a larger one extends a smaller one, and a further source adds only its own cost.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from spa_lab.configs.server import ServerConfig
from spa_lab.credit.fidelity import scoreboard
from spa_lab.credit.methods import CreditMethod, measure
from spa_lab.envs.base import Environment
from spa_lab.pipeline import measurement
from spa_lab.pipeline.evaluations import CLONED, task_records
from spa_lab.pipeline.experiment import ESTIMATOR, Experiment, ExperimentSource
from spa_lab.pipeline.parallel import Report, WorkerPool, WorkerTask
from spa_lab.pipeline.report import save_contributions, save_pictures
from spa_lab.pipeline.sources import (
    CONTINUATIONS,
    NO_MODEL,
    SOURCE_TITLES,
    SOURCES,
    check_own_names,
    find_source,
    in_order,
    known_name,
)
from spa_lab.store import Run, writing
from spa_lab.store.provenance import git_commit, versions
from spa_lab.types import Credit, Trajectory

if TYPE_CHECKING:
    from spa_lab.pipeline.sources import SourceFactory

TEXT_METRICS = ("pair_accuracy", "harm_auc", "spearman", "spearman_pooled", "pivot_hit", "rmse", "last_share")
"""Metrics of the printed table."""
COSTS = ("fit_seconds", "fit_rollouts", "seconds", "rollouts")
"""Costs of fitting a source once, and of giving credit to the scored trajectories."""
BOARD = "fidelity"
"""Name of the scoreboard among the results and the figures."""


def fidelity(
    *,
    run: Path | Run,
    trajectories: int = 40,
    branches: int = 64,
    workers: int | WorkerPool = 2,
    sources: Sequence["str | CreditMethod | SourceFactory"] | None = None,
    world: str | Environment | None = None,
    server: ServerConfig | None = None,
) -> str:
    """Measure values, let every source give credit, score the sources and draw the scoreboard.

    Args:
        run: a finished run, or its folder.
        trajectories: held-out trajectories of each outcome, as many as there are.
        branches: N, continuations behind each value of each of the two measurements; 0: nothing is measured,
            and sources give credit alone.
        workers: number of worker processes, or a pool of them that is open.
        sources: names in `sources.SOURCES`; "package.module:attribute" of a `CreditMethod`, or of a function
            of an `Experiment` and a progress report that returns one; or such objects, which give credit in
            this process. All of `SOURCES` if None. The scoreboard also lists sources of earlier calls.
        world: only needed if the run was trained in an `Environment` given as an object.
        server: plays the continuations.

    Returns:
        The scoreboard as text, or what the credit cost if nothing was measured.

    Raises:
        ValueError: a count below 1, an unknown source, one that would overwrite another's credit, settings
            that this version does not know, or outcomes in the run that were measured under other settings.
        StoreError: the run lacks its explorations, the cloned policy or the estimator, or another command
            writes into it.
    """
    if trajectories < 1 or branches < 0:
        raise ValueError(f"needs at least 1 trajectory and 0 branches, got {trajectories} and {branches}")
    requested = list(SOURCES) if sources is None else list(sources)
    opened = run if isinstance(run, Run) else Run.open(run)
    known = ((source, known_name(source)) for source in requested)
    check_own_names((source, name) for source, name in known if name is not None)
    opened_pool = WorkerPool(workers) if isinstance(workers, int) else nullcontext(workers)
    with writing(opened.path), opened_pool as pool:
        experiment = Experiment.open(opened, world, server=server)
        chosen = _give_credit(experiment, trajectories, branches, requested, pool)
        if not branches:
            return _given(experiment, chosen)
        return render_scoreboard(_score(experiment, chosen, branches))


def _give_credit(
    experiment: Experiment,
    trajectories: int,
    branches: int,
    requested: Sequence["str | CreditMethod | SourceFactory"],
    pool: WorkerPool,
) -> list[Trajectory]:
    """Measure and give credit as far as it is missing; returns the trajectories."""
    named = in_order(source for source in requested if isinstance(source, str))
    _check_models(experiment.run, named)
    _save_missing_tasks(experiment)
    chosen = balanced(experiment.explored.held_out, trajectories)
    done = pool.run(_tasks(experiment, chosen, branches, named))
    given = [pair for pairs in done if pairs is not None for pair in pairs]  # a measurement has none
    check_own_names(given)
    for source in requested:
        if not isinstance(source, str):
            method = find_source(source)(experiment, lambda *progress: None)
            given.append((source, method.source))
            check_own_names(given)
            _save_credit(experiment, method, chosen)
    return chosen


def _given(experiment: Experiment, chosen: Sequence[Trajectory]) -> str:
    """What was given without a measurement, as text, and a picture of it."""
    save_contributions(experiment)
    told = f"credit for {len(chosen)} trajectories; nothing was measured, so nothing is scored"
    return "\n".join([told, "", *_cost_lines(pd.DataFrame(experiment.run.results("costs")))])


def _score(experiment: Experiment, chosen: Sequence[Trajectory], branches: int) -> pd.DataFrame:
    """Save the truths, score the sources against them, and draw; returns the scoreboard."""
    _save_truths(experiment, chosen, branches)
    table = _scoreboard(experiment, chosen)
    experiment.run.save_results(BOARD, table.to_dict("records"))
    _draw(experiment, table)
    return table


def balanced(trajectories: Sequence[Trajectory], each: int) -> list[Trajectory]:
    """At most `each` successes and as many failures in turn, over as many tasks as possible.

    A larger number only adds trajectories at the end, as long as there are enough of both outcomes.
    """
    by_outcome = []
    for success in (True, False):
        by_task: dict[str, list[Trajectory]] = {}
        for trajectory in trajectories:
            if trajectory.known_success == success:
                by_task.setdefault(trajectory.task_id, []).append(trajectory)
        rounds = [
            (n, task, trajectory)
            for task, played in enumerate(by_task.values())
            for n, trajectory in enumerate(played)
        ]
        by_outcome.append([entry[2] for entry in sorted(rounds, key=lambda entry: entry[:2])[:each]])
    return [entry for pair in zip_longest(*by_outcome) for entry in pair if entry is not None]


def render_scoreboard(table: pd.DataFrame) -> str:
    """The scoreboard as text: one block per outcome, one line per source."""
    lines = []
    for outcome in ("success", "failure"):
        rows = table[table["outcome"] == outcome]
        if rows.empty:
            continue
        n_trajectories, n_tasks = rows["n_trajectories"].max(), rows["n_tasks"].max()
        lines += [f"{outcome}: {n_trajectories} trajectories of {n_tasks} tasks", ""]
        lines.append(f"{'source':<22}" + "".join(f"{name:>17}" for name in TEXT_METRICS))
        by_cell = rows.set_index(["source", "metric"])
        for source in rows["source"].unique():
            cells = (_number(by_cell.loc[(source, name)], n_trajectories) for name in TEXT_METRICS)
            lines.append(f"{source:<22}" + "".join(f"{cell:>17}" for cell in cells))
        lines.append("")
    lines += _cost_lines(table)
    if others := _scored_by_others(table):
        lines += ["", f"kept from another version of the code, not scored again: {', '.join(others)}"]
    told = f"(n): of n trajectories alone; intervals and pooled numbers: results/{BOARD}.jsonl of the run"
    return "\n".join([*lines, "", told])


def _cost_lines(table: pd.DataFrame) -> list[str]:
    """What the sources of a table cost, one line each."""
    lines = [f"{'cost':<22}" + "".join(f"{name:>15}" for name in COSTS)]
    for source, costs in table.drop_duplicates("source").set_index("source")[list(COSTS)].iterrows():
        cells = (f"{'–' if pd.isna(x) else f'{x:,.1f}'.removesuffix('.0'):>15}" for x in costs)
        lines.append(f"{source:<22}" + "".join(cells))
    return lines


def _scored_by_others(table: pd.DataFrame) -> list[str]:
    """Sources that another commit than the present one scored, with that, as far as it is known."""
    now, scored = _code(), table.drop_duplicates("source")
    known = zip(scored["source"], scored["code"], strict=True) if "code" in table else ()
    return [
        f"{source} ({code[:10]}{code[40:]})"  # "-dirty" stays
        for source, code in known
        if isinstance(code, str) and code != now
    ]


def _code() -> str | None:
    """The commit of the running code, or its version where it is no checkout."""
    return git_commit() or versions().get("spa-lab")


def _number(row: pd.Series, n_trajectories: int) -> str:
    """A number, and of how many trajectories where they are not all."""
    if np.isnan(row["value"]):
        return "–"
    n = int(row["n_trajectories"])
    return f"{row['value']:.3f}" + (f" ({n})" if n < n_trajectories else "")


def score_sources(
    source: ExperimentSource, names: Sequence[str], ids: Sequence[str], *, report: Report
) -> list[tuple[str, str]]:
    """Let some sources give credit to held-out explorations; executed in a worker process.

    Returns:
        Each source as it was asked for, and the name under which it gives credit.
    """
    experiment = source.open()
    trajectories = measurement.explorations_of(experiment, ids)
    given: list[tuple[str, str]] = []
    for name in names:
        method = find_source(name)(experiment, report)
        given.append((name, method.source))
        check_own_names(given)
        _save_credit(experiment, method, trajectories)
    return given


def measure_held_out(source: ExperimentSource, trajectories: int, branches: int, *, report: Report) -> None:
    """What `fidelity` with these settings measures first, so that it need not; executed in a worker process.

    Args:
        source: of a run that has its explorations.
        trajectories: of each outcome.
        branches: N, continuations behind each value of each of the two measurements.
        report: called with the finished share.
    """
    experiment = source.open()
    chosen = balanced(experiment.explored.held_out, trajectories)
    tasks = measurement.measure_tasks(experiment, chosen, 2 * branches)
    for done, task in enumerate(tasks):

        def part(share: float, numbers: dict[str, float], done: int = done) -> object:
            return report((done + share) / len(tasks), numbers)

        task.function(*task.arguments, report=part)


def _check_models(run: Run, names: Sequence[str]) -> None:
    """Fail before any computation: raises StoreError for a model that is missing."""
    run.model(CLONED)
    if "spa" in names:
        run.model(ESTIMATOR)


def _save_missing_tasks(experiment: Experiment) -> None:
    """The explored tasks → `tasks/train`, in a run of schema 1, which has none."""
    tasks = experiment.run.tasks()
    if not all(task.id in tasks for task in experiment.explore_tasks):
        experiment.run.save_tasks("train", task_records(experiment.explore_tasks))


def _tasks(
    experiment: Experiment, chosen: Sequence[Trajectory], branches: int, names: Sequence[str]
) -> list[WorkerTask]:
    """The measurement and the sources that are not in the run yet; sources of one model in one task."""
    ids = [trajectory.id for trajectory in chosen]
    missing = set(names) - _complete(experiment.run, experiment.run.credits("scored"), ids)
    tasks = measurement.measure_tasks(experiment, chosen, 2 * branches)
    spare: list[WorkerTask] = []
    if any(name in SOURCES and SOURCES[name].model == CONTINUATIONS for name in missing):
        spare = measurement.measure_tasks(experiment, chosen, measurement.SPARE, "spare")
    labels = frozenset(task.label for task in spare)
    tasks += spare
    groups: dict[str, list[str]] = {}
    for name in names:
        if name in missing or name not in SOURCES:
            groups.setdefault(SOURCES[name].model if name in SOURCES else name, []).append(name)
    for model, members in groups.items():
        title = {NO_MODEL: "score: without a model"}.get(model, f"score: {model}")
        after = labels if model == CONTINUATIONS else frozenset()
        tasks.append(WorkerTask(title, score_sources, (experiment.source, members, ids), after))
    return tasks


def _complete(run: Run, credits: Mapping[str, Mapping[str, Credit]], ids: Sequence[str]) -> set[str]:
    """Sources whose cost is known and whose credits, by source and id, cover all of these trajectories."""
    costs = {row["source"] for row in run.results("costs") or ()}
    return {source for source in costs if set(ids) <= credits.get(source, {}).keys()}


def _save_credit(experiment: Experiment, method: CreditMethod, chosen: Sequence[Trajectory]) -> None:
    """Give credit and measure its cost → `credits/scored-<source>` and `results/costs-<source>`.

    Continuations from every step were played before, together with the measurement: their mean time is added.
    """
    credits, cost = measure(method, chosen)
    name = _file_name(method.source)
    experiment.run.save_credits(f"scored-{name}", credits, role="scored")
    earlier = method.branches * sum(map(len, chosen))
    seconds = measurement.seconds_per_continuation(experiment.run) * earlier
    row = {
        "source": method.source,
        "origin": method.origin,
        "seconds": cost.seconds + seconds,
        "rollouts": cost.rollouts,
        "fit_seconds": method.fitting.seconds,
        "fit_rollouts": method.fitting.rollouts,
        "code": _code(),
    }
    experiment.run.save_results(f"costs-{name}", [row], result="costs")


def _file_name(source: str) -> str:
    """A name for files: letters, digits and ._@+- of the source's name; distinct for distinct sources."""
    name = re.sub(r"[^A-Za-z0-9._@+-]", "_", source)
    return name if name == source else f"{name}-{measurement.digest(source)}"


def _save_truths(experiment: Experiment, chosen: Sequence[Trajectory], branches: int) -> None:
    """The two measurements → `truths/`."""
    outcomes = measurement.measured(experiment, chosen)
    for name, measured, start in (("monte-carlo", "first", 0), ("monte-carlo-second", "second", branches)):
        values = measurement.truths(outcomes, start, start + branches)
        experiment.run.save_truths(name, values, measurement=measured)  # type: ignore[arg-type]


def _scoreboard(experiment: Experiment, chosen: Sequence[Trajectory]) -> pd.DataFrame:
    """The scoreboard of all sources that gave credit to all chosen trajectories, with their costs."""
    run, ids = experiment.run, [trajectory.id for trajectory in chosen]
    credits, first, second = run.credits("scored"), run.truth(), run.second_truth()
    complete = _complete(run, credits, ids)
    sources = in_order(source for source in credits if source in complete)
    table = scoreboard(
        chosen,
        [credits[source][name] for source in sources for name in ids],
        [first[name] for name in ids],
        second=[second[name] for name in ids],
        rng=np.random.default_rng([run.seed, 0x5C0E]),
    )
    return table.merge(pd.DataFrame(run.results("costs")), on="source", how="left")


def _draw(experiment: Experiment, table: pd.DataFrame) -> None:
    # imported here: worker processes import this package and need no pictures
    from spa_lab.view.paper.scoreboard import draw_scoreboard

    save_pictures(experiment.run, {BOARD: draw_scoreboard(table, titles=SOURCE_TITLES)})
    save_contributions(experiment)

"""Measured values of explorations: continuations of the cloned policy, saved in the run.

Each history is continued 2 N times: the first N outcomes give the truth, the next N an independent repetition
of the measurement, which is scored like a source. Credit sources that spend continuations get `SPARE` others,
so that no source is scored against continuations that it has used.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from spa_lab.pipeline.evaluations import CLONED
from spa_lab.pipeline.experiment import Experiment, ExperimentSource
from spa_lab.pipeline.parallel import Report, WorkerTask
from spa_lab.store import Run
from spa_lab.truth.bisected import bisected_values
from spa_lab.truth.bisection import ValuesAtSteps
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.truth.outcome_files import n_saved
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory, ValueTruth

TRAJECTORIES_PER_TASK = 4
"""Trajectories of one worker task; each is saved as soon as it is measured."""
SPARE = 8
"""Continuations for credit sources."""

Purpose = Literal["truth", "spare"]
"""What continuations are for; each purpose has its own random numbers and its own folder."""


def measure_tasks(
    experiment: Experiment, trajectories: Sequence[Trajectory], branches: int, purpose: Purpose = "truth"
) -> list[WorkerTask]:
    """The tasks that play what is not played yet.

    Args:
        experiment: the run.
        trajectories: explorations of the run.
        branches: continuations of every history.
        purpose: what they are for.
    """
    starts = range(0, len(trajectories), TRAJECTORIES_PER_TASK)
    chunks = [list(trajectories[i : i + TRAJECTORIES_PER_TASK]) for i in starts]
    rows = experiment.run.results("timings") or ()
    done = {(row["chunk"], row.get("purpose", "truth")): row["continuations"] for row in rows}
    title = {"truth": "measure", "spare": "measure for sources"}[purpose]
    return [
        WorkerTask(
            f"{title} {i + 1}/{len(chunks)}", measure_chunk, (experiment.source, chunk, branches, purpose)
        )
        for i, chunk in enumerate(chunks)
        if done.get((_chunk_name(chunk), purpose), 0) < branches
    ]


def measure_chunk(
    source: ExperimentSource,
    trajectories: Sequence[Trajectory],
    branches: int,
    purpose: Purpose,
    *,
    report: Report,
) -> None:
    """Continue a few explorations → `outcomes/`, and the time that it took → `results/`.

    They are given as a whole: every chunk would otherwise read all explorations of the run.
    """
    start = perf_counter()
    experiment = source.open()
    before = sum(n_saved(_folder(experiment, purpose), trajectory) for trajectory in trajectories)
    outcomes = _play(experiment, trajectories, branches, purpose, lambda share: report(share, {}))
    chunk = _chunk_name(trajectories)
    earlier = [
        row
        for row in experiment.run.results("timings") or ()
        if (row["chunk"], row.get("purpose", "truth")) == (chunk, purpose)
    ]
    played = sum(int(entry.counts.sum()) for entry in outcomes) - before  # a killed attempt's time is unknown
    row = {
        "chunk": chunk,
        "purpose": purpose,
        "continuations": branches,
        "steps": sum(map(len, trajectories)),
        "played": sum(map(_played, earlier)) + played,
        "seconds": sum(row["seconds"] for row in earlier) + perf_counter() - start,
    }
    name = "measured" if purpose == "truth" else "spare"
    experiment.run.save_results(f"{name}-{chunk}", [row], result="timings")


def measured(experiment: Experiment, trajectories: Sequence[Trajectory]) -> list[BranchOutcomes]:
    """All saved outcomes of these explorations, in their order; missing ones are played."""
    return _play(experiment, trajectories, 1, "truth")


def explorations_of(experiment: Experiment, ids: Sequence[str]) -> list[Trajectory]:
    """Held-out explorations by id, in the order of the ids."""
    by_id = {trajectory.id: trajectory for trajectory in experiment.explored.held_out}
    return [by_id[name] for name in ids]


def truths(outcomes: Sequence[BranchOutcomes], start: int, stop: int) -> list[ValueTruth]:
    """Values from the continuations with index `start` to `stop` of every history."""
    return [entry.subset(start, stop).to_truth() for entry in outcomes]


def spare_truths(
    experiment: Experiment, trajectories: Sequence[Trajectory], branches: int
) -> list[ValueTruth]:
    """Values from the first `branches` <= `SPARE` of the continuations that no measurement uses."""
    key = ("outcomes", tuple(trajectory.id for trajectory in trajectories))
    if key not in experiment.models:
        experiment.models[key] = _play(experiment, trajectories, SPARE, "spare")
    return truths(experiment.models[key], 0, branches)


def bisected(
    experiment: Experiment,
    trajectories: Sequence[Trajectory],
    branches: int,
    on_progress: Callable[[float], object] = lambda share: None,
) -> list[ValuesAtSteps]:
    """Values by bisection, from continuations that no measurement uses; played once per process."""
    key = ("bisected", branches, tuple(trajectory.id for trajectory in trajectories))
    if key not in experiment.models:
        experiment.models[key] = bisected_values(
            experiment.player(CLONED), experiment.environment, trajectories, experiment.explore_tasks,
            experiment.preset.explore_rollout.of_continuations(), branches=branches,
            rng=experiment.rng("bisection"), on_progress=on_progress,
        )  # fmt: skip
    return experiment.models[key]


def seconds_per_continuation(run: Run) -> float:
    """Mean wall time of a continuation from one history; 0 if nothing was measured."""
    rows = run.results("timings") or []
    played = sum(map(_played, rows))
    return sum(row["seconds"] for row in rows) / played if played else 0.0


def _played(row: Mapping[str, Any]) -> int:
    """Continuations that took the seconds of a row; one of an earlier version tells those that were saved."""
    return row.get("played", row["continuations"] * row["steps"])


def _folder(experiment: Experiment, purpose: Purpose) -> Path:
    return experiment.run.outcomes / (CLONED if purpose == "truth" else f"{CLONED}-{purpose}")


def _play(
    experiment: Experiment,
    trajectories: Sequence[Trajectory],
    branches: int,
    purpose: Purpose,
    on_progress: Callable[[float], object] = lambda share: None,
) -> list[BranchOutcomes]:
    config = experiment.preset.explore_rollout.of_continuations()
    return branch_outcomes(
        experiment.player(CLONED), experiment.environment, trajectories, experiment.explore_tasks, config,
        branches=branches, rng=experiment.rng(purpose), folder=_folder(experiment, purpose),
        on_progress=on_progress,
    )  # fmt: skip


def _chunk_name(trajectories: Sequence[Trajectory]) -> str:
    return digest("\n".join(trajectory.id for trajectory in trajectories))


def digest(text: str) -> str:
    """12 hexadecimal digits that identify a text in file names."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]

"""Measured values of explorations: continuations of the cloned policy, saved in the run.

Each history is continued 2 N + `SPARE` times: the first N outcomes give the truth, the next N an independent
repetition of the measurement, whose agreement with the truth is the noise ceiling, and the last ones belong
to credit sources that spend continuations. No source is scored against continuations that it has used.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

from spa_lab.pipeline.experiment import CLONED, Experiment, ExperimentSource
from spa_lab.pipeline.parallel import Report, WorkerTask
from spa_lab.store import Run
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory, ValueTruth

TRAJECTORIES_PER_TASK = 4
"""Trajectories of one worker task; each is saved as soon as it is measured."""
MAX_IN_FLIGHT = 256
"""Continuations played side by side."""
SPARE = 8
"""Continuations for credit sources."""


def measure_tasks(
    experiment: Experiment, trajectories: Sequence[Trajectory], branches: int
) -> list[WorkerTask]:
    """The tasks that measure what is not measured yet.

    Args:
        experiment: the run.
        trajectories: explorations of the run.
        branches: N, continuations behind each value of each measurement.
    """
    ids = [trajectory.id for trajectory in trajectories]
    chunks = [ids[i : i + TRAJECTORIES_PER_TASK] for i in range(0, len(ids), TRAJECTORIES_PER_TASK)]
    done = {row["chunk"]: row["continuations"] for row in experiment.run.results("timings") or ()}
    return [
        WorkerTask(f"measure {i + 1}/{len(chunks)}", measure_chunk, (experiment.source, chunk, branches))
        for i, chunk in enumerate(chunks)
        if done.get(_chunk_name(chunk), 0) < 2 * branches + SPARE
    ]


def measure_chunk(source: ExperimentSource, ids: Sequence[str], branches: int, *, report: Report) -> None:
    """Measure a few explorations → `outcomes/`, and the time that it took → `results/`."""
    start = perf_counter()
    experiment = source.open()
    trajectories, done = explorations_of(experiment, ids), 0

    def report_progress(outcomes: BranchOutcomes) -> None:
        nonlocal done
        done += 1
        report(done / len(ids), {})

    _play(experiment, trajectories, 2 * branches + SPARE, report_progress)
    name = _chunk_name(ids)
    earlier = sum(row["seconds"] for row in experiment.run.results("timings") or () if row["chunk"] == name)
    row = {
        "chunk": name,
        "continuations": 2 * branches + SPARE,
        "steps": sum(map(len, trajectories)),
        "seconds": earlier + perf_counter() - start,
    }
    experiment.run.save_results(f"measured-{name}", [row], result="timings")


def measured(experiment: Experiment, trajectories: Sequence[Trajectory]) -> list[BranchOutcomes]:
    """All saved outcomes of these explorations, in their order; missing ones are played."""
    return _play(experiment, trajectories, 1, lambda outcomes: None)


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
    """Values from the last continuations of every history, which no measurement uses."""
    key = ("outcomes", tuple(trajectory.id for trajectory in trajectories))
    if key not in experiment.models:
        experiment.models[key] = measured(experiment, trajectories)
    return [
        replace(entry, outcomes=tuple(row[-branches:] for row in entry.outcomes)).to_truth()
        for entry in experiment.models[key]
    ]


def seconds_per_continuation(run: Run) -> float:
    """Mean wall time of a continuation from one history; 0 if nothing was measured."""
    rows = run.results("timings") or []
    played = sum(row["continuations"] * row["steps"] for row in rows)
    return sum(row["seconds"] for row in rows) / played if played else 0.0


def _play(
    experiment: Experiment,
    trajectories: Sequence[Trajectory],
    branches: int,
    on_trajectory: Callable[[BranchOutcomes], object],
) -> list[BranchOutcomes]:
    config = replace(experiment.preset.explore_rollout, parallel=MAX_IN_FLIGHT)
    return branch_outcomes(
        experiment.policy(CLONED), experiment.environment, trajectories, experiment.explore_tasks, config,
        branches=branches, rng=experiment.rng("truth"), folder=experiment.run.outcomes / CLONED,
        on_trajectory=on_trajectory,
    )  # fmt: skip


def _chunk_name(ids: Sequence[str]) -> str:
    return digest("\n".join(ids))


def digest(text: str) -> str:
    """12 hexadecimal digits that identify a text in file names."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]

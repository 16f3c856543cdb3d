"""Trajectories of a run with their credits and measured values, and which of them a figure shows."""

from collections.abc import Iterable, Mapping, Sequence

from spa_lab.pipeline.evaluations import long_examples
from spa_lab.pipeline.sources import in_order
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory
from spa_lab.view.paper.contributions import CreditedTrajectory

FIRST_SOURCES = ("spa", "spa_progress")
"""SPA-RL, as published and improved: shown first, as a figure in one column has space for one source only."""


def figure_order(sources: Iterable[str]) -> list[str]:
    """Names of sources as figures show them: `FIRST_SOURCES`, then the order of `sources.SOURCES`."""
    order = {source: i for i, source in enumerate(FIRST_SOURCES)}
    return sorted(in_order(sources), key=lambda source: order.get(source, len(order)))


def credited(
    run: Run, trajectories: Sequence[Trajectory], credits: Mapping[str, Mapping[str, Credit]]
) -> list[CreditedTrajectory]:
    """The trajectories that have a credit; those that were measured first.

    Args:
        run: gives the measured values.
        trajectories: of the run.
        credits: source -> trajectory id -> credit, in the order in which sources are shown.
    """
    truths = run.truth()
    entries = []
    for trajectory in trajectories:
        shown = [by_id[trajectory.id] for by_id in credits.values() if trajectory.id in by_id]
        if shown:
            entries.append(CreditedTrajectory(trajectory, shown, truths.get(trajectory.id)))
    return sorted(entries, key=lambda entry: entry.truth is None)


def long_pair(entries: Sequence[CreditedTrajectory]) -> dict[str, CreditedTrajectory]:
    """The longest "success" and the "failure" nearest to it in length, of the measured ones if there are any.

    One of them is missing where there is none.
    """
    shown = [entry for entry in entries if entry.truth] or list(entries)
    by_id = {entry.trajectory.id: entry for entry in shown}
    chosen = long_examples([entry.trajectory for entry in shown])
    return {kind: by_id[trajectory.id] for kind, trajectory in chosen.items()}

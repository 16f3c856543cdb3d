"""Trajectories of a run with their credits and measured values, and which of them a figure shows."""

from collections.abc import Iterable, Mapping, Sequence

from spa_lab.pipeline.sources import in_order
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory
from spa_lab.view.paper.contributions import CreditedTrajectory
from spa_lab.view.tables.folding import folded
from spa_lab.view.tables.trajectory import disagreement

FIRST_SOURCES = ("spa", "spa_progress")
"""SPA-RL, as published and improved: shown first, as a figure in one column has space for one source only."""
LAST_SOURCES = ("terminal", "mean", "random")
"""What needs nothing but the outcome."""

MOST_ROWS = 15
"""Of a figure of one episode."""


def figure_order(sources: Iterable[str]) -> list[str]:
    """Names of sources as figures show them: `FIRST_SOURCES`, SPA-RL's, others, `LAST_SOURCES`.

    Within these the order is that of `sources.SOURCES`.
    """
    order = {source: i for i, source in enumerate(FIRST_SOURCES)}
    others = len(order)
    order |= dict.fromkeys(LAST_SOURCES, others + 2)
    return sorted(
        in_order(sources),
        key=lambda source: order.get(source, others + (not source.lower().startswith(FIRST_SOURCES[0]))),
    )


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


def telling_pair(entries: Sequence[CreditedTrajectory]) -> dict[str, CreditedTrajectory]:
    """The most telling "success" and "failure" to show, as far as there are any; else an "episode".

    Of the measured ones, if there are any; of those of at most `MOST_ROWS` steps, or else of those that are
    drawn in so many rows (or the fewest), since runs of equal steps are folded; the one with the largest
    disagreement between the first source and the truth (mean |contribution - progress|) or, where nothing
    was measured, the one of median length. Among equals the first id is taken.
    """
    shown = [entry for entry in entries if entry.truth] or list(entries)
    chosen: dict[str, CreditedTrajectory] = {}
    for kind, success in (("success", True), ("failure", False), ("episode", None)):
        of_kind = [entry for entry in shown if entry.trajectory.success is success]
        if of_kind and not (kind == "episode" and chosen):
            chosen[kind] = most_telling(of_kind)
    return chosen


def most_telling(entries: Sequence[CreditedTrajectory]) -> CreditedTrajectory:
    """One of at least one entry, see `telling_pair`."""
    short = [entry for entry in entries if len(entry.trajectory) <= MOST_ROWS]
    if not short:
        rows = [len(folded(entry.credits, entry.truth)) for entry in entries]
        limit = max(MOST_ROWS, min(rows))
        short = [entry for entry, n_rows in zip(entries, rows, strict=True) if n_rows <= limit]
    ordered = sorted(short, key=lambda entry: (len(entry.trajectory), entry.trajectory.id))
    median = len(ordered[(len(ordered) - 1) // 2].trajectory)

    def distance(entry: CreditedTrajectory) -> float:
        if entry.truth is None:
            return abs(len(entry.trajectory) - median)
        return -disagreement(entry.credits[0], entry.truth)

    return min(short, key=lambda entry: (distance(entry), entry.trajectory.id))

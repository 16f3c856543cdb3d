"""Figures of scoreboards: credit against the truth, and advantages before training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.credit.fidelity import scoreboard
from spa_lab.pipeline.figures.asked import Asked, LeftOut, Made
from spa_lab.pipeline.figures.episodes import credited_of
from spa_lab.pipeline.sources import SOURCE_TITLES
from spa_lab.store import Run
from spa_lab.view import paper
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS, pooled_scoreboard


def of_scoreboards(runs: Sequence[Run], asked: Asked) -> Made:
    """Credit against the truth, where it was measured."""
    boards = [board for run in runs if (board := _board(run)) is not None]
    if not boards:
        yield LeftOut("scoreboard", "no run has measured values; see spa-lab fidelity")
        return
    figure = paper.scoreboard_figure(pooled_scoreboard(boards), columns=asked.page, titles=SOURCE_TITLES)
    yield figure
    rest = [metric for metric in DEFAULT_METRICS if metric not in set(figure.numbers["metric"])]
    if rest:
        yield LeftOut("scoreboard", f"no space for the metrics {', '.join(rest)}; take a wider page")


def _board(run: Run) -> pd.DataFrame | None:
    """The table that `spa-lab fidelity` left, or one made here of the run's truths; None without either."""
    if rows := run.results("scoreboard"):
        table = pd.DataFrame(rows)
        numbers = ["value", "low", "high", "ceiling", "ceiling_low", "ceiling_high", "chance", "best"]
        return table.astype(dict.fromkeys(numbers, np.float64))
    measured = [(entry, entry.truth) for entry in credited_of(run, Asked()) if entry.truth is not None]
    common = [{credit.source for credit in entry.credits} for entry, _ in measured]
    sources = set.intersection(*common) if common else set()
    if not sources:
        return None
    second = run.second_truth()
    again = [second[entry.trajectory.id] for entry, _ in measured if entry.trajectory.id in second]
    if len(again) < len(measured):  # a ceiling of some of them would be of other episodes
        again = []
    return scoreboard(
        [entry.trajectory for entry, _ in measured],
        [credit for entry, _ in measured for credit in entry.credits if credit.source in sources],
        [truth for _, truth in measured],
        second=again,
        rng=np.random.default_rng([run.seed, 0x5C0E]),
    )


def of_gradients(runs: Sequence[Run], asked: Asked) -> Made:
    """Advantages before training, of the first run in which they were compared."""
    for run in runs:
        found = [entry for entry in run.result_sets() if entry.result == "gradient"]
        for entry in found:
            table = pd.DataFrame(entry.load())
            table = table.astype(dict.fromkeys(("value", "low", "high"), np.float64))
            yield paper.gradient_figure(table, name=entry.name, columns=asked.page)
        if found:
            return
    yield LeftOut("gradient", "no run has compared advantages; see spa-lab gradient")

"""Figures of the credit of many episodes: heat map, positions, truth, reliability, kinds of steps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.pipeline.figures.asked import Asked, LeftOut, Made
from spa_lab.pipeline.figures.episodes import credited_of
from spa_lab.pipeline.sources import SOURCE_TITLES
from spa_lab.store import Run
from spa_lab.view import paper
from spa_lab.view.tables.credit_truth import agreement_table, truth_pairs
from spa_lab.view.tables.credited_steps import credited_steps
from spa_lab.view.tables.positions import LEAST, position_table
from spa_lab.view.tables.reliability import reliability_table
from spa_lab.view.tables.step_kinds import kind_table

NAMES = ("credit-heat", "credit-by-position", "credit-against-truth", "reliability", "credit-by-kind")
_RNG = 0xC5ED


def of_credit(runs: Sequence[Run], asked: Asked) -> Made:
    """What the sources say of all episodes of the runs; the episodes of several seeds are pooled."""
    steps = steps_of(runs, asked)
    if steps.empty:
        yield LeftOut(", ".join(NAMES), "no run holds credits")
        return
    rng = np.random.default_rng([_RNG, *(run.seed for run in runs)])
    page, titles = asked.page, SOURCE_TITLES
    heat, positions, truth, reliability, kinds = NAMES
    if asked.wants(heat):
        yield paper.heat_figure(steps, steps["source"].iloc[0], name=heat, columns=page, titles=titles)
    if asked.wants(positions):
        table = position_table(steps, rng=rng)
        if table.empty:
            yield LeftOut(positions, f"needs at least {LEAST} episodes with a step at the same position")
        else:
            figure = paper.position_figure(table, name=positions, columns=page, titles=titles)
            yield from _as_far_as_it_fits(figure, table)
    if asked.wants(truth):
        yield from _against_truth(steps, truth, rng, asked)
    if asked.wants(reliability):
        table = reliability_table(steps, rng=rng)
        if table.empty:
            yield LeftOut(
                reliability, "no source predicts the outcome and can miss it, or no outcome is known"
            )
        else:
            figure = paper.reliability_figure(table, name=reliability, columns=page, titles=titles)
            yield from _as_far_as_it_fits(figure, table)
    if asked.wants(kinds):
        table = kind_table(steps, rng=rng)
        figure = paper.kind_figure(table, name=kinds, columns=page, titles=titles)
        yield from _as_far_as_it_fits(figure, table)


def _as_far_as_it_fits(figure: paper.PaperFigure, table: pd.DataFrame) -> Made:
    """The figure, and the sources of its table that it has no space for."""
    yield figure
    drawn = set(figure.numbers["source"])
    if missing := [source for source in table["source"].unique() if source not in drawn]:
        words = ", ".join(missing)
        yield LeftOut(figure.name, f"no space for the sources {words}; choose with --sources")


def steps_of(runs: Sequence[Run], asked: Asked) -> pd.DataFrame:
    """`credited_steps` of all runs; ids of episodes and tasks of several runs are kept apart and together."""
    frames = []
    for number, run in enumerate(runs, start=1):
        entries = credited_of(run, asked)
        if not entries:
            continue
        sources = dict.fromkeys(credit.source for entry in entries for credit in entry.credits)
        ordered = asked.sources or tuple(sources)
        credits = [
            credit
            for source in ordered
            for entry in entries
            for credit in entry.credits
            if credit.source == source
        ]
        truths = {entry.trajectory.id: entry.truth for entry in entries if entry.truth}
        steps = credited_steps([entry.trajectory for entry in entries], credits, truths, run.second_truth())
        if len(runs) > 1:
            # two runs may share a name, such as "seed-0" in two folders
            steps["trajectory_id"] = f"{number}/{run.path.name}/" + steps["trajectory_id"]
        frames.append(steps)
    return pd.concat(frames, ignore_index=True) if frames else credited_steps([], [])


def _against_truth(steps: pd.DataFrame, name: str, rng: np.random.Generator, asked: Asked) -> Made:
    pairs = truth_pairs(steps)
    if pairs.empty:
        yield LeftOut(name, "no run has measured values; see spa-lab fidelity")
        return
    agreement = agreement_table(pairs, rng=rng)
    figure = paper.truth_figure(pairs, agreement, name=name, columns=asked.page, titles=SOURCE_TITLES)
    yield from _as_far_as_it_fits(figure, pairs)

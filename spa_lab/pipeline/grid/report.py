"""The report of a comparison: tables as CSV, Markdown and LaTeX, figures, and the raw outcomes."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from spa_lab.pipeline.comparison import Comparison
from spa_lab.pipeline.figures.compared import comparison_figures
from spa_lab.pipeline.joined import joined_notes
from spa_lab.store.files import write_text
from spa_lab.view.markdown import markdown_table, plain
from spa_lab.view.paper.latex import booktabs
from spa_lab.view.provenance import described
from spa_lab.view.tables.comparison_rows import (
    TextTable,
    comparison_rows,
    cost_rows,
    group_rows,
    length_difference_rows,
    power_rows,
)

HOW_TO_READ = """\
A policy's success has a 95 % interval by a bootstrap over seeds and tasks (one seed: Wilson's, over tasks).
IQM is the interquartile mean of the success rates of its seeds on each type of task, with a stratified
bootstrap over seeds. Differences are to {reference} on the same seeds and tasks, with a paired bootstrap
over both (one seed: over tasks alone, which says nothing of another training). Where a policy and the
reference have other seeds, the number that both have is in brackets; the difference is over these, and is not
the difference of the two rates. Several policies are compared with it at once: p values are
adjusted by Holm's rule for their number in the table, so that among all differences with p <= 0.05 the chance
of even one false finding is at most 5 %; the intervals are not adjusted. P(better) is the probability that a
seed of the policy beats a seed of the reference on a type of task. Where all episodes of a policy end
alike, or all differences are the same, there is nothing to resample: that interval is Wilson's, over tasks.
IQM and P(better) are of the seeds at hand: where the resamples of these do not differ, "–" stands for the
interval.
With fewer than 5 seeds the spread over seeds is badly known, and intervals and p values are too small.
"""
_COSTS = """\
Means over seeds: episodes learnt from; explorations of the clone that the method needs; rollouts and
gradient steps that it spends beside these; wall and CPU seconds and the largest process of its own stages;
and the wall seconds of the stages that it shares with other arms. What an attempt used that was killed is not
known: times are means over the seeds whose stages ended in their first attempt, "seeds timed".
"""
_BY_LENGTH = """\
In points, to {reference}, on the same seeds and tasks with a paired bootstrap over both (one seed: over tasks
alone). Neither adjusted for the number of bins nor of policies: what is picked because it looks best needs
fresh seeds.
"""
_POWER = """\
`detectable` is the true difference that these seeds and tasks find with probability 0.8 at level 0.05, from
the measured variance; then what it takes to find {margin:.1f} points, the margin that the paper reports
over its best baseline. "no number": no number of tasks makes up for so few seeds, or the reverse; "–":
all pairs differ alike, so that no variance was measured. Not adjusted for several comparisons. The variance
between seeds is itself measured on these seeds: with fewer than 5 it is often estimated as 0, and the numbers
are then too small. Read them as a first guess.
"""


def write_report(comparison: Comparison, folder: Path) -> list[Path]:
    """Write `report.md`, every table as CSV and LaTeX, figures, and what `Comparison.read` needs.

    Args:
        comparison: of a grid of which at least one arm is done.
        folder: made if missing; files of these names are replaced.

    Returns:
        The report, then the pictures as PNG.

    Raises:
        ValueError: no arm is done.
        StoreError: the disk refused.
    """
    if not comparison.worlds:
        raise ValueError("no arm of the grid is done: there is nothing to report")
    comparison.save(folder)
    n_tasks = int(comparison.outcomes.episodes["task_id"].nunique())
    known = described(comparison.facts, seeds=comparison.facts["seeds"], n=n_tasks)
    parts = [f"# {', '.join(comparison.worlds)}: {len(comparison.facts['policies'])} arms\n"]
    parts.append(HOW_TO_READ.format(reference=plain(repr(comparison.reference))))
    parts += [f"{note}\n" for note in (*joined_notes(comparison), *_unfinished(comparison))]
    pictures = []
    for world in comparison.worlds:
        parts.append(f"## {world}\n")
        for name, title, note, table, rows in _tables(comparison, world):
            write_text(folder / f"{name}-{world}.csv", table.to_csv(index=False))
            write_text(folder / f"{name}-{world}.tex", booktabs(*rows))
            parts += [f"### {title}\n", *([note] if note else []), markdown_table(*rows)]
        for figure in comparison_figures(comparison, world, suffix=f"-{world}"):
            files = figure.save(folder / "figures", known)
            pictures += [path for path in files if path.suffix == ".png"]
            caption = plain(figure.caption)
            parts.append(f"![{caption}](figures/{figure.name}.png)\n\n*{caption}*\n")
    parts += _failures(comparison)
    report = folder / "report.md"
    write_text(report, "\n".join(parts))
    return [report, *pictures]


def _tables(comparison: Comparison, world: str) -> Iterator[tuple[str, str, str, pd.DataFrame, TextTable]]:
    """Name of the files, title, note, numbers and text of every table of a world."""
    table = comparison.tables[world]
    yield "success", "Success", "", table, comparison_rows(table, comparison.reference)
    seeds = comparison.by_seed[world]
    yield "success-by-seed", "Success by training seed (n)", "", seeds, group_rows(seeds, "run_seed")
    kinds = comparison.by_kind[world]
    yield "success-by-kind", "Success by type of task (n)", "", kinds, group_rows(kinds, "kind")
    if world in comparison.by_length:
        lengths = comparison.by_length[world]
        title = "Success by length of the expert's solution (n)"
        yield "success-by-length", title, "", lengths, group_rows(lengths, "bin")
    if world in comparison.differences_by_length:
        apart = comparison.differences_by_length[world]
        title = "Differences by length of the expert's solution (tasks)"
        note = _BY_LENGTH.format(reference=plain(repr(comparison.reference)))
        yield "differences-by-length", title, note, apart, length_difference_rows(apart)
    costs = comparison.costs[world]
    yield "costs", "Costs", _COSTS, costs, cost_rows(costs)
    if world in comparison.power:
        power = comparison.power[world]
        note = _POWER.format(margin=100 * power["margin"].iloc[0])
        yield "power", "Power", note, power, power_rows(power)


def _unfinished(comparison: Comparison) -> Iterator[str]:
    """A sentence about the arms that the tables lack."""
    done = set(comparison.outcomes.episodes["policy"])
    if missing := [arm for arm in comparison.facts["policies"] if arm not in done]:
        none = "; without the reference there are no differences" if comparison.reference in missing else ""
        yield f"No run is done of {', '.join(plain(repr(arm)) for arm in missing)}{none}."


def _failures(comparison: Comparison) -> list[str]:
    failed = comparison.failed
    if failed.empty:
        return []
    rows = [[row.cell, str(row.attempts), row.error] for row in failed.itertuples()]
    return ["## Cells that failed\n", markdown_table(["cell", "attempts", "error"], rows)]

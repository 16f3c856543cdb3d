"""Figures of a comparison: methods, settings and worlds against each other over several seeds."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from spa_lab.pipeline.comparison import Comparison
from spa_lab.view import paper
from spa_lab.view.paper import Columns, Page, PaperFigure

NAMES = (
    "success", "success-bars", "aggregates", "differences", "success-by-length", "profiles",
    "success-by-episodes", "success-by-time",
)  # fmt: skip
MORE = ("success-bars", "aggregates", "profiles", "success-by-episodes", "success-by-time")
"""Of these, those that `figures.evaluations` does not draw of runs of one setting."""

WHY: Mapping[str, str] = MappingProxyType(
    {
        "differences": "no two policies that could be compared share a seed",
        "success-by-length": "the runs do not know the expert's lengths of all tasks",
        "profiles": "needs a policy with at least 2 seeds",
        "success-by-episodes": "no metrics say how many episodes were learnt from",
        "success-by-time": "no metrics say how many episodes were learnt from, or the time is not known",
    }
)
"""Figure -> why there is none."""


def comparison_figures(
    comparison: Comparison, world: str, *, columns: Columns | Page = 2, suffix: str = ""
) -> Iterator[PaperFigure]:
    """Figures of a world, as far as there are numbers.

    Args:
        comparison: of a grid or of runs.
        world: one of its worlds.
        columns: of the paper that the figures span, or a `Page`.
        suffix: of the names of the figures, "-household".
    """
    table = comparison.tables[world]
    yield paper.success_figure(table, name=f"success{suffix}", columns=columns)
    yield paper.bars_figure(table, name=f"success-bars{suffix}", columns=columns)
    yield paper.aggregates_figure(table, comparison.reference, name=f"aggregates{suffix}", columns=columns)
    against = table[table["difference"].notna()]
    if len(against):
        differences = _as_differences(against, comparison)
        yield paper.differences_figure(differences, name=f"differences{suffix}", columns=columns)
    makers: tuple[tuple[Mapping[str, pd.DataFrame], Callable[..., PaperFigure], str], ...] = (
        (comparison.by_length, paper.success_by_length_figure, "success-by-length"),
        (comparison.profiles, paper.profile_figure, "profiles"),
        (comparison.learning, paper.learning_figure, "success-by-episodes"),
        (comparison.learning_by_time, paper.learning_figure, "success-by-time"),
    )
    for by_world, make, name in makers:
        if world in by_world:
            yield make(by_world[world], name=f"{name}{suffix}", columns=columns)


def _as_differences(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """The columns of `evaluation.differences_table`."""
    names = {"policy": "ours", "difference": "point", "difference_low": "low", "difference_high": "high"}
    kept = table.drop(columns=["low", "high", "n_seeds"]).rename(columns=names)
    method = "95 % paired bootstrap intervals over tasks and seeds"
    n_tasks = table["n"] // table["n_seeds"]
    more: dict[str, Any] = {
        "theirs": comparison.reference,
        "n_seeds": kept["shared_seeds"],
        "method": method,
    }
    return kept.assign(**more, n=n_tasks)

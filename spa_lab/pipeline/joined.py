"""One comparison from several: arms or seeds that were trained on other machines."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from spa_lab.pipeline.comparison import Comparison, Outcomes

_RUN = ["env", "policy", "run_seed"]
"""Columns that name one run of a policy."""
_EPISODE = ["env", "run_seed", "panel", "policy", "task_id"]
"""Columns that name one evaluation episode."""


def joined(comparisons: Sequence[Comparison]) -> Comparison:
    """All arms, worlds and seeds of several comparisons, with the reference of the first.

    What two of them have, such as the clone that all arms start from, is taken from the earlier one. The same
    seed gives the same bits on one machine only, so the later one's episodes are compared with it: `facts`
    says under "shared_episodes" how many there are, and under "shared_otherwise" how many of these ended
    otherwise or after another number of steps. Many mean that the arms of one seed have other starts.

    Args:
        comparisons: at least 1.

    Raises:
        ValueError: there is none, or two have other tasks on the same panel.
    """
    if not comparisons:
        raise ValueError("joined: needs at least 1 comparison, got 0")
    _check_tasks(comparisons)
    episodes, n_shared, n_otherwise = _episodes([one.outcomes.episodes for one in comparisons])
    facts = {
        **comparisons[0].facts,
        "worlds": _distinct(one.facts["worlds"] for one in comparisons),
        "seeds": sorted(_distinct(one.facts["seeds"] for one in comparisons)),
        "policies": _distinct(one.facts["policies"] for one in comparisons),
        "shared_episodes": n_shared,
        "shared_otherwise": n_otherwise,
    }
    costs, curves, cells = (
        [getattr(one.outcomes, name) for one in comparisons] for name in ("costs", "curves", "cells")
    )
    outcomes = Outcomes(episodes, _first(costs, _RUN), _first(curves, [*_RUN, "iteration"]), _furthest(cells))
    return Comparison(facts, outcomes)


def _distinct(lists: Iterable[Iterable[str]]) -> list[str]:
    """In the order in which they are first named."""
    return list(dict.fromkeys(chain.from_iterable(lists)))


def _first(tables: Sequence[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    """The rows of all tables; of those that one table has as well, the first."""
    filled = [table for table in tables if len(table)] or list(tables[:1])
    return pd.concat(filled, ignore_index=True).drop_duplicates(names, ignore_index=True)


def _furthest(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The cells of all comparisons; of a cell that several have, the one that is done."""
    cells = pd.concat(tables, ignore_index=True)
    done_first = cells.iloc[np.argsort(cells["state"] != "done", kind="stable")]
    return done_first.drop_duplicates("cell").sort_index().reset_index(drop=True)


def _episodes(tables: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, int, int]:
    """All episodes; the number that an earlier table has as well, and how many of these differ."""
    numbered = pd.concat(
        [table.assign(_from=i) for i, table in enumerate(tables) if len(table)], ignore_index=True
    )
    kept = numbered.drop_duplicates(_EPISODE)
    again = numbered.drop(kept.index).merge(kept, on=_EPISODE, suffixes=("", "_kept"))
    otherwise = (again["outcome"] != again["outcome_kept"]) | (again["n_steps"] != again["n_steps_kept"])
    return kept.drop(columns="_from").reset_index(drop=True), len(again), int(otherwise.sum())


def _check_tasks(comparisons: Sequence[Comparison]) -> None:
    """All policies of a panel must have played the same tasks, or differences are not paired."""
    known: dict[tuple[str, str], frozenset[str]] = {}
    for one in comparisons:
        for key, rows in one.outcomes.episodes.groupby(["env", "panel"]):
            world, panel = map(str, key)
            tasks = frozenset(rows["task_id"])
            if known.setdefault((world, panel), tasks) != tasks:
                n, m = len(known[world, panel]), len(tasks)
                both = len(known[world, panel] & tasks)
                raise ValueError(
                    f"joined: panel {panel!r} of {world} has {n} tasks in one comparison and {m} in another, "
                    f"{both} of them the same"
                )

"""One comparison from several: arms or seeds that were trained on other machines."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from spa_lab.pipeline.comparison import Comparison, Outcomes
from spa_lab.pipeline.results import NUMBER
from spa_lab.view.provenance import commits_known

_RUN = ["env", "policy", "run_seed"]
"""Columns that name one run of a policy."""
_EPISODE = ["env", "run_seed", "panel", "policy", "task_id"]
"""Columns that name one evaluation episode."""


def joined(comparisons: Sequence[Comparison]) -> Comparison:
    """All arms, worlds and seeds of several comparisons, with the reference of the first.

    What two of them have, such as the clone that all arms start from, is taken from the earlier one. The same
    seed gives the same bits on one machine only, so the later one's episodes are compared with it: `facts`
    says under "shared_episodes" how many there are, those of earlier joins included, and under
    "shared_otherwise" how many of these ended otherwise or after another number of steps. Many mean that the
    arms of one seed have other starts. Arms of one name are pooled even if their settings differ;
    `joined_notes` says so.

    Args:
        comparisons: at least 1.

    Raises:
        ValueError: there is none, or two have other tasks on the same panel.
    """
    if not comparisons:
        raise ValueError("joined: needs at least 1 comparison, got 0")
    _check_tasks(comparisons)
    episodes, n_shared, n_otherwise = _episodes([one.outcomes.episodes for one in comparisons])
    commits = [one.facts.get("git_commit") or [None] for one in comparisons]
    facts = {
        **comparisons[0].facts,
        "worlds": _distinct(one.facts["worlds"] for one in comparisons),
        "seeds": sorted(_distinct(one.facts["seeds"] for one in comparisons)),
        "policies": _distinct(one.facts["policies"] for one in comparisons),
        "git_commit": commits_known(chain.from_iterable(commits)),
        "shared_episodes": n_shared + sum(one.facts.get("shared_episodes", 0) for one in comparisons),
        "shared_otherwise": n_otherwise + sum(one.facts.get("shared_otherwise", 0) for one in comparisons),
    }
    costs, curves, cells = (
        [getattr(one.outcomes, name) for one in comparisons] for name in ("costs", "curves", "cells")
    )
    outcomes = Outcomes(episodes, _first(costs, _RUN), _first(curves, [*_RUN, "iteration"]), _furthest(cells))
    return Comparison(facts, outcomes)


def joined_notes(comparison: Comparison) -> list[str]:
    """Sentences for a report: how far what several had agrees, and arms whose settings differ.

    Different settings are told by the ids of the cells. They are no error: an id changes with the presets of
    a version, and reports of earlier versions can still be joined.

    Args:
        comparison: made by `joined`, or saved by it and read again; there are no sentences about others.
    """
    notes = []
    if (shared := comparison.facts.get("shared_episodes")) is not None:
        notes.append(
            f"Joined from several reports. Episodes that more than one of them has: {shared:,}; of these, "
            f"{comparison.facts['shared_otherwise']:,} ended otherwise or after another number of steps. "
            "Those of the earlier report are used."
        )
    for settings in _mixed(comparison.outcomes.cells):
        notes.append(
            f"Cells {' and '.join(settings)} have one arm name but different settings, as after a change of "
            "a preset between versions: their episodes count as one arm's."
        )
    return notes


def _mixed(cells: pd.DataFrame) -> Iterator[list[str]]:
    """Ids without their seeds, of each arm and world that has several."""
    settings: dict[tuple[str, str], dict[str, None]] = {}
    done = cells[cells["state"] == "done"]
    for cell, policy in zip(done["cell"], done["policy"], strict=True):
        setting = cell.rpartition("-seed-")[0]
        settings.setdefault((policy, setting.rpartition("/")[0]), {})[setting] = None
    yield from (list(several) for (policy, _), several in settings.items() if policy and len(several) > 1)


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
    # a report that was saved has rounded outcomes, the grid at hand has not
    outcome, kept_outcome = (again[name].map(NUMBER.__mod__) for name in ("outcome", "outcome_kept"))
    otherwise = (outcome != kept_outcome) | (again["n_steps"] != again["n_steps_kept"])
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

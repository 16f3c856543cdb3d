"""Arms against each other over worlds and seeds: the outcomes as tables, and what they show.

Made of a grid (`pipeline.grid`) or of any finished runs (`pipeline.compared_runs`); needs no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.pipeline.evaluations import BASE, main_panel, panel_by_length
from spa_lab.pipeline.results import read_results, write_results
from spa_lab.store.csv_tables import read_table
from spa_lab.store.files import read_text, write_text
from spa_lab.store.lines import parse
from spa_lab.view.charts import (
    Chart,
    comparison_chart,
    learning_chart,
    length_chart,
    length_difference_chart,
    profile_chart,
)
from spa_lab.view.html.markup import frame_table, safe, styled
from spa_lab.view.tables import comparison as tables
from spa_lab.view.tables.comparison_rows import comparison_rows
from spa_lab.view.tables.evaluation import success_by_length
from spa_lab.view.tables.learning import Against, learning_table, with_seconds
from spa_lab.view.tables.length_differences import difference_by_length

FACTS, EPISODES = "grid.json", "episodes.csv.gz"
COSTS_FILE, CURVES_FILE, CELLS_FILE = "costs.csv", "curves.csv", "cells.csv"
"""Files from which `Comparison.read` makes all numbers again."""
COSTS = (
    "env", "policy", "run_seed", "episodes", "explorations", "extra_rollouts", "extra_updates", "seconds",
    "cpu_seconds", "peak_mb", "shared_seconds", "shared_cpu_seconds",
)  # fmt: skip
"""Of the table of costs."""
CURVES = ("env", "policy", "run_seed", "iteration", "episodes", "success")
"""Of the table of learning curves."""
CELLS = ("cell", "policy", "state", "attempts", "seconds", "cpu_seconds", "peak_mb", "error")
"""Of the table of cells."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Tables of a grid, as far as it is done; a policy is an arm by its name, or "base"."""

    episodes: pd.DataFrame
    """A row per evaluation episode, `results.COLUMNS`."""
    costs: pd.DataFrame
    """A row per arm, world and seed, `COSTS`: episodes learnt from, explorations of the clone that the method
    needs, what it spent beside (`learn.extra_cost`), wall and CPU seconds and the largest process of the arm
    alone, and of the shared stages that it needs."""
    curves: pd.DataFrame
    """A row per iteration of training, `CURVES`; `episodes` are those learnt from so far."""
    cells: pd.DataFrame
    """A row per cell of the grid, `CELLS`; `policy` is empty for shared stages."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The arms of a grid against each other, as far as it is done. All numbers come from `outcomes`."""

    facts: Mapping[str, Any]
    """worlds, seeds, reference (an arm), policies (names of the arms in their order) and git_commit, the
    commits that made the outcomes, "unknown" among them where some are not known; a comparison of an earlier
    version lacks the last."""
    outcomes: Outcomes

    @classmethod
    def read(cls, folder: Path | str) -> "Comparison":
        """A comparison that `save` has written.

        Raises:
            StoreError: a file is missing.
            ValueError: a file is broken; the message names the file and what it lacks.
        """
        folder = Path(folder)
        facts = _read_facts(folder / FACTS)
        by_policy, by_cell = ("env", "policy"), ("cell", "policy", "state", "error")
        costs = read_table(folder / COSTS_FILE, COSTS, text=by_policy)
        curves = read_table(folder / CURVES_FILE, CURVES, text=by_policy)
        cells = read_table(folder / CELLS_FILE, CELLS, text=by_cell)
        return cls(facts, Outcomes(read_results(folder / EPISODES), costs, curves, cells))

    def save(self, folder: Path | str) -> None:
        """Write what `read` needs: episodes without their text, costs, curves, cells."""
        folder, outcomes = Path(folder), self.outcomes
        write_text(folder / FACTS, json.dumps(dict(self.facts), indent=1, ensure_ascii=False) + "\n")
        write_results(outcomes.episodes, folder / EPISODES)
        files = {COSTS_FILE: outcomes.costs, CURVES_FILE: outcomes.curves, CELLS_FILE: outcomes.cells}
        for name, table in files.items():
            write_text(folder / name, table.to_csv(index=False))

    @property
    def reference(self) -> str:
        """The arm that others are compared with."""
        return str(self.facts["reference"])

    def against(self, reference: str) -> "Comparison":
        """The same outcomes, compared with another arm.

        Raises:
            ValueError: there is no such arm.
        """
        if reference not in self.facts["policies"]:
            known = ", ".join(map(repr, self.facts["policies"]))
            raise ValueError(f"no arm {reference!r} to compare with; there are: {known}")
        return replace(self, facts={**self.facts, "reference": reference})

    @property
    def worlds(self) -> list[str]:
        """Worlds of which something is done."""
        return list(self.outcomes.episodes["env"].unique())

    @property
    def failed(self) -> pd.DataFrame:
        """Cells that failed, with their errors, and those that another process worked on, with its id."""
        cells = self.outcomes.cells
        in_use = (cells["state"] == "blocked") & (cells["error"] != "")
        return cells[(cells["state"] == "failed") | in_use]

    @property
    def beside(self) -> tuple[str, ...]:
        """All policies in their order: figures and charts need them to draw each alike."""
        return (BASE, *self.facts["policies"])

    def panel(self, world: str, *, by_length: bool = False) -> str:
        """The main panel of a world of which something is done, or the one for success by length."""
        panels = dict.fromkeys(self.outcomes.episodes.query("env == @world")["panel"])
        return str(panel_by_length(panels) if by_length else main_panel(panels))

    def frame(self, world: str, *, by_length: bool = False) -> pd.DataFrame:
        """Episodes on the main panel of a world, or on the one for success by length.

        Raises:
            ValueError: nothing of that world is done.
        """
        episodes = self.outcomes.episodes[self.outcomes.episodes["env"] == world]
        if episodes.empty:
            raise ValueError(f"nothing is done in world {world!r}; there are: {', '.join(self.worlds)}")
        chosen = episodes[episodes["panel"] == self.panel(world, by_length=by_length)]
        frame = tables.ordered(chosen, self.beside).reset_index(drop=True)
        return frame.assign(trajectory_id=frame["task_id"])

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.comparison_table` on its main panel."""
        return {
            world: tables.comparison_table(self.frame(world), self.reference, rng=self._rng(), apart=(BASE,))
            for world in self.worlds
        }

    @cached_property
    def by_seed(self) -> dict[str, pd.DataFrame]:
        """World -> success by training seed on its main panel, `tables.comparison.seed_table`."""
        return {world: tables.seed_table(self.frame(world), self.reference) for world in self.worlds}

    @cached_property
    def by_kind(self) -> dict[str, pd.DataFrame]:
        """World -> success by type of task, `tables.comparison.kind_table`."""
        return {world: tables.kind_table(self.frame(world), rng=self._rng()) for world in self.worlds}

    @cached_property
    def by_length(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.evaluation.success_by_length`; worlds that know the expert's lengths."""
        frames = {world: self.frame(world, by_length=True) for world in self.worlds}
        return {
            world: success_by_length(frame, rng=self._rng())
            for world, frame in frames.items()
            if frame["expert_length"].notna().all()
        }

    @cached_property
    def differences_by_length(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.length_differences.difference_by_length` to the reference.

        Worlds that know the expert's lengths, and in which something can be compared.
        """
        made = {
            world: difference_by_length(
                self.frame(world, by_length=True), self.reference, rng=self._rng(), apart=(BASE,)
            )
            for world in self.by_length
        }
        return {world: table for world, table in made.items() if table["n"].any()}

    @cached_property
    def profiles(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.profile_table`; worlds with a policy of two seeds."""
        made = {world: tables.profile_table(self.frame(world), rng=self._rng()) for world in self.worlds}
        return {world: table for world, table in made.items() if len(table)}

    @cached_property
    def learning(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.learning.learning_table`; worlds in which something was trained."""
        return self._learning("episodes")

    @cached_property
    def learning_by_time(self) -> dict[str, pd.DataFrame]:
        """World -> the same against the wall time; worlds in which the time of training is known."""
        return self._learning("seconds")

    @cached_property
    def costs(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.cost_table`."""
        costs = self.known_costs
        return {world: tables.cost_table(costs[costs["env"] == world]) for world in self.worlds}

    @cached_property
    def known_costs(self) -> pd.DataFrame:
        """`outcomes.costs`, NaN where an attempt was killed: what it used is not known.

        That is so for the times and the memory of an arm that did not end in its first attempt, and for the
        shared times of a world and seed in which a shared stage did not.
        """
        costs, cells = self.outcomes.costs, self.outcomes.cells
        again = cells[cells["attempts"] > 1]
        killed = {
            (str(cell).split("/")[1], policy, str(cell).rpartition("-seed-")[2])
            for cell, policy in zip(again["cell"], again["policy"].fillna(""), strict=True)
        }  # shared stages are of no policy
        rows = list(zip(costs["env"], costs["policy"], costs["run_seed"].astype(str), strict=True))
        own = [row not in killed for row in rows]
        shared = [(env, "", seed) not in killed for env, _, seed in rows]
        known = {name: costs[name].where(own) for name in ("seconds", "cpu_seconds", "peak_mb")}
        known |= {name: costs[name].where(shared) for name in ("shared_seconds", "shared_cpu_seconds")}
        return costs.assign(**known)

    @cached_property
    def power(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.power_table`; worlds with two policies of two seeds."""
        frames = {world: self.frame(world) for world in self.worlds}
        made = {
            world: tables.power_table(frame[frame["policy"] != BASE], self.reference)
            for world, frame in frames.items()
        }
        return {world: table for world, table in made.items() if len(table)}

    def charts(self, world: str) -> dict[str, Chart]:
        """Charts of a world, as far as there are numbers.

        They are "success", "profiles", "learning", "length" and "length differences".
        """
        if world not in self.tables:
            self.frame(world)  # raises the error that names the worlds
        made = {"success": comparison_chart(self.tables[world], beside=self.beside)}
        for name, chart, by_world in (
            ("profiles", profile_chart, self.profiles),
            ("learning", learning_chart, self.learning),
            ("length", length_chart, self.by_length),
            ("length differences", length_difference_chart, self.differences_by_length),
        ):
            if world in by_world:
                made[name] = chart(by_world[world], beside=self.beside)
        return made

    def _learning(self, against: Against) -> dict[str, pd.DataFrame]:
        curves = with_seconds(self.outcomes.curves, self.known_costs)
        made = {
            world: learning_table(curves[curves["env"] == world], against, rng=self._rng())
            for world in self.worlds
        }
        return {world: table for world, table in made.items() if len(table)}

    def _rng(self) -> np.random.Generator:
        """The same in all comparisons: numbers of an arm do not change when others or seeds are added."""
        return np.random.default_rng(0xF16)

    def _repr_html_(self) -> str:
        """The table of every world."""
        parts = []
        for world, table in self.tables.items():
            heads, rows = comparison_rows(table, self.reference)
            cells = [[safe(cell) for cell in row] for row in rows]
            titles = [safe(head) for head in heads]
            parts.append(frame_table(titles, cells, caption=safe(world), numeric=len(heads) - 1))
        counts = self.outcomes.cells["state"].value_counts().to_dict()
        states = ", ".join(f"{n} {state}" for state, n in counts.items())
        return styled("".join([*parts, f"<p>cells: {safe(states)}</p>"]))


def _read_facts(file: Path) -> dict[str, Any]:
    facts = parse(read_text(file), str(file))
    missing = [name for name in ("worlds", "seeds", "reference", "policies") if name not in facts]
    if missing:
        raise ValueError(f"{file}: lacks {', '.join(missing)}")
    fits = {
        "worlds": (_all(facts["worlds"], str), "a list of texts"),
        "seeds": (_all(facts["seeds"], int) and min(facts["seeds"], default=0) >= 0, "a list of seeds >= 0"),
        "reference": (isinstance(facts["reference"], str), "text"),
        "policies": (_all(facts["policies"], str), "a list of texts"),
        "git_commit": (_all(facts.get("git_commit", []), str), "a list of texts"),
    }
    for name, (fit, expected) in fits.items():
        if not fit:
            raise ValueError(f"{file}: {name}: expected {expected}, got {facts[name]!r:.60}")
    return facts


def _all(values: Any, kind: type) -> bool:
    """Whether it is a list of this type alone."""
    return isinstance(values, list) and all(type(value) is kind for value in values)

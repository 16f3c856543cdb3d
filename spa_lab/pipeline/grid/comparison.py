"""`spa_lab.compare`: runs a grid and returns the comparison of its arms."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.pipeline.evaluations import main_panel, panel_by_length
from spa_lab.pipeline.experiment import BASE
from spa_lab.pipeline.grid.cells import arm_cells, grid_cells
from spa_lab.pipeline.grid.execute import LEDGER, run_cells
from spa_lab.pipeline.grid.ledger import Ledger
from spa_lab.pipeline.grid.outcomes import Outcomes, grid_outcomes
from spa_lab.pipeline.grid.spec import GridSpec, parse_spec, read_spec
from spa_lab.pipeline.grid.work import do_cell
from spa_lab.pipeline.results import read_results, write_results
from spa_lab.store import Run
from spa_lab.store.files import read_text, write_text
from spa_lab.view.charts import Chart, comparison_chart, learning_chart, length_chart, profile_chart
from spa_lab.view.html.markup import frame_table, safe, styled
from spa_lab.view.tables import comparison as tables
from spa_lab.view.tables.comparison_rows import comparison_rows
from spa_lab.view.tables.evaluation import success_by_length

FACTS, EPISODES, COSTS, CURVES, CELLS = "grid.json", "episodes.csv.gz", "costs.csv", "curves.csv", "cells.csv"
"""Files from which `Comparison.read` makes all numbers again."""


def compare(
    spec: Path | str | Mapping[str, Any] | GridSpec,
    out: Path | str,
    *,
    jobs: int = 1,
    backend: str = "loky",
    retry: bool = False,
    run: bool = True,
    watch: bool = True,
) -> "Comparison":
    """Run a grid of arms, worlds and seeds as far as it is not done, and compare the arms.

    Killed at any moment, the next call continues. A cell that fails does not stop the others; `cells` of the
    result names its error. Arms that are added to the spec later reuse the shared stages.

    Args:
        spec: a TOML or YAML file, the same as a mapping, or a `GridSpec`; see `pipeline.grid.spec`.
        out: folder of the grid; holds a run folder for each arm, world and seed.
        jobs: cells side by side.
        backend: "loky" (processes of this machine), "ray" or "dask"; their workers need the same file system.
        retry: try failed cells again.
        run: False runs nothing and compares what is done.
        watch: show progress on stderr.

    Raises:
        ValueError: the spec is wrong or something in it cannot be done; nothing has been written then. Or an
            unknown backend.
        StoreError: another process runs this grid, or the disk refused.
        ChildProcessError: a worker of the backend was killed.
    """
    grid = as_spec(spec)
    cells = grid_cells(grid)
    if run:
        run_cells(Path(out), cells, do_cell, jobs=jobs, backend=backend, retry=retry, watch=watch)
    facts = {"worlds": list(grid.worlds), "seeds": list(grid.seeds), "reference": grid.reference}
    policies = [arm.name for arm in grid.arms]
    return Comparison(facts | {"policies": policies}, grid_outcomes(Path(out), grid))


def as_spec(spec: Path | str | Mapping[str, Any] | GridSpec) -> GridSpec:
    """The spec that a file, a mapping or a spec stands for; errors as `read_spec`."""
    if isinstance(spec, GridSpec):
        return spec
    return parse_spec(spec) if isinstance(spec, Mapping) else read_spec(Path(spec))


def arm_runs(spec: Path | str | Mapping[str, Any] | GridSpec, out: Path | str, arm: str) -> list[Run]:
    """The finished runs of an arm, to inspect or draw like any other run.

    Args:
        spec: as in `compare`.
        out: folder of the grid.
        arm: its name.

    Raises:
        ValueError: there is no such arm.
    """
    grid, ledger = as_spec(spec), Ledger(Path(out) / LEDGER)
    found = [candidate for candidate in grid.arms if candidate.name == arm]
    if not found:
        raise ValueError(f"no arm {arm!r}; there are: {', '.join(arm.name for arm in grid.arms)}")
    cells = [arm_cells(grid, found[0], world, seed)[-1] for world in found[0].worlds for seed in grid.seeds]
    return [Run.open(Path(out) / cell.id) for cell in cells if ledger.read(cell.id).state == "done"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The arms of a grid against each other, as far as it is done. All numbers come from `outcomes`."""

    facts: Mapping[str, Any]
    """worlds, seeds, reference (an arm) and policies (names of the arms in their order)."""
    outcomes: Outcomes

    @classmethod
    def read(cls, folder: Path | str) -> "Comparison":
        """A comparison that `save` has written.

        Raises:
            StoreError: a file is missing.
            ValueError: a file is broken.
        """
        folder = Path(folder)
        facts = json.loads(read_text(folder / FACTS))
        costs, curves, cells = (pd.read_csv(folder / name) for name in (COSTS, CURVES, CELLS))
        cells = cells.fillna({"policy": "", "error": ""})
        return cls(facts, Outcomes(read_results(folder / EPISODES), costs, curves, cells))

    def save(self, folder: Path | str) -> None:
        """Write what `read` needs: episodes without their text, costs, curves, cells."""
        folder, outcomes = Path(folder), self.outcomes
        write_text(folder / FACTS, json.dumps(dict(self.facts), indent=1, ensure_ascii=False) + "\n")
        write_results(outcomes.episodes, folder / EPISODES)
        for name, table in ((COSTS, outcomes.costs), (CURVES, outcomes.curves), (CELLS, outcomes.cells)):
            write_text(folder / name, table.to_csv(index=False))

    @property
    def reference(self) -> str:
        """The arm that others are compared with."""
        return str(self.facts["reference"])

    @property
    def worlds(self) -> list[str]:
        """Worlds of which something is done."""
        return list(self.outcomes.episodes["env"].unique())

    @property
    def failed(self) -> pd.DataFrame:
        """Cells that failed, with their errors."""
        return self.outcomes.cells[self.outcomes.cells["state"] == "failed"]

    def frame(self, world: str, *, by_length: bool = False) -> pd.DataFrame:
        """Episodes on the main panel of a world, or on the one for success by length.

        Raises:
            ValueError: nothing of that world is done.
        """
        episodes = self.outcomes.episodes[self.outcomes.episodes["env"] == world]
        if episodes.empty:
            raise ValueError(f"nothing is done in world {world!r}; there are: {', '.join(self.worlds)}")
        panels = dict.fromkeys(episodes["panel"])
        panel = panel_by_length(panels) if by_length else main_panel(panels)
        chosen = episodes[episodes["panel"] == panel]
        order = [BASE, *self.facts["policies"]]
        frame = tables.ordered(chosen, order).reset_index(drop=True)
        return frame.assign(trajectory_id=frame["task_id"])

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.comparison_table` on its main panel."""
        return {
            world: tables.comparison_table(self.frame(world), self.reference, rng=self._rng(), apart=(BASE,))
            for world in self.worlds
        }

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
    def profiles(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.profile_table`; worlds with a policy of two seeds."""
        made = {world: tables.profile_table(self.frame(world), rng=self._rng()) for world in self.worlds}
        return {world: table for world, table in made.items() if len(table)}

    @cached_property
    def learning(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.learning_table`; worlds in which something was trained."""
        curves = self.outcomes.curves
        made = {world: tables.learning_table(curves[curves["env"] == world]) for world in self.worlds}
        return {world: table for world, table in made.items() if len(table)}

    @cached_property
    def costs(self) -> dict[str, pd.DataFrame]:
        """World -> `tables.comparison.cost_table`."""
        costs = self.outcomes.costs
        return {world: tables.cost_table(costs[costs["env"] == world]) for world in self.worlds}

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
        """Charts of a world: "success", "profiles", "learning" and "length", as far as there are numbers."""
        if world not in self.tables:
            self.frame(world)  # raises the error that names the worlds
        made = {"success": comparison_chart(self.tables[world])}
        for name, chart, by_world in (
            ("profiles", profile_chart, self.profiles),
            ("learning", learning_chart, self.learning),
            ("length", length_chart, self.by_length),
        ):
            if world in by_world:
                made[name] = chart(by_world[world])
        return made

    def _rng(self) -> np.random.Generator:
        """Depends on the grid's seeds only, so that a table can be made again."""
        return np.random.default_rng([0xF16, *sorted(self.facts["seeds"])])

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

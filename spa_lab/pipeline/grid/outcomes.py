"""Outcomes of a grid as tables: episodes, costs, learning curves, cells; what all its numbers are made of."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.learn.methods import find_method
from spa_lab.pipeline.comparison import CELLS, COSTS, CURVES, Outcomes
from spa_lab.pipeline.evaluations import BASE, CLONED
from spa_lab.pipeline.grid.cells import Cell, arm_cells
from spa_lab.pipeline.grid.execute import LEDGER
from spa_lab.pipeline.grid.ledger import Ledger, Record
from spa_lab.pipeline.grid.spec import Arm, GridSpec
from spa_lab.pipeline.iterations import training_iterations
from spa_lab.pipeline.results import COLUMNS
from spa_lab.pipeline.train import SFT
from spa_lab.store import Run
from spa_lab.view.provenance import commits_known, commits_of

MEGABYTE = 2**20


def grid_outcomes(out: Path, spec: GridSpec) -> Outcomes:
    """Read what the cells of a grid left.

    Args:
        out: the grid's folder.
        spec: of the grid.
    """
    ledger = Ledger(out / LEDGER)
    episodes: list[pd.DataFrame] = []
    costs: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    records: dict[str, tuple[str, Record]] = {}
    with_base: set[tuple[str, int]] = set()
    for arm, chain in _chains(spec):
        known = {cell.id: ledger.read(cell.id) for cell in chain}
        records |= {cell.id: ("" if cell.stage else arm.name, known[cell.id]) for cell in chain}
        cell = chain[-1]
        if known[cell.id].state != "done":
            continue
        run = Run.open(out / cell.id)
        wanted = {CLONED if cell.method == SFT else find_method(str(cell.method)).name: arm.name}
        if (cell.world, cell.seed) not in with_base:
            wanted[BASE] = BASE
            with_base.add((cell.world, cell.seed))
        episodes.append(_episodes(run, wanted))
        made = _curve(run, arm)
        curves += made
        costs.append(_cost(run, arm, chain, known, made))
    empty = pd.DataFrame(columns=list(COLUMNS))
    return Outcomes(
        pd.concat(episodes, ignore_index=True) if episodes else empty,
        pd.DataFrame(costs, columns=list(COSTS)),
        pd.DataFrame([{key: row[key] for key in CURVES} for row in curves], columns=list(CURVES)),
        _cells_frame(records),
    )


def grid_commits(out: Path, spec: GridSpec) -> list[str]:
    """Commits of the code that made what is done of a grid; "unknown" beside others, [] where none is known.

    That of a shared stage whose folder was removed, now that its arms are done, is unknown.

    Args:
        out: the grid's folder.
        spec: of the grid.
    """
    ledger = Ledger(out / LEDGER)
    done = {
        cell.id
        for _, chain in _chains(spec)
        if ledger.read(chain[-1].id).state == "done"
        for cell in chain
        if ledger.read(cell.id).state == "done"
    }
    there = {cell for cell in done if (out / cell).exists()}
    made_by = commits_of(Run.open(out / cell) for cell in sorted(there))
    return commits_known(made_by | ({None} if done - there else set()))


def _chains(spec: GridSpec) -> Iterable[tuple[Arm, list[Cell]]]:
    """Every arm with its cells, in the order of the spec."""
    for arm in spec.arms:
        for world in arm.worlds:
            for seed in spec.seeds:
                yield arm, arm_cells(spec, arm, world, seed)


def _episodes(run: Run, wanted: dict[str, str]) -> pd.DataFrame:
    """Evaluations of the policies `wanted`, under the names that they have there."""
    tasks = run.tasks()
    rows = [
        {
            "env": record["env"], "run_seed": run.seed, "panel": entry.panel,
            "policy": wanted[entry.policy], "task_id": record["task_id"],
            "kind": tasks[record["task_id"]].kind, "expert_length": tasks[record["task_id"]].expert_length,
            "success": record["success"], "outcome": record["outcome"], "n_steps": len(record["steps"]),
            "grounding": float(np.mean([step["grounded"] for step in record["steps"]])),
        }
        for entry in run.trajectory_sets()
        if entry.role == "evaluation" and entry.policy in wanted
        for record in entry.peek()
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"expert_length": "Int64", "kind": "string", "success": bool})


def _curve(run: Run, arm: Arm) -> list[dict[str, Any]]:
    """A row per iteration, with what it spent beside its episodes."""
    return [
        {"env": run.config["env"], "policy": arm.name, "run_seed": run.seed, "iteration": i}
        | {"episodes": episodes, "success": metrics.get("success")}
        | {name: metrics.get(name) or 0.0 for name in ("extra_rollouts", "extra_updates")}
        for _, i, episodes, metrics in training_iterations(run, unrecorded=0.0)
    ]


def _cost(
    run: Run, arm: Arm, chain: Sequence[Cell], records: dict[str, Record], curve: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    *shared, cell = chain
    own = records[cell.id]
    preset = cell.preset
    explored = preset.explore_tasks * preset.rollouts_per_task if len(shared) > 1 else 0
    return {
        "env": run.config["env"], "policy": arm.name, "run_seed": run.seed,
        "episodes": curve[-1]["episodes"] if curve else 0.0, "explorations": float(explored),
        "extra_rollouts": sum(row["extra_rollouts"] for row in curve),
        "extra_updates": sum(row["extra_updates"] for row in curve),
        "seconds": own.total("seconds"), "cpu_seconds": own.total("cpu_seconds"),
        "peak_mb": own.peak_bytes / MEGABYTE,
        "shared_seconds": sum(records[parent.id].total("seconds") for parent in shared),
        "shared_cpu_seconds": sum(records[parent.id].total("cpu_seconds") for parent in shared),
    }  # fmt: skip


def _cells_frame(records: dict[str, tuple[str, Record]]) -> pd.DataFrame:
    rows = [
        {
            "cell": cell, "policy": policy, "state": record.state, "attempts": len(record.attempts),
            "seconds": record.total("seconds"), "cpu_seconds": record.total("cpu_seconds"),
            "peak_mb": record.peak_bytes / MEGABYTE, "error": record.error,
        }
        for cell, (policy, record) in records.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CELLS))

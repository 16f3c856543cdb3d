"""Evaluations of several runs in one small file: a row per episode, without its text.

    python -m spa_lab.pipeline.results RUN... --out FILE.csv.gz    runs -> file
    python -m spa_lab.pipeline.results FILE.csv.gz                 file -> tables

All numbers of a comparison can be computed from such a file. `data/results` holds those of the README.
"""

import argparse
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.pipeline.evaluations import BASELINE, TITLES, evaluations, expert_lengths, panel_frame
from spa_lab.store import Run, StoreError, replacing
from spa_lab.store.csv_tables import read_table
from spa_lab.view.tables.evaluation import differences_table, success_table

COLUMNS = (
    "env", "run_seed", "panel", "policy", "task_id", "kind", "expert_length", "success", "outcome", "n_steps",
    "grounding",
)  # fmt: skip
"""Of a file: as in `frames.trajectories_frame`; `run_seed` is the seed of the run, `kind` the type of the
task, <NA> where the run does not know it."""
TEXT = ("env", "panel", "policy", "task_id", "kind")
"""Of these, the columns of text."""
NUMBER = "%.4g"
"""Form of numbers in a file."""


def episode_results(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per evaluation episode of the runs, with the columns `COLUMNS`.

    Raises:
        ValueError: no run, none with an evaluation, or two runs have the same world, seed and policy.
    """
    if not runs:
        raise ValueError("results: needs at least 1 run, got 0")
    frames = [
        _with_kinds(panel_frame(policies, expert_lengths(run)), run).assign(run_seed=run.seed, panel=panel)
        for run in runs
        for panel, policies in evaluations(run).items()
    ]
    if not frames:
        raise ValueError(f"results: no evaluation in {', '.join(str(run.path) for run in runs)}")
    table = pd.concat(frames, ignore_index=True)[list(COLUMNS)]
    twice = table[table.duplicated(["env", "run_seed", "panel", "policy", "task_id"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(
            f"results: two runs have policy {first['policy']!r} of seed {first['run_seed']} in {first['env']}"
        )
    return table


def _with_kinds(frame: pd.DataFrame, run: Run) -> pd.DataFrame:
    kinds = {task.id: task.kind for task in run.tasks().values()}
    return frame.assign(kind=frame["task_id"].map(kinds).astype("string"))


def write_results(table: pd.DataFrame, file: Path) -> None:
    """Write the table; the same table gives the same bytes. Numbers have four digits.

    Raises:
        StoreError: the disk refused.
    """
    with replacing(file) as partial:
        compression = {"method": "gzip", "mtime": 0}
        table.to_csv(partial, index=False, float_format=NUMBER, compression=compression)


def read_results(file: Path) -> pd.DataFrame:
    """The table of a file.

    Raises:
        ValueError: it is no table, or lacks a column.
        StoreError: it cannot be opened.
    """
    table = read_table(file, COLUMNS, text=TEXT, dtype={"expert_length": "Int64"})
    return table.assign(kind=table["kind"].astype("string").replace("", pd.NA))


def render_results(table: pd.DataFrame, *, baseline: str = BASELINE) -> str:
    """Success of every policy on every panel, and the paired differences from a baseline.

    Args:
        table: of `episode_results`.
        baseline: a policy.
    """
    lines = []
    for (env, panel), rows in table.groupby(["env", "panel"], sort=False):
        # a generator that depends only on the table
        rng = np.random.default_rng([0xF16, *sorted(rows["run_seed"].unique())])
        trained = [policy for policy in rows["policy"].unique() if policy not in (*TITLES, baseline)]
        apart = differences_table(rows, [(policy, baseline) for policy in trained], rng=rng)
        differences = {row["ours"]: f"   − {baseline}: {_signed(row)}" for row in apart.to_dict("records")}
        lines += [
            f"{env}, panel `{panel}`",
            "",
            f"{'policy':<24}{'success':>8}   {'95 %':<15}{'seeds':>6}{'n':>6}",
        ]
        for row in success_table(rows, rng=rng).to_dict("records"):
            interval, n = f"{row['low']:.1%} – {row['high']:.1%}", row["n"] // row["n_seeds"]
            lines.append(
                f"{row['policy']:<24}{row['success']:>8.1%}   {interval:<15}{row['n_seeds']:>6}{n:>6}"
                f"{differences.get(row['policy'], '')}"
            )
        lines.append("")
    return "\n".join(lines)


def _signed(row: Mapping[Hashable, Any]) -> str:
    return f"{row['point']:+.1%} [{row['low']:+.1%}, {row['high']:+.1%}]"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description="Evaluations of several runs in one small file.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="RUN|FILE", help="run folders, or one file")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the runs' episodes there")
    parser.add_argument("--baseline", default=BASELINE, metavar="POLICY", help="(%(default)s)")
    options = parser.parse_args(argv)
    try:
        if options.paths[0].is_dir():
            table = episode_results([Run.open(path) for path in options.paths])
        elif len(options.paths) == 1:
            table = read_results(options.paths[0])
        else:
            raise ValueError(f"{options.paths[0]}: no run folder; a file of results is read alone")
        if options.out:
            write_results(table, options.out)
    except (ValueError, StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(render_results(table, baseline=options.baseline))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Finished runs that ship in data/finished: notebooks show their curves beside those of a small live run.

    python -m spa_lab.pipeline.finished RUN... --out data/finished

keeps the curves of every run, and the episodes of the first seed of each method (`pipeline.excerpt`).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spa_lab.paths import data_folder
from spa_lab.pipeline.excerpt import N_TASKS, make_excerpt
from spa_lab.pipeline.iterations import training_iterations
from spa_lab.store import Run

METRICS = ("success", "grounding", "length", "kl", "reward")
"""Of an iteration, kept by `iterations`; those that a run lacks are NaN."""


def finished_runs() -> list[Run]:
    """The runs in data/finished by name; without any, the one that ships in data/gamed/repaired.

    Raises:
        FileNotFoundError: there is no data folder.
    """
    folders = sorted(path.parent for path in (data_folder() / "finished").glob("*/run.json"))
    return [Run.open(folder) for folder in folders or [data_folder() / "gamed" / "repaired"]]


def iterations(runs: Sequence[Run]) -> pd.DataFrame:
    """A row for every iteration of training, as `tables.learning_table` takes it.

    Columns:
        policy: str, title of the training method.
        run_seed: int64; iteration: int64, from 1; episodes: int64, learnt from up to and with this iteration.
        and `METRICS`: float64.
    """
    rows: list[dict[str, Any]] = []
    for run in runs:
        planned = float(run.config["preset"]["ppo"]["episodes"])
        rows += [
            {"policy": run.methods.get(method, method), "run_seed": run.seed}
            | {"iteration": i + 1, "episodes": int(episodes)}
            | {name: metrics.get(name) for name in METRICS}
            for method, i, episodes, metrics in training_iterations(run, unrecorded=planned)
        ]
    return pd.DataFrame(rows).astype(dict.fromkeys(METRICS, "float64"))


def keep(runs: Sequence[Run], out: Path, *, n_tasks: int = N_TASKS) -> list[Run]:
    """Excerpts of finished runs: curves of all, episodes of the smallest seed of each method.

    Args:
        runs: with one training method each.
        out: folder of the excerpts, each named after its method and seed.
        n_tasks: of which the first seed's episodes are kept, >= 1.

    Raises:
        ValueError: a run has no training method or several, or two have one method and seed.
    """
    named: dict[tuple[str, int], Run] = {}
    for run in runs:
        methods = [curve.method for curve in run.curves() if curve.method]
        if len(methods) != 1:
            raise ValueError(f"{run.path}: {len(methods)} trained methods, 1 expected")
        key = (methods[0], run.seed)
        if key in named:
            raise ValueError(f"{run.path} and {named[key].path} both have {key[0]!r} of seed {key[1]}")
        named[key] = run
    kept = []
    for (method, seed), run in sorted(named.items()):
        first = seed == min(each for name, each in named if name == method)
        kept.append(make_excerpt(run, out / f"{method}-{seed}", n_tasks=n_tasks if first else 0))
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Keep the curves and some episodes of finished runs.")
    parser.add_argument("run", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    keep([Run.open(path) for path in options.run], options.out)

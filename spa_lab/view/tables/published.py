"""The numbers that are known of the paper (arXiv:2505.20732), what they can resolve, and ours beside them.

They are from public summaries and notes; `data/results/paper.csv` names the source of each, and what is in
none of them is missing.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.paths import data_folder
from spa_lab.stats import two_proportion_z, wilson
from spa_lab.store.csv_tables import read_table
from spa_lab.view.tables.evaluation import success_table

COLUMNS = ("world", "method", "quantity", "percent", "n", "source")
"""Of the file. `n`: tasks of the benchmark's split, <NA> for quantities that are no counts of tasks."""
OURS: Mapping[str, str] = {"SFT": "cloned", "PPO": "PPO, terminal reward", "SPA-RL": "PPO, SPA-RL"}
"""The paper's method -> the policy of a run or comparison here."""


def read_published(file: Path | None = None) -> pd.DataFrame:
    """The paper's numbers, with the columns `COLUMNS`.

    Args:
        file: another file; None: the one that ships.

    Raises:
        ValueError: it lacks a column.
    """
    return read_table(file or data_folder() / "results" / "paper.csv", COLUMNS, dtype={"n": "Int64"})


def published_table(published: pd.DataFrame, world: str, *, against: str = "SPA-RL") -> pd.DataFrame:
    """What one run of each method on a benchmark's tasks can tell.

    Columns:
        method, source: str.
        percent: float64, as published.
        n, k: Int64, tasks, and successes whose share rounds to the percentage; k is <NA> if no count does.
        low, high: float64 in [0, 1], Wilson's interval of k of n.
        z: float64, of two proportions, `against` minus the method; within ±1.96 they are not told apart.

    Args:
        published: of `read_published`.
        world: of the table.
        against: a method.

    Raises:
        ValueError: the world has no such method.
    """
    rows = _successes(published, world)
    if against not in set(rows["method"]):
        raise ValueError(f"no success of {against!r} in {world!r}; there are: {', '.join(rows['method'])}")
    counted = {row["method"]: (_count(row["percent"], row["n"]), row["n"]) for _, row in rows.iterrows()}
    table = [_resolved(row, counted, against) for row in rows.to_dict("records")]
    return pd.DataFrame(table).astype({"n": "Int64", "k": "Int64"})


def _successes(published: pd.DataFrame, world: str) -> pd.DataFrame:
    return published[(published["world"] == world) & (published["quantity"] == "success")]


def _resolved(row: Mapping[Any, Any], counted: Mapping[str, Any], against: str) -> dict[str, Any]:
    (k, n), (k_other, n_other) = counted[row["method"]], counted[against]
    interval = wilson(k, n) if k is not None else None
    told = row["method"] != against and None not in (k, k_other)
    return {
        "method": row["method"], "percent": row["percent"], "n": n, "k": k,
        "low": interval.low if interval else math.nan, "high": interval.high if interval else math.nan,
        "z": two_proportion_z(k_other, n_other, k, n) if told else math.nan, "source": row["source"],
    }  # fmt: skip


def _count(percent: float, n: int) -> int | None:
    """Number k with round(100 * k / n, 1) == percent; None if there is none."""
    k = round(percent * n / 100)
    return k if round(100 * k / n, 1) == percent else None


def beside_table(
    published: pd.DataFrame,
    world: str,
    frame: pd.DataFrame,
    *,
    rng: np.random.Generator,
    names: Mapping[str, str] = OURS,
) -> pd.DataFrame:
    """The paper's success beside ours. Other tasks, another model: not to be subtracted.

    Columns:
        method: str, the paper's name; policy: str, ours.
        paper: float64, per cent; NaN is "not found".
        here, low, high: float64, per cent, with the 95 % interval over seeds and tasks; NaN: not trained.
        n_seeds, n: Int64, seeds and episodes in all.

    Args:
        published: of `read_published`.
        world: the paper's.
        frame: our episodes of one world and panel, see `tables.comparison`.
        rng: of the bootstrap.
        names: the paper's method -> our policy.
    """
    theirs = _successes(published, world).set_index("method")["percent"]
    ours = success_table(frame[frame["policy"].isin(list(names.values()))], rng=rng).set_index("policy")
    table = []
    for method in dict.fromkeys([*names, *theirs.index]):
        policy = names.get(method)
        here = ours.loc[policy] if policy in ours.index else None
        table.append(
            {"method": method, "policy": policy, "paper": theirs.get(method, math.nan)}
            | {
                column: math.nan if here is None else 100 * float(here[name])
                for column, name in (("here", "success"), ("low", "low"), ("high", "high"))
            }
            | {name: None if here is None else int(here[name]) for name in ("n_seeds", "n")}
        )
    return pd.DataFrame(table).astype({"n_seeds": "Int64", "n": "Int64"})

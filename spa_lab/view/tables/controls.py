"""Positive controls as tables: what every arm learnt on a probe, and whether the predictions hold.

Values of policies are exact, and every task of a probe is evaluated. Intervals are 95 %, over seeds and
tasks.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from spa_lab.stats import Interval, crossed_bootstrap, paired_bootstrap
from spa_lab.types import FloatArray

COLUMNS = ("probe", "arm", "seed", "task", "iteration", "value")
"""Of the curves: the exact value of the policy of an arm on a task after an iteration; 0 is the clone."""
OPTIMUM = 1.0
"""Value of the best policy on every probe."""
MARGIN = 0.05
"""Largest loss of area that counts as noise."""
Relation = Literal["above", "not below"]
_RNG = 0xC0


@dataclass(frozen=True)
class Prediction:
    """What theory says of the areas of two arms."""

    probe: str
    ours: str
    relation: Relation
    """"above": larger; "not below": smaller by less than `MARGIN`, if at all."""
    theirs: str


def _each(probe: str, ours: Sequence[str], relation: Relation, theirs: Sequence[str]) -> list[Prediction]:
    return [Prediction(probe, one, relation, other) for one in ours for other in theirs]


PREDICTIONS: Sequence[Prediction] = (
    *_each("gates", ("exact", "spa_progress", "spa_hindsight", "gigpo"), "above", ("terminal", "rloo")),
    *_each("gates", ("spa_progress",), "above", ("spa_progress_siblings", "spa_progress_own")),
    *_each("gates", ("exact",), "above", ("shuffled",)),
    *_each(
        "gates",
        ("spa_progress_discounted", "spa_hindsight_discounted"),
        "above",
        ("terminal_discounted",),
    ),
    *_each("signs", ("exact",), "above", ("terminal", "rloo", "gigpo", "spa_progress")),
    *_each("signs", ("spa_hindsight",), "above", ("terminal", "spa_progress")),
    *_each(
        "search", ("terminal", "spa", "spa_progress", "spa_hindsight"), "above", ("spa_published", "spa_kept")
    ),
    *_each("last", ("exact", "spa_progress", "spa_hindsight", "gigpo"), "not below", ("terminal",)),
)
"""Each was stated before its first arm was run on the reported seeds, but for those of `spa_hindsight`: they
were stated after its runs."""


def controls_table(curves: pd.DataFrame) -> pd.DataFrame:
    """One row for each probe and arm.

    Columns:
        probe, arm: str.
        area, low, high: mean value over the iterations (trapezoid rule), in [0, 1].
        start, final, final_low, final_high: value of the clone, and after the last iteration.
        n_seeds, n_tasks: int64.

    Args:
        curves: with the columns `COLUMNS`.
    """
    rows = []
    for (probe, arm), group in curves.groupby(["probe", "arm"], sort=False):
        areas, last = crossed(areas_of(group)), group["iteration"].max()
        final = crossed(_matrix(group[group["iteration"] == last], "value"))
        rows.append(
            {
                "probe": probe, "arm": arm, "area": areas.point, "low": areas.low, "high": areas.high,
                "start": group.loc[group["iteration"] == 0, "value"].mean(), "final": final.point,
                "final_low": final.low, "final_high": final.high, "n_seeds": group["seed"].nunique(),
                "n_tasks": group["task"].nunique(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def predictions_table(curves: pd.DataFrame, predictions: Sequence[Prediction] = PREDICTIONS) -> pd.DataFrame:
    """Paired differences of areas, on the seeds that both arms of a prediction were trained with.

    Columns:
        probe, ours, relation, theirs: str, of the prediction.
        difference, low, high: of the areas, paired by seed and task.
        verdict: "holds", "fails" or "open", see `verdict`.
        n_seeds: int64.

    Raises:
        ValueError: two arms cannot be paired, see `paired_areas`.
    """
    rows = []
    for each in predictions:
        of_probe = curves[curves["probe"] == each.probe]
        arms = {arm: of_probe[of_probe["arm"] == arm] for arm in (each.ours, each.theirs)}
        pair = paired_areas(arms, where=each.probe)
        if pair is None:
            continue
        ours, theirs = pair
        apart = paired_bootstrap(ours, theirs, rng=np.random.default_rng(_RNG))
        rows.append(
            {
                "probe": each.probe, "ours": each.ours, "relation": each.relation, "theirs": each.theirs,
                "difference": apart.point, "low": apart.low, "high": apart.high,
                "verdict": verdict(each.relation, apart), "n_seeds": len(ours),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def verdict(relation: Relation, difference: Interval) -> Literal["holds", "fails", "open"]:
    """Whether a prediction holds, by the interval of ours - theirs.

    "above" holds where the interval lies above 0, fails where it lies below, and is open where it includes 0.
    "not below" holds where it lies above -`MARGIN`, fails where it lies below 0, else it is open.
    """
    least = 0.0 if relation == "above" else -MARGIN
    if difference.low > least:
        return "holds"
    return "fails" if difference.high < 0 else "open"


def areas_of(curves: pd.DataFrame) -> pd.DataFrame:
    """Mean value over the iterations, for the curves of one probe and arm: a row a seed, a column a task."""
    rows = [
        {"seed": seed, "task": task, "area": _area(group)}
        for (seed, task), group in curves.groupby(["seed", "task"])
    ]
    return _matrix(pd.DataFrame(rows, columns=["seed", "task", "area"]), "area")


def paired_areas(
    arms: Mapping[str, pd.DataFrame], *, where: str = "areas"
) -> tuple[FloatArray, FloatArray] | None:
    """(K, tasks) of two arms on the K seeds that both have; None if there is none, or tasks are missing.

    Args:
        arms: name -> its curves, two of them; one that lacks tasks of the other is not finished.
        where: what is compared, for the error.

    Raises:
        ValueError: each arm has a task that the other lacks (names both): they are no pairs.
    """
    (ours, first), (theirs, second) = ((name, areas_of(curves)) for name, curves in arms.items())
    if first.empty or second.empty:
        return None
    left, right = list(first.columns), list(second.columns)
    if set(left) - set(right) and set(right) - set(left):
        raise ValueError(
            f"{where}: {ours!r} has the tasks {_listed(left)}, {theirs!r} has {_listed(right)}; "
            "they cannot be paired"
        )
    seeds = first.index.intersection(second.index)
    if seeds.empty or not first.columns.equals(second.columns):
        return None
    return first.loc[seeds].to_numpy(dtype=np.float64), second.loc[seeds].to_numpy(dtype=np.float64)


def _listed(names: Sequence[Any]) -> str:
    more = len(names) - 8
    return ", ".join(map(str, names[:8])) + (f" and {more} more" if more > 0 else "")


def crossed(matrix: pd.DataFrame) -> Interval:
    """The mean with its interval over seeds and tasks; the same numbers give the same interval."""
    return crossed_bootstrap(matrix.to_numpy(dtype=np.float64), rng=np.random.default_rng(_RNG))


def render_controls(table: pd.DataFrame, predictions: pd.DataFrame) -> str:
    """Both tables as text."""
    lines = []
    for probe, rows in table.groupby("probe", sort=False):
        first, fewest, most = rows.iloc[0], rows["n_seeds"].min(), rows["n_seeds"].max()
        seeds = f"{most} seeds" if fewest == most else f"{fewest} to {most} seeds"
        lines += [
            f"{probe}: value of the policy, {seeds}, all {first['n_tasks']} tasks, exact; "
            f"start {first['start']:.2f}, optimum {OPTIMUM:g}",
            f"{'arm':<28}{'area':>6}   {'95 %':<13}{'final':>6}   {'95 %':<13}",
        ]
        lines += [_line(row) for row in rows.to_dict("records")] + [""]
    if len(predictions):
        lines.append(f"{'prediction: area':<58}{'difference':>10}   {'95 %':<16}verdict")
    for row in predictions.to_dict("records"):
        said = f"{row['probe']}: {row['ours']} {row['relation']} {row['theirs']}"
        interval = f"[{row['low']:+.2f}, {row['high']:+.2f}]"
        lines.append(f"{said:<58}{row['difference']:>+10.2f}   {interval:<16}{row['verdict']}")
    return "\n".join(lines)


def _line(row: Mapping[Hashable, Any]) -> str:
    area, final = f"{row['low']:.2f} – {row['high']:.2f}", f"{row['final_low']:.2f} – {row['final_high']:.2f}"
    return f"{row['arm']:<28}{row['area']:>6.2f}   {area:<13}{row['final']:>6.2f}   {final:<13}"


def _area(group: pd.DataFrame) -> float:
    ordered = group.sort_values("iteration")
    iterations = ordered["iteration"].to_numpy(dtype=np.float64)
    return float(np.trapezoid(ordered["value"], iterations) / (iterations[-1] - iterations[0]))


def _matrix(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """One number for each seed (rows) and task (columns), both sorted."""
    return rows.pivot(index="seed", columns="task", values=column)

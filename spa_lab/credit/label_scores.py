"""A second scoreboard: every credit source against the labels that people or judges gave to steps.

Labels say which steps harmed, not by how much. So only the order counts: whether harmful steps score below
others, whether the first harmful step is found, and whether pairs of steps with different labels are in
order. Steps without a label count nowhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spa_lab.matching import check_match
from spa_lab.stats.task_weights import percentile_bounds, task_weights
from spa_lab.types import Credit, FloatArray, Labels, Trajectory

Part = tuple[float, float]
"""Numerator and denominator of one trajectory; a ratio of sums over trajectories is the statistic."""


@dataclass(frozen=True)
class LabelMetric:
    """One column of the scoreboard."""

    title: str
    meaning: str
    part: Callable[[FloatArray, FloatArray], Part]
    """Of the contributions (T,) and labels (T,) of the labelled steps."""


def harm_part(contributions: FloatArray, labels: FloatArray) -> Part:
    """Pairs of a harmful and another step in which the harmful one scores lower; ties count 1/2."""
    harmful = labels < 0
    above = np.sign(contributions[~harmful][None, :] - contributions[harmful][:, None])
    return float(((1 + above) / 2).sum()), float(above.size)


def first_error_part(contributions: FloatArray, labels: FloatArray) -> Part:
    """Whether the first harmful step has the lowest contribution; k tied at the lowest count 1 / k."""
    harmful = np.flatnonzero(labels < 0)
    if not len(harmful) or len(labels) < 2:
        return 0.0, 0.0
    lowest = contributions == contributions.min()
    return float(lowest[harmful[0]] / lowest.sum()), 1.0


def first_error_chance_part(contributions: FloatArray, labels: FloatArray) -> Part:
    """What a guess among the labelled steps would hit."""
    defined = first_error_part(contributions, labels)[1]
    return defined / len(labels), defined


def pair_part(contributions: FloatArray, labels: FloatArray) -> Part:
    """Pairs of steps with different labels in the order of the labels; ties count 1/2."""
    first, second = np.triu_indices(len(labels), k=1)
    gap = np.sign(labels[second] - labels[first])
    agreed = gap * np.sign(contributions[second] - contributions[first])
    return float(((1 + agreed[gap != 0]) / 2).sum()), float(np.count_nonzero(gap))


LABEL_METRICS: Mapping[str, LabelMetric] = MappingProxyType(
    {
        "harm_auc": LabelMetric(
            "AUC of harmful steps", "a harmful step scores below another of its trajectory", harm_part
        ),
        "first_error": LabelMetric(
            "first error found", "the first harmful step has the lowest contribution", first_error_part
        ),
        "pair_accuracy": LabelMetric(
            "pairs in order", "pairs of steps with different labels; ties count 1/2", pair_part
        ),
    }
)
"""All metrics, in the order of the columns; 1 is best."""


def label_scoreboard(
    trajectories: Sequence[Trajectory],
    credits: Sequence[Credit],
    labels: Sequence[Labels],
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Every source scored against every labeller, one row per source, labeller and metric.

    Columns:
        source, labeller: str.
        metric: key of `LABEL_METRICS`.
        title: str, of the metric.
        value, low, high: float64, the statistic with its percentile bootstrap interval over tasks, whose
            trajectories are resampled together; NaN if undefined. No interval of fewer than `LEAST_TASKS`
            tasks, or where the statistic is the same in all resamples.
        chance: float64, value of a source that guesses: 0.5, or the mean of 1 / T for the first error.
        n_steps, n_trajectories, n_tasks: int64, labelled steps, trajectories and tasks that count.

    A source is scored on the trajectories that have both its credit and labels; the counts say how many.

    Args:
        trajectories: N >= 1.
        credits: of any of them, any number of sources.
        labels: of any of them, any number of labellers.
        rng: draws the resamples, the same for all sources of a labeller.
        resamples: number of bootstrap samples.
        level: confidence of the intervals, in (0, 1).

    Raises:
        ValueError: no trajectory has both a credit and labels, or a credit or labels do not fit, as in
            `matching.check_match`.
    """
    check_match(trajectories, credits, labels=labels)
    by_id = {trajectory.id: trajectory for trajectory in trajectories}
    by_source, by_labeller = _grouped(credits, labels)
    rows = [
        row
        for labeller, given in by_labeller.items()
        for row in _against(labeller, given, by_id, by_source, resamples, level, rng)
    ]
    if not rows:
        raise ValueError(
            f"no trajectory has both credit and labels: {len(credits)} credits, {len(labels)} labels"
        )
    return pd.DataFrame(rows)


def _grouped(
    credits: Sequence[Credit], labels: Sequence[Labels]
) -> tuple[dict[str, dict[str, Credit]], dict[str, list[Labels]]]:
    """Source -> trajectory id -> credit, and labeller -> labels."""
    by_source: dict[str, dict[str, Credit]] = {}
    for credit in credits:
        by_source.setdefault(credit.source, {})[credit.trajectory_id] = credit
    by_labeller: dict[str, list[Labels]] = {}
    for one in labels:
        by_labeller.setdefault(one.source, []).append(one)
    return by_source, by_labeller


def _against(
    labeller: str,
    given: Sequence[Labels],
    by_id: Mapping[str, Trajectory],
    by_source: Mapping[str, Mapping[str, Credit]],
    resamples: int,
    level: float,
    rng: np.random.Generator,
) -> Iterator[dict[str, object]]:
    """The rows of every source against one labeller."""
    labelled = [by_id[one.trajectory_id] for one in given]
    tasks = dict.fromkeys((trajectory.env, trajectory.task_id) for trajectory in labelled)
    index = {task: i for i, task in enumerate(tasks)}
    weights = task_weights(len(tasks), resamples, rng)
    for source, of_source in by_source.items():
        pairs = [
            (index[trajectory.env, trajectory.task_id], of_source[trajectory.id].contributions, one.values)
            for trajectory, one in zip(labelled, given, strict=True)
            if trajectory.id in of_source
        ]
        if pairs:
            names: dict[str, object] = {"source": source, "labeller": labeller}
            yield from (names | row for row in _scores(pairs, weights, level))


def render_labels(table: pd.DataFrame) -> str:
    """The scoreboard as text: one block per labeller, one line per source, n behind."""
    lines: list[str] = []
    for labeller in table["labeller"].unique():
        rows = table[table["labeller"] == labeller]
        titles = {name: LABEL_METRICS[name].title for name in rows["metric"].unique()}
        n_tasks, n = rows["n_tasks"].max(), rows["n_trajectories"].max()
        lines += [*([""] if lines else []), f"labels: {labeller}; {n} trajectories of {n_tasks} tasks", ""]
        lines.append(f"{'source':<24}" + "".join(f"{title:>38}" for title in titles.values()))
        for source in rows["source"].unique():
            cells = rows[rows["source"] == source].set_index("metric")
            shown = [_cell(cells.loc[name]) for name in titles]
            lines.append(f"{source:<24.24}" + "".join(f"{cell:>38}" for cell in shown))
    return "\n".join(
        [
            *lines,
            "",
            "intervals by a bootstrap over tasks; n: labelled steps that count, for the first error episodes",
        ]
    )


def _cell(row: pd.Series) -> str:
    if np.isnan(row["value"]):
        return "–"
    reach = "" if np.isnan(row["low"]) else f" ({row['low']:.2f}–{row['high']:.2f})"
    n = row["n_trajectories"] if row.name == "first_error" else row["n_steps"]
    return f"{row['value']:.2f}{reach} n={n}, chance {row['chance']:.2f}"


def _scores(
    pairs: Sequence[tuple[int, FloatArray, FloatArray]], weights: FloatArray, level: float
) -> list[dict[str, object]]:
    """A row for each metric of one source; pairs are task, contributions and labels of a trajectory."""
    known = [(task, c[~np.isnan(values)], values[~np.isnan(values)]) for task, c, values in pairs]
    rows: list[dict[str, object]] = []
    for name, metric in LABEL_METRICS.items():
        parts = np.array([metric.part(c, values) for _, c, values in known])  # (N, 2)
        used = parts[:, 1] > 0
        tasks = np.array([task for task, _, _ in known], dtype=np.intp)
        values = _ratios(parts, tasks, weights)
        chance = 0.5
        if name == "first_error":
            guesses = np.array([first_error_chance_part(c, v) for _, c, v in known])
            chance = float(_ratios(guesses, tasks, weights[:1])[0])
        n_tasks = len(set(tasks[used].tolist()))
        low, high = percentile_bounds(values, level, n_tasks)
        if low == high:  # the same in all tasks: there was nothing to resample
            low, high = np.nan, np.nan
        row: dict[str, object] = {
            "metric": name,
            "title": metric.title,
            "value": float(values[0]),
            "low": low,
            "high": high,
            "chance": chance,
            "n_steps": sum(len(v) for (_, _, v), counted in zip(known, used, strict=True) if counted),
            "n_trajectories": int(used.sum()),
            "n_tasks": n_tasks,
        }
        rows.append(row)
    return rows


def _ratios(parts: FloatArray, tasks: NDArray[np.intp], weights: FloatArray) -> FloatArray:
    """(B,) ratio of the sums over trajectories in every resample; NaN where nothing counts."""
    sums = np.zeros((weights.shape[1], 2))
    np.add.at(sums, tasks, parts)
    above, below = (weights @ sums).T
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)

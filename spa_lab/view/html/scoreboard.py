"""The fidelity scoreboard in a page: sources down, metrics across, each with its interval."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spa_lab.stats.task_weights import LEAST_TASKS
from spa_lab.view import style
from spa_lab.view.geometry import Span
from spa_lab.view.html.bar_cells import lane, mark, reach, swatch
from spa_lab.view.html.markup import safe
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS
from spa_lab.view.text import shortened

COLUMNS = (
    "source",
    "outcome",
    "metric",
    "value",
    "low",
    "high",
    "n_trajectories",
    "ceiling",
    "title",
    "chance",
)
"""What is needed of the table of `credit.fidelity.scoreboard`."""


def board_html(
    table: pd.DataFrame,
    metrics: Sequence[str] = DEFAULT_METRICS,
    outcomes: Sequence[str] = ("success", "failure"),
) -> str:
    """A row per source and outcome, a cell per metric.

    Args:
        table: of `credit.fidelity.scoreboard`.
        metrics: values of its column `metric`, in the order of the columns.
        outcomes: values of its column `outcome`.

    Raises:
        ValueError: the table is empty, or lacks a column, a metric or an outcome.
    """
    check_board(table, metrics, outcomes)
    spans = {metric: _span(table[table["metric"] == metric]) for metric in metrics}
    heads = "".join(_head(table[table["metric"] == metric].iloc[0], spans[metric]) for metric in metrics)
    rows = []
    looks = style.looks_beside(map(str, table["source"].unique()))
    for source in table["source"].unique():
        name = f"{swatch(looks[str(source)].colour)} {safe(shortened(str(source), 40))}"
        for outcome in outcomes:
            scores = table[(table["source"] == source) & (table["outcome"] == outcome)].set_index("metric")
            cells = "".join(
                _cell(scores.loc[metric], spans[metric]) for metric in metrics if metric in scores.index
            )
            rows.append(
                f'<tr role="row"><th scope="row" role="rowheader" dir="auto">{name}</th>'
                f'<td role="gridcell">{safe(outcome)}</td>{cells}</tr>'
            )
    return (
        '<span class="note">◇ the statistic with its bootstrap interval over tasks; ▮ grey bar: a second '
        "measurement of the truth, which exact values surpass a little; dotted: what guessing scores. No "
        f"interval: fewer than {LEAST_TASKS} tasks, or resamples that do not differ.</span>"
        '<table class="steps board" role="grid" aria-label="fidelity of every source"><thead><tr role="row">'
        '<th scope="col" role="columnheader">source</th><th scope="col" role="columnheader">episodes</th>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def check_board(table: pd.DataFrame, metrics: Sequence[str], outcomes: Sequence[str]) -> None:
    """Raises ValueError where the table cannot be drawn, naming what it lacks."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if table.empty or missing:
        raise ValueError(f"scoreboard: {len(table)} rows, columns missing: {missing}")
    for name, wanted in (("metric", metrics), ("outcome", outcomes)):
        if lost := [value for value in wanted if value not in set(table[name])]:
            raise ValueError(
                f"scoreboard: no {name} {lost[0]!r}; there are: {', '.join(table[name].unique())}"
            )


def _span(own: pd.DataFrame) -> Span:
    values = own[["value", "low", "high", "ceiling", "chance"]].to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    pad = 0.05 * (high - low) or 0.5
    return low - pad, high + pad


def _head(row: pd.Series, span: Span) -> str:
    low, high = (f"{end:.2f}".replace("-", "−") for end in span)
    best = "" if pd.isna(row.get("best")) else f"best {row['best']:g}"
    return (
        f'<th scope="col" role="columnheader" class="lane"><b>{safe(str(row["title"]))}</b><br>'
        f'<span class="facts">{best}</span>'
        f'<div class="ends"><span>{low}</span><span>{high}</span></div></th>'
    )


def _cell(row: pd.Series, span: Span) -> str:
    parts = [mark("chance", row["chance"], span)] if np.isfinite(row["chance"]) else []
    if np.isfinite(row["ceiling"]):
        parts.append(mark("ceiling", row["ceiling"], span))
    if not np.isfinite(row["value"]):
        return lane(parts, "undefined", span, look="measured")
    interval = "no interval"
    # resamples that do not differ, as of 0 of 12, do not make a number certain
    if row["low"] < row["high"]:
        parts.append(reach("whisker", row["low"], row["high"], span))
        interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
    parts.append(mark("diamond", row["value"], span))
    text = f"{row['value']:.2f} {interval}, n={int(row['n_trajectories'])}"
    return lane(parts, text.replace("-", "−"), span, look="measured")

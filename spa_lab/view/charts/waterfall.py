"""A waterfall of one source of credit: from its base value, step by step, to the outcome R."""

from typing import Any

import numpy as np
import pandas as pd

from spa_lab.rewards import is_prediction, predicts_outcome
from spa_lab.types import Credit, Trajectory
from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, layout, selected_step, steps_meta
from spa_lab.view.tables.trajectory import waterfall_table
from spa_lab.view.text import inert, outcome_text, shortened, signed, step_text

HEIGHT = 206
"""Pixels."""
MOST_LABELS = 20
"""Steps up to which every bar has its number and every step a tick."""
KINDS = {
    "base": ("base value", style.BAND, ""),
    "raises": ("raises the {}", style.POSITIVE, ""),
    "lowers": ("lowers it", style.NEGATIVE, "/"),
    "unexplained": ("left unexplained", style.WHITE, "x"),
    "outcome": ("outcome R", style.INK, ""),
}
"""Kind of bar -> name with a place for `_total`, colour, pattern; no two differ by colour alone."""
DIFFERENCE = "difference to R"
"""Name of the bar "unexplained" of a source whose contributions are no parts of R."""


def waterfall_chart(trajectory: Trajectory, credit: Credit) -> Chart:
    """The table of `tables.trajectory.waterfall_table`: floating bars from the base value to R.

    Args:
        trajectory: T steps.
        credit: of this trajectory; the measured progress in the form of a credit is one, too.

    Raises:
        ValueError: the credit is of another trajectory.
    """
    table = waterfall_table(trajectory, credit)
    n_steps = len(trajectory)
    place = np.arange(len(table)) - 1  # the base stands left of step 0
    kind = table["kind"].where(table["kind"] != "step", np.where(table["change"] < 0, "lowers", "raises"))
    gap = KINDS["unexplained"][0] if predicts_outcome(credit.source) else DIFFERENCE
    words = pd.Series([_words(trajectory, row.kind, row.step, gap) for row in table.itertuples()])
    traces = [
        _bars(table[kind == name], place[kind == name], words[kind == name], name, n_steps <= MOST_LABELS)
        | {"name": gap if name == "unexplained" else KINDS[name][0].format(_total(trajectory, credit))}
        for name in KINDS
        if (kind == name).any()
    ]
    traces.append(_path(table, place))
    description = (
        f"Waterfall of {credit.source}: base value {credit.base_value:.2f}, {n_steps} steps, "
        f"{_total(trajectory, credit)} {credit.predicted_outcome:.2f}, "
        f"outcome {outcome_text(trajectory.outcome)}"
    )
    return Chart(traces, _layout(trajectory, credit, table, place), description)


def _total(trajectory: Trajectory, credit: Credit) -> str:
    """What base value and contributions add up to: only some sources predict R."""
    return "prediction" if is_prediction(credit, trajectory.outcome) else "sum"


def _words(trajectory: Trajectory, kind: str, step: Any, gap: str) -> str:
    if kind == "step":
        return inert(step_text(trajectory.steps[int(step)]))
    return gap if kind == "unexplained" else kind


def _bars(rows: pd.DataFrame, place: np.ndarray, words: pd.Series, name: str, labelled: bool) -> Trace:
    _, colour, pattern = KINDS[name]
    change = rows["change"].to_numpy()
    trace: Trace = {
        "type": "bar",
        "x": place,
        "y": change,
        "base": rows["start"].to_numpy(),
        "width": 0.75,
        "marker": {
            "color": colour,
            "line": {"color": style.MUTED, "width": 1 if name == "unexplained" else 0},
            "pattern": {"shape": pattern, "fgcolor": style.BAND if name == "unexplained" else style.WHITE,
                        "fillmode": "overlay", "size": 5, "solidity": 0.3},
        },
        "customdata": [list(pair) for pair in zip(words, change.tolist(), strict=True)],
        "hovertemplate": "%{customdata[0]}: %{customdata[1]:+.3f}<extra></extra>",
        "xaxis": "x",
        "yaxis": "y",
    }  # fmt: skip
    if labelled:
        absolute = name in ("base", "outcome")
        trace |= {
            "text": [f"{value:.2f}" if absolute else signed(value, 2) for value in change],
            "textposition": "outside",
            "cliponaxis": False,
            "textfont": {"size": 10},
        }
    return trace


def _path(table: pd.DataFrame, place: np.ndarray) -> Trace:
    """A thin line that leads from the end of each bar to the start of the next."""
    moving = (table["kind"] != "outcome").to_numpy()
    end = (table["start"] + table["change"]).to_numpy()
    return {
        "type": "scatter",
        "mode": "lines",
        "x": place[moving],
        "y": end[moving],
        "line": {"color": style.MUTED, "width": 1, "shape": "hv"},
        "showlegend": False,
        "hoverinfo": "skip",
        "name": "running sum",
        "xaxis": "x",
        "yaxis": "y",
    }


def _layout(trajectory: Trajectory, credit: Credit, table: pd.DataFrame, place: np.ndarray) -> dict[str, Any]:
    n_steps = len(trajectory)
    stride = max(1, -(-n_steps // MOST_LABELS))
    steps = list(range(0, n_steps, stride))
    others = {"base": "base", "unexplained": "gap", "outcome": "R"}
    if stride > 1:  # bars are narrower than these words: the ends need the space of their neighbours
        steps, others = steps[1:], {"base": "base", "outcome": "R"}
    ends = [(int(at), others[kind]) for at, kind in zip(place, table["kind"], strict=True) if kind in others]
    title = f"step, {inert(shortened(credit.source, 40))}"
    return layout(
        HEIGHT,
        subject=inert(trajectory.id),
        margin={"l": 54, "r": 12, "t": 26, "b": 36},
        dragmode=False,
        barmode="overlay",
        hovermode="closest",
        xaxis=axis(
            title,
            grid=False,
            tickangle=0,
            range=[-1.6, float(place[-1]) + 0.6],
            tickvals=[*steps, *(at for at, _ in ends)],
            ticktext=[*map(str, steps), *(name for _, name in ends)],
        ),
        yaxis=axis(_total(trajectory, credit), nticks=5, ticks="outside", ticklen=4, tickcolor=style.WHITE),
        shapes=[selected_step("x", "y", -0.5)],
        meta=steps_meta(n_steps, {"x": -0.5}) | {"scrub": True},
    )

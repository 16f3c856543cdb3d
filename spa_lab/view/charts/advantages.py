"""From credit to advantage, step by step: rewards above, advantages in the middle, reach below."""

from typing import Any

import numpy as np
import pandas as pd

from spa_lab.types import Trajectory
from spa_lab.view import style
from spa_lab.view.charts.chart import (
    Chart,
    Trace,
    axis,
    domains,
    layout,
    line,
    marker,
    selected_step,
    step_ticks,
    steps_meta,
)
from spa_lab.view.charts.running_sum import step_labels
from spa_lab.view.tables.advantages import credit_term, grounding_term

HEIGHT = 470
"""Pixels."""
PANELS, GAP = (3.0, 3.0, 2.0), 0.9
"""Relative heights of rewards, advantages and reach, and what is between them."""


def advantage_chart(trajectory: Trajectory, table: pd.DataFrame) -> Chart:
    """The table of `tables.advantages.advantage_table` of this trajectory as a chart of three panels."""
    steps = table["step"].to_numpy()
    filled = {"color": style.POSITIVE, "line": {"width": 0}}
    hollow = {"color": style.WHITE, "line": {"width": 1.5, "color": style.POSITIVE}}
    terminal = style.look("terminal")
    names = [f"from the credit, {credit_term(table)}", f"from grounding, {grounding_term(table)}"]
    traces = [
        step_labels(trajectory),
        _bars(steps, table["from_credit"], names[0], filled, ""),
        _bars(steps, table["from_grounding"], names[1], hollow, ""),
        _bars(steps, table["advantage"], "advantage of this reward", filled | {"opacity": 0.75}, "2"),
        _line(steps, table["terminal"], "advantage if the outcome were the only reward", terminal, "2"),
        _line(steps, table["reach"], "share of the last reward that arrives", style.look("truth"), "3"),
    ]
    description = f"Reward, advantage and reach of each of {len(table)} steps"
    return Chart(traces, _layout(trajectory), description)


def _bars(steps: np.ndarray, values: pd.Series, name: str, look: dict[str, Any], panel: str) -> Trace:
    return {
        "type": "bar",
        "x": steps,
        "y": values.to_numpy(),
        "name": name,
        "marker": look,
        "hovertemplate": "%{y:+.4f}",
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
    }


def _line(steps: np.ndarray, values: pd.Series, name: str, look: style.Look, panel: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": steps,
        "y": values.to_numpy(),
        "name": name,
        "line": line(look),
        "marker": marker(look, size=5),
        "hovertemplate": "%{y:.4f}",
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
    }


def _layout(trajectory: Trajectory) -> dict[str, Any]:
    n_steps = len(trajectory)
    result = layout(
        HEIGHT, barmode="group", bargap=0.3, meta=steps_meta(n_steps, dict.fromkeys(("x", "x2", "x3"), -0.5))
    )
    result["margin"]["t"] = 52  # a legend of two rows
    titles = ("reward r", "advantage", "reach")
    for panel, title, domain in zip(("", "2", "3"), titles, domains(PANELS, GAP), strict=True):
        result[f"yaxis{panel}"] = axis(title, domain=domain, nticks=5, anchor=f"x{panel}")
        result[f"xaxis{panel}"] = axis(
            "step" if panel == "3" else "",
            grid=False,
            range=[-0.5, n_steps - 0.5],
            anchor=f"y{panel}",
            **step_ticks(n_steps),
            showticklabels=panel == "3",
            matches="x" if panel else None,
            unifiedhovertitle={"text": "step %{x}"},
        )
    result["yaxis3"]["range"] = [0, 1.05]
    result["shapes"] = [selected_step(f"x{panel}", f"y{panel}", -0.5) for panel in ("", "2", "3")]
    return result

"""What credit gains on a terminal reward, on screen: a heat map for each arm and number of episodes."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, layout
from spa_lab.view.tables.credit_map import TITLES, panels_of, seeds_of, settled
from spa_lab.view.text import signed_in_full

ROW, TITLE, FOOT = 34, 34, 60
"""Pixels: a length, the title of a row of panels, the axis below."""
_GAP = 0.02
"""Between panels, share of the width."""


def credit_map_chart(table: pd.DataFrame) -> Chart:
    """Arms from left to right, episodes in an iteration down; bold where the interval excludes 0.

    Hovering shows the interval and both values.

    Args:
        table: of `tables.credit_map.credit_map_table`.

    Raises:
        ValueError: the table is empty.
    """
    if table.empty:
        raise ValueError("credit map: the table has no rows")
    arms = [arm for arm in TITLES if arm in set(table["arm"])]
    budgets = sorted(map(int, table["episodes"].unique()))
    plot = len(budgets) * (TITLE + ROW * table["length"].nunique())
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    titles: list[dict[str, Any]] = []
    for i, episodes in enumerate(budgets):
        for j, arm in enumerate(arms):
            n = i * len(arms) + j
            suffix = str(n + 1) if n else ""
            left, right = j / len(arms) + _GAP * (j > 0), (j + 1) / len(arms)
            top = 1 - (i * plot / len(budgets) + TITLE) / plot
            bottom = 1 - (i + 1) / len(budgets)
            traces.append(_panel(table, arm, episodes, suffix))
            domains = ((left, right), (bottom, top))
            axes |= _axes(table, suffix, *domains, leftmost=j == 0, lowest=i + 1 == len(budgets))
            titles.append(_title(f"{TITLES[arm]}, {episodes} episodes", left, top))
    figure = layout(plot + FOOT, hovermode="closest", **axes)
    figure |= {
        "annotations": titles,
        "showlegend": False,
        "margin": {"l": 70, "r": 10, "t": 6, "b": FOOT - 10},
    }
    return Chart(
        traces,
        figure,
        f"Value over training minus that of a terminal reward, {seeds_of(table)}, exact values",
    )


def _panel(table: pd.DataFrame, arm: str, episodes: int, suffix: str) -> Trace:
    lengths, fading, places = panels_of(table, arm, episodes)
    largest = float(table["difference"].abs().max()) or 1.0
    rows = [[places.get((i, j)) for j in range(len(fading))] for i in range(len(lengths))]
    return {
        "type": "heatmap", "xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "showscale": False,
        "x": list(range(len(fading))), "y": list(range(len(lengths))),
        "z": [[row["difference"] if row else None for row in line] for line in rows],
        "zmin": -1.6 * largest, "zmax": 1.6 * largest,  # pale enough for dark text at both ends
        "colorscale": [[0, style.NEGATIVE], [0.5, style.WHITE], [1, style.POSITIVE]],
        "text": [[_label(row) for row in line] for line in rows], "texttemplate": "%{text}",
        "customdata": [[_details(row) for row in line] for line in rows],
        "hovertemplate": "%{customdata}<extra></extra>", "xgap": 1, "ygap": 1,
    }  # fmt: skip


def _label(row: Mapping[Hashable, Any] | None) -> str:
    if row is None:
        return ""
    text = signed_in_full(row["difference"], 2)
    return f"<b>{text}</b>" if settled(row) else text


def _details(row: Mapping[Hashable, Any] | None) -> str:
    if row is None:
        return "not finished"
    difference, low, high = (signed_in_full(row[name], 2) for name in ("difference", "low", "high"))
    return (
        f"{row['length']} steps, γλ {row['gamma_lambda']:.2f}, {row['episodes']} episodes<br>"
        f"{row['area']:.2f}, terminal reward {row['baseline']:.2f}, clone {row['start']:.2f}<br>"
        f"difference {difference} [{low}, {high}], {row['n_seeds']} seeds, {row['n_tasks']} tasks"
    )


def _axes(
    table: pd.DataFrame,
    suffix: str,
    across: tuple[float, float],
    down: tuple[float, float],
    *,
    leftmost: bool,
    lowest: bool,
) -> dict[str, Any]:
    lengths, fading, _ = panels_of(table, "", 0)
    return {
        f"xaxis{suffix}": axis(
            "γλ of one step" if lowest else "", grid=False, domain=across, anchor=f"y{suffix}",
            showticklabels=lowest, tickvals=list(range(len(fading))),
            ticktext=[f"{value:.2f}" for value in fading],
        ),
        f"yaxis{suffix}": axis(
            "", grid=False, domain=down, anchor=f"x{suffix}", showticklabels=leftmost, autorange="reversed",
            tickvals=list(range(len(lengths))), ticktext=[f"{n} steps" for n in lengths],
        ),
    }  # fmt: skip


def _title(text: str, left: float, top: float) -> dict[str, Any]:
    return {
        "text": text, "x": left, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left",
        "yanchor": "bottom", "showarrow": False, "font": {"size": 11},
    }  # fmt: skip

"""Policies compared on screen: success with intervals, performance profiles, success against episodes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.view import style
from spa_lab.view.charts.chart import Chart, Trace, axis, error_bars, layout, line, marker
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.text import inert, shortened

ROW, HEAD, PLOT = 26, 90, 320
"""Pixels: one bar, what stands around the bars, a chart over thresholds or episodes."""
NAME = 40
"""Characters of a policy's name."""
RIGHT = 26
"""Pixels right of the plot: plotly leaves out the label "100%" at its end where less is left."""


def comparison_chart(table: pd.DataFrame, *, beside: Sequence[str] = ()) -> Chart:
    """A bar for the success of every policy with its interval; hovering shows what it gains on the reference.

    Args:
        table: of `tables.comparison.comparison_table`.
        beside: policies of the other charts of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    if table.empty:
        raise ValueError("comparison chart: the table has no rows")
    names = [inert(shortened(policy, NAME)) for policy in table["policy"]]
    rate, low, high = (table[name].to_numpy(dtype=np.float64) for name in ("success", "low", "high"))
    apart = style.looks_beside([*beside, *table["policy"]])
    trace: Trace = {
        "type": "bar", "orientation": "h", "x": rate, "y": np.arange(len(table)), "showlegend": False,
        "marker": {"color": [apart[policy].colour for policy in table["policy"]], "opacity": 0.6},
        "error_x": error_bars(high - rate, rate - low),
        "customdata": [_details(row) for row in table.to_dict("records")],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
    figure: dict[str, Any] = layout(
        HEAD + ROW * len(table),
        hovermode="closest",
        xaxis=axis(f"success rate, {intervals_in_words(table)}", range=[0, 1], tickformat=".0%"),
        yaxis=axis(
            "", grid=False, range=[len(table) - 0.5, -0.5], tickvals=list(range(len(table))), ticktext=names,
            automargin=True,
        ),
    )  # fmt: skip
    figure["margin"] |= {"r": RIGHT}
    return Chart([trace], figure, f"Success rate of {len(table)} policies with intervals")


def profile_chart(table: pd.DataFrame, *, beside: Sequence[str] = ()) -> Chart:
    """Performance profiles with their bands.

    Args:
        table: of `tables.comparison.profile_table`.
        beside: policies of the other charts of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    return _bands(
        table, beside, "threshold", axis("success rate τ", range=[0, 1], tickformat=".0%"),
        "share of seeds and task types above τ", "Performance profiles", shape="hv",
    )  # fmt: skip


def learning_chart(table: pd.DataFrame, *, beside: Sequence[str] = ()) -> Chart:
    """Success while training against the episodes learnt from; bands are bootstrap intervals over seeds.

    Args:
        table: of `tables.learning.learning_table`.
        beside: policies of the other charts of a report, in its order; each looks the same in all.

    Raises:
        ValueError: the table has no rows.
    """
    return _bands(
        table, beside, "episodes", axis("episodes learnt from", rangemode="tozero"), "success while training",
        "Success against episodes",
    )  # fmt: skip


def _bands(
    table: pd.DataFrame,
    beside: Sequence[str],
    x: str,
    x_axis: dict[str, Any],
    y_title: str,
    what: str,
    *,
    shape: str = "linear",
) -> Chart:
    """A line with a band for every policy; `shape` as plotly's of lines."""
    if table.empty:
        raise ValueError(f"{what}: the table has no rows")
    policies: Sequence[str] = list(table["policy"].unique())
    traces: list[Trace] = []
    apart = style.looks_beside([*beside, *policies])
    for policy in policies:
        rows, look = table[table["policy"] == policy], apart[policy]
        name = inert(shortened(policy, NAME))
        group = {"legendgroup": policy, "hoverinfo": "skip", "showlegend": False}
        edge = {
            "type": "scatter",
            "mode": "lines",
            "x": rows[x],
            "line": {"width": 0, "shape": shape},
        } | group
        if rows["low"].notna().any():
            traces.append(_plain(edge | {"y": rows["low"]}))
            fill = {"fill": "tonexty", "fillcolor": _faint(look.colour)}
            traces.append(_plain(edge | {"y": rows["high"]} | fill))
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers" if len(rows) <= 20 else "lines", "name": name,
                "legendgroup": policy, "x": rows[x].to_numpy(), "y": rows["value"].to_numpy(),
                "line": line(look) | {"shape": shape}, "marker": marker(look), "hovertemplate": "%{y:.1%}",
            }
        )  # fmt: skip
    figure = layout(PLOT + 20 * (len(policies) // 3), xaxis=x_axis)
    figure["margin"] |= {"r": RIGHT}
    figure["yaxis"] = axis(y_title, range=[-0.02, 1.02], tickformat=".0%")
    return Chart(traces, figure, f"{what} of {len(policies)} policies")


def _plain(trace: Trace) -> Trace:
    return {key: value.to_numpy() if isinstance(value, pd.Series) else value for key, value in trace.items()}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def _details(row: dict[Any, Any]) -> str:
    """What hovering shows, a line each."""
    lines = [
        f"<b>{inert(shortened(str(row['policy']), NAME))}</b>",
        f"{row['success']:.1%} [{row['low']:.1%}, {row['high']:.1%}]",
        f"n = {row['n']}, seeds: {row['n_seeds']}",
        f"IQM {row['iqm']:.1%}",
    ]
    if np.isfinite(row["difference"]):
        lines.append(
            f"− reference: {row['difference']:+.1%} "
            f"[{row['difference_low']:+.1%}, {row['difference_high']:+.1%}], Holm p = {row['p_holm']:.3f}"
        )
    return "<br>".join(lines)

"""Figures for the notebook (plotly). Each has its twin in `paper`.

Every bar trace has one bar per step, so that the number of a bar is the step. `meta` says what a trace holds:
"contribution", "progress", "path", "value", "outcome", "success", "n", "label" (text only) or "legend" (no
data). Text of agents and worlds is inert in every label.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import geometry, style
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.tables.frames import progress_error
from spa_lab.view.tables.trajectory import running_sum
from spa_lab.view.text import (
    BY_LENGTH,
    UNGROUNDED,
    decimal_places,
    facts,
    inert,
    shortened,
    signed,
    step_label,
    sum_caption,
    truth_label,
    wrapped,
)

ROW, HEAD, FOOT = 24, 132, 60
"""Pixels: one step, what stands above the first, what stands below the last."""
BETWEEN = 56
"""Pixels between the success rates and their n: labels and title of the axis."""
LABEL_WIDTH = 44
"""Characters of an action's label; more of its text is in the hover."""
_EMPTY: dict[str, Any] = {"x": [None], "y": [None], "meta": "legend"}
_AXIS = {"gridcolor": style.GRID, "zerolinecolor": style.INK, "zerolinewidth": 1}


def contributions_figure(
    trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None = None
) -> go.Figure:
    """What every source says each step contributed, row by row, and how it adds up to the outcome.

    One column of bars per credit on a common scale, the number beside each bar, negative ones hatched; the
    last column shows base value plus contributions so far and the outcome R. A truth is drawn over them as
    diamonds with standard errors: its progress over the bars, its values over the sums. Ungrounded steps say
    so in their label.

    Args:
        trajectory: T steps.
        credits: at least one, all of this trajectory.
        truth: a measurement of this trajectory.

    Raises:
        ValueError: no credit, or a credit or truth that does not fit the trajectory.
    """
    geometry.check_drawable(trajectory, credits, truth)
    truths = [truth] if truth else []
    figure = make_subplots(
        cols=len(credits) + 1,
        shared_yaxes=True,
        horizontal_spacing=0.015,
        subplot_titles=[
            *(_column_title(credit, len(credits)) for credit in credits),
            "<b>adding up</b><br>base + Σĉ so far",
        ],
    )
    low, high = geometry.bar_span(credits, truths)
    right = high + (high - low) * (0.1 + 0.08 * len(credits))  # room for the numbers
    hovers = [_hover(trajectory, step) for step in range(len(trajectory))]
    for column, credit in enumerate(credits, start=1):
        figure.add_traces(_bars(credit, hovers, right), rows=1, cols=column)
        figure.update_xaxes(range=[low, right], tickvals=geometry.ticks((low, high)), col=column)
        if truth:
            figure.add_trace(_diamonds(truth.progress, progress_error(truth), "progress"), 1, column)
    last = len(credits) + 1
    figure.add_traces(_paths(trajectory, credits, truth), rows=1, cols=last)
    figure.add_traces(_sign_legend(), rows=1, cols=last)
    span = geometry.path_span(credits, truths)
    figure.update_xaxes(range=span, tickvals=geometry.ticks(span), col=last)
    _lay_out_rows(figure, trajectory)
    return figure


def success_by_length_figure(table: pd.DataFrame) -> go.Figure:
    """Success rate of every policy by length of the task, with intervals; n of each bin below.

    Args:
        table: of `success_by_length`; empty bins are left blank.

    Raises:
        ValueError: the table has no rows.
    """
    policies, bins = geometry.policies_and_bins(table)
    heights = [300, ROW * len(policies)]
    body = sum(heights) + BETWEEN
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=BETWEEN / body, row_heights=heights)
    places = geometry.dodge(len(policies))
    for number, policy in enumerate(policies):
        own = table[table["policy"] == policy]
        figure.add_trace(_rates(own, np.arange(len(bins)) + places[number], number), row=1, col=1)
        counts = go.Scatter(
            x=np.arange(len(bins)),
            y=np.full(len(bins), number),
            text=own["n"].astype(str),
            mode="text",
            hoverinfo="skip",
            showlegend=False,
            meta="n",
        )
        figure.add_trace(counts, row=2, col=1)
    _lay_out_lengths(figure, table, policies, bins)
    _lay_out(figure, "<b>Success by length</b>", f"with {intervals_in_words(table)}", 84, 50, body)
    return figure


def _column_title(credit: Credit, n_credits: int) -> str:
    """Source and what its credit adds up to; narrower where more columns share the width."""
    caption = sum_caption(credit)
    if n_credits > 2:
        caption = caption.replace(", ", "<br>")
    return f"<b>{inert(shortened(credit.source, max(54 // n_credits, 8)))}</b><br>{caption}"


def _hover(trajectory: Trajectory, number: int) -> str:
    step = trajectory.steps[number]
    mark = "" if step.grounded else f" · {UNGROUNDED}"
    parts = [f"<b>step {number}</b>{mark}", f"<b>action</b> {wrapped(step.action) or '–'}"]
    if step.thought:
        parts.append(f"<b>thought</b> {wrapped(step.thought)}")
    return "<br>".join([*parts, f"<b>reply</b> {wrapped(step.observation)}"])


def _bars(credit: Credit, hovers: Sequence[str], right: float) -> list[Any]:
    """A credit's bars, one per step, and their numbers, flush right at `right`."""
    places = decimal_places(credit.contributions)
    numbers = [signed(value, places) for value in credit.contributions]
    errors = credit.standard_error
    tails = [""] * len(credit) if errors is None else [f" ± {error:.{places}f}" for error in errors]
    lines = zip(hovers, numbers, tails, strict=True)
    common: dict[str, Any] = {
        "y": np.arange(len(credit)),
        "name": inert(credit.source),
        "customdata": [[f"{text}<br><b>contribution</b> {number}{tail}"] for text, number, tail in lines],
        # never agents' text in a template: what looks like a variable there would be filled in
        "hovertemplate": "%{customdata[0]}<extra>%{fullData.name}</extra>",
        "showlegend": False,
    }
    negative = credit.contributions < 0
    bars = go.Bar(
        x=credit.contributions,
        orientation="h",
        marker=_sign_marker(
            np.where(negative, style.NEGATIVE, style.POSITIVE).tolist(), np.where(negative, "/", "").tolist()
        ),
        error_x=None
        if errors is None
        else {"array": errors, "color": style.BAND, "thickness": 3, "width": 0},
        meta="contribution",
        **common,
    )
    column = {"x": np.full(len(credit), right), "text": numbers, "textposition": "middle left"}
    return [bars, go.Scatter(mode="text", cliponaxis=False, meta="label", **column, **common)]


def _sign_marker(colour: str | list[str], shape: str | list[str]) -> dict[str, Any]:
    pattern = {"shape": shape, "fgcolor": style.WHITE, "fillmode": "overlay", "size": 6, "solidity": 0.25}
    return {"color": colour, "pattern": pattern, "line": {"width": 0}}


def _error_bars(errors: np.ndarray, colour: str) -> dict[str, Any]:
    return {"array": errors, "color": colour, "thickness": 1.2, "width": 3}


def _diamonds(values: np.ndarray, errors: np.ndarray, meta: str, *, rows: Any = None, **more: Any) -> Any:
    marker = {
        "symbol": "diamond",
        "size": 8,
        "color": style.WHITE,
        "line": {"color": style.INK, "width": 1.5},
    }
    return go.Scatter(
        x=values,
        y=np.arange(len(values)) if rows is None else rows,
        mode="markers",
        marker=marker,
        error_x=_error_bars(errors, style.INK),
        customdata=errors[:, None],
        hovertemplate=f"{meta} %{{x:+.3f}} ± %{{customdata[0]:.3f}}<extra>truth</extra>",
        meta=meta,
        **({"showlegend": False} | more),
    )


def _paths(trajectory: Trajectory, credits: Sequence[Credit], truth: ValueTruth | None) -> list[Any]:
    """What has added up at every edge between rows, the measured values there, and R."""
    rows = geometry.edges(len(trajectory))
    traces: list[Any] = [
        go.Scatter(
            x=[trajectory.outcome] * 2,
            y=rows[[0, -1]],
            mode="lines",
            line={"color": style.INK, "width": 1.5, "dash": "dash"},
            name=f"outcome R = {trajectory.outcome:.2f}",
            hoverinfo="name",
            meta="outcome",
        )
    ]
    for number, credit in enumerate(credits):
        traces.append(
            go.Scatter(
                x=running_sum(credit),
                y=rows,
                mode="lines+markers",
                line={"color": style.cycled(style.SOURCES, number), "width": 2,
                      "dash": style.SCREEN_DASHES[style.cycled(style.DASHES, number)]},
                marker={"size": 4},
                name=f"base + Σĉ, {inert(shortened(credit.source, 26))}",
                hovertemplate="base + Σĉ so far %{x:.3f}<extra>%{fullData.name}</extra>",
                meta="path",
            )
        )  # fmt: skip
    if truth:
        more = {"name": f"{truth_label(truth)} ± 1 s.e.", "showlegend": True}
        traces.append(_diamonds(truth.values, truth.standard_error, "value", rows=rows, **more))
    return traces


def _sign_legend() -> list[Any]:
    kinds = {"contribution > 0": (style.POSITIVE, ""), "contribution < 0": (style.NEGATIVE, "/")}
    return [
        go.Bar(**_EMPTY, orientation="h", name=inert(name), marker=_sign_marker(*look))
        for name, look in kinds.items()
    ]


def _lay_out_rows(figure: go.Figure, trajectory: Trajectory) -> None:
    n_rows = max(len(trajectory), 3)  # a bar is a bar, also of one step
    labels = [_tick(trajectory, step) for step in range(len(trajectory))]
    ticks = {"tickvals": np.arange(len(trajectory)), "ticktext": labels, "automargin": True}
    figure.update_yaxes(range=[n_rows - 0.5, -0.5], showgrid=False, zeroline=False)
    figure.update_yaxes(**ticks, col=1)
    figure.update_xaxes(side="top", **_AXIS)
    figure.update_annotations(font_size=style.SCREEN_SIZE, yshift=24)
    for row in range(0, len(trajectory), 2):
        stripe = {"y0": row - 0.5, "y1": row + 0.5, "x0": 0, "x1": 1, "xref": "paper", "yref": "y"}
        figure.add_shape(**stripe, fillcolor=style.STRIPE, line_width=0, layer="below")
    title = f"<b>{inert(shortened(trajectory.instruction, 80))}</b>"
    _lay_out(figure, title, inert(shortened(facts(trajectory), 110)), HEAD, FOOT, ROW * n_rows)
    figure.update_layout(bargap=0.28, barmode="overlay", hovermode="closest")


def _tick(trajectory: Trajectory, step: int) -> str:
    mark = "" if trajectory.steps[step].grounded else f" · <i>{UNGROUNDED}</i>"
    return f"{inert(step_label(trajectory, step, LABEL_WIDTH))}{mark}  <b>{step}</b>"


def _rates(own: pd.DataFrame, place: np.ndarray, number: int) -> Any:
    """One policy's points; `own` has one row per bin."""
    up, down = own["high"] - own["success"], own["success"] - own["low"]
    colour = style.cycled(style.SERIES, number)
    return go.Scatter(
        x=place,
        y=own["success"].to_numpy(),
        mode="markers",
        marker={"color": colour, "size": 10, "symbol": style.SYMBOLS[style.cycled(style.MARKERS, number)]},
        error_y=_error_bars(up.to_numpy(), colour) | {"arrayminus": down.to_numpy(), "symmetric": False},
        name=inert(shortened(own["policy"].iloc[0], 40)),
        customdata=own[["bin", "k", "n", "low", "high"]].to_numpy(dtype=object),
        hovertemplate="%{customdata[0]} steps: %{y:.3f} (%{customdata[1]} of %{customdata[2]})<br>"
        "95 % %{customdata[3]:.3f} to %{customdata[4]:.3f}<extra>%{fullData.name}</extra>",
        meta="success",
    )


def _lay_out_lengths(figure: go.Figure, table: pd.DataFrame, policies: list[str], bins: list[str]) -> None:
    names = [inert(shortened(policy, 26)) for policy in policies]
    figure.update_xaxes(range=[-0.5, len(bins) - 0.5], tickvals=np.arange(len(bins)), ticktext=bins)
    figure.update_xaxes(showgrid=False, zeroline=False)
    title = {"text": BY_LENGTH[table["by"].iloc[0]], "standoff": 6}
    figure.update_xaxes(showticklabels=True, title=title, row=1)
    figure.update_xaxes(showticklabels=False, row=2)
    figure.update_yaxes(range=[-0.04, 1.04], title="success rate", row=1, **_AXIS)
    rows = {"tickvals": np.arange(len(policies)), "ticktext": names, "range": [len(policies) - 0.5, -0.5]}
    rows["title"] = "n"
    figure.update_yaxes(**rows, showgrid=False, zeroline=False, automargin=True, row=2)
    for edge in np.arange(1, len(bins)) - 0.5:
        figure.add_vline(edge, line_color=style.GRID, line_width=1, layer="below")


def _lay_out(figure: go.Figure, title: str, subtitle: str, head: int, foot: int, body: int) -> None:
    """White ground, dark text, title on the left, legend along the bottom; heights in pixels."""
    figure.update_layout(
        height=head + body + foot,
        margin={"t": head, "b": foot, "l": 10, "r": 20},
        paper_bgcolor=style.WHITE,
        plot_bgcolor=style.WHITE,
        font={"family": style.SCREEN_FONT, "size": style.SCREEN_SIZE, "color": style.INK},
        title={"text": title, "font_size": 16, "x": 0.01, "xanchor": "left", "y": 1, "yref": "container",
               "yanchor": "top", "pad": {"t": 16},
               "subtitle": {"text": subtitle, "font": {"size": style.SCREEN_SIZE, "color": style.MUTED}}},
        legend={"orientation": "h", "x": 0.01, "xref": "container", "xanchor": "left",
                "y": 0, "yref": "container", "yanchor": "bottom",
                "itemclick": False, "itemdoubleclick": False},
        hoverlabel={"align": "left", "bgcolor": style.WHITE, "font_color": style.INK},
        template="none",
    )  # fmt: skip

"""The scoreboard's picture, on the screen and on paper: the numbers are those of the table."""

import io

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from spa_lab.view.charts.scoreboard import scoreboard_figure
from spa_lab.view.paper.scoreboard import draw_scoreboard
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS

SOURCES = ("spa", "mean", "<b>odd</b> $x$", "second measurement")


@pytest.fixture
def table() -> pd.DataFrame:
    """Four sources, the second without ranks; the last one is the ceiling."""
    rng = np.random.default_rng(0)
    rows = []
    for source in SOURCES:
        for outcome in ("success", "failure", "both"):
            for metric in (*DEFAULT_METRICS, "sum_rmse"):
                value = rng.uniform(0, 1)
                if source == "mean" and metric.startswith("spearman"):
                    value = np.nan
                rows.append(
                    {
                        "source": source, "outcome": outcome, "metric": metric, "value": value,
                        "low": value - 0.1, "high": value + 0.2, "n_tasks": 5, "n_trajectories": 9,
                        "title": f"title of {metric}", "best": 1.0,
                        "chance": np.nan if metric in ("rmse", "pivot_hit") else 0.5,
                    }
                )  # fmt: skip
    frame = pd.DataFrame(rows)
    ceiling = frame[frame["source"] == SOURCES[-1]].rename(columns={"value": "ceiling"})
    return frame.merge(ceiling[["outcome", "metric", "ceiling"]], on=["outcome", "metric"])


def _points(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.meta == "fidelity"]


def test_every_panel_has_both_outcomes_in_the_order_of_the_sources(table: pd.DataFrame) -> None:
    figure = scoreboard_figure(table)
    points = _points(figure)
    assert len(points) == 2 * len(DEFAULT_METRICS)
    for number, trace in enumerate(points):
        metric, outcome = DEFAULT_METRICS[number // 2], ("success", "failure")[number % 2]
        own = (
            table[(table.metric == metric) & (table.outcome == outcome)]
            .set_index("source")
            .loc[list(SOURCES)]
        )
        np.testing.assert_array_equal(trace.x, own["value"])
        np.testing.assert_allclose(trace.error_x.array[0], 0.2)
        assert trace.name == outcome
    assert figure.layout.yaxis.ticktext[2] == "&lt;b&gt;odd&lt;/b&gt; &#36;x&#36;"
    assert "9 successes (5 tasks)" in figure.layout.title.subtitle.text


def test_ceilings_and_chance_are_lines(table: pd.DataFrame) -> None:
    figure = scoreboard_figure(table, ["pair_accuracy"])
    lines = [shape for shape in figure.layout.shapes if shape.type == "line"]
    ceilings = (
        table[(table.metric == "pair_accuracy") & (table.source == SOURCES[-1])].set_index("outcome").value
    )
    assert [line.x0 for line in lines] == [ceilings["success"], ceilings["failure"], 0.5]


def test_without_a_ceiling_there_is_no_line(table: pd.DataFrame) -> None:
    figure = scoreboard_figure(table.assign(ceiling=np.nan), ["rmse"])
    assert [shape for shape in figure.layout.shapes if shape.type == "line"] == []
    draw_scoreboard(table.assign(ceiling=np.nan), ["rmse"])


def test_undefined_is_said(table: pd.DataFrame) -> None:
    labels = [trace for trace in scoreboard_figure(table, ["spearman"]).data if trace.meta == "label"]
    assert list(labels[0].text) == ["undefined"] and list(labels[0].y) == [1]


def test_paper_has_a_panel_for_each_metric_and_can_be_written(table: pd.DataFrame) -> None:
    figure = draw_scoreboard(table)
    titles = [" ".join(axes.get_title().split()) for axes in figure.axes]
    assert titles == [f"title of {metric}" for metric in DEFAULT_METRICS]
    shown = figure.axes[0].lines
    values = (
        table[(table.metric == DEFAULT_METRICS[0]) & (table.outcome == "success")]
        .set_index("source")
        .loc[list(SOURCES)]
    )
    assert any(np.array_equal(line.get_xdata(), values["value"]) for line in shown)
    for kind in ("png", "svg", "pdf"):
        figure.savefig(io.BytesIO(), format=kind)


def test_what_is_not_there_is_named(table: pd.DataFrame) -> None:
    for draw in (scoreboard_figure, draw_scoreboard):
        with pytest.raises(ValueError, match=r"no metric \['beauty'\]; the table has: "):
            draw(table, ["beauty"])
        with pytest.raises(ValueError, match="0 rows"):
            draw(table.iloc[:0], ["rmse"])
        with pytest.raises(ValueError, match=r"no metric \[\]"):
            draw(table, [])

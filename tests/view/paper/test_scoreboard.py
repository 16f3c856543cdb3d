"""The scoreboard on paper: the numbers are those of the table."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

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


def test_without_a_ceiling_there_is_no_line(table: pd.DataFrame) -> None:
    figure = draw_scoreboard(table.assign(ceiling=np.nan), ["rmse"])
    drawn = draw_scoreboard(table, ["rmse"])
    assert len(figure.axes[0].lines) == len(drawn.axes[0].lines) - 2


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
    with pytest.raises(ValueError, match=r"no metric \['beauty'\]; the table has: "):
        draw_scoreboard(table, ["beauty"])
    with pytest.raises(ValueError, match="0 rows"):
        draw_scoreboard(table.iloc[:0], ["rmse"])
    with pytest.raises(ValueError, match=r"no metric \[\]"):
        draw_scoreboard(table, [])


@pytest.mark.parametrize("value", [0.0, 0.5, -0.35])
def test_labels_of_ticks_do_not_touch(table: pd.DataFrame, value: float) -> None:
    """All sources alike, so that the axis is short and its ticks have many digits."""
    alike = table.assign(value=value, low=np.nan, high=np.nan, ceiling=np.nan, chance=np.nan)
    figure = draw_scoreboard(alike)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [
        label.get_window_extent(renderer)
        for axes in figure.axes
        for label in axes.get_xticklabels()
        if label.get_text()
    ]
    assert len(boxes) >= len(DEFAULT_METRICS)
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_an_outcome_without_a_value_is_not_in_the_legend(table: pd.DataFrame) -> None:
    bare = table.assign(value=table["value"].where(table["outcome"] != "success"), ceiling=np.nan)
    labels = [text.get_text() for legend in draw_scoreboard(bare).legends for text in legend.get_texts()]
    assert labels == ["failure", "chance"]

"""The comparison of advantages: text, chart and figure hold the numbers of one table."""

import math

import numpy as np
import pandas as pd
import pytest

from spa_lab.credit.gradient_fidelity import METRICS
from spa_lab.view.charts import gradient_chart
from spa_lab.view.paper import gradient_figure
from spa_lab.view.tables.gradient_fidelity import SHOWN, advantage_rows, render_gradient

LABELS = {"rloo": "RLOO", "<b>mine</b>": "<b>mine</b> $x$", "exact": "exact credit"}


@pytest.fixture
def table() -> pd.DataFrame:
    """Three advantages; the gradients of the second are not resolved."""
    rows = []
    for i, (name, label) in enumerate(LABELS.items()):
        for metric, meaning in METRICS.items():
            gradient = metric.startswith("gradient")
            for outcome in ("both",) if gradient else ("both", "failure", "success"):
                lost = gradient and i == 1
                value = 0.25 * (i + 1)
                rows.append(
                    {
                        "advantage": name, "label": label, "metric": metric, "outcome": outcome,
                        "value": value, "low": math.nan if lost else value - 0.125,
                        "high": math.nan if lost else value + 0.125, "resolved": not lost,
                        "title": meaning.title, "n_tasks": 8, "n_steps": 1234, "n_episodes": 64,
                        "branches": 4, "group": 8, "policy": "cloned", "as_sampled": 1.0,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_text(table: pd.DataFrame) -> None:
    printed = render_gradient(table)
    assert printed.startswith("64 episodes of 8 tasks (1,234 steps, policy cloned), 4 continuations")
    assert "warning" not in printed
    assert "only 50% of the episodes" in render_gradient(table.assign(as_sampled=0.5))
    line = next(line for line in printed.splitlines() if line.startswith("RLOO"))
    assert "0.25 [0.12, 0.38]" in line
    line = next(line for line in printed.splitlines() if line.startswith("<b>mine"))
    assert line.count("not resolved") == 4


def test_chart_and_figure_hold_the_numbers(table: pd.DataFrame) -> None:
    chart = gradient_chart(table)
    spec = chart.spec()
    traces = {(trace["name"], trace["xaxis"]): trace for trace in spec["data"]}
    assert len(traces) == 3 * len(SHOWN)
    assert traces["both", "x"]["x"] == [0.25, 0.5, 0.75]
    assert traces["both", "x3"]["error_x"]["array"][1] is None
    assert traces["both", "x3"]["marker"]["color"][1] != traces["both", "x3"]["marker"]["color"][0]
    assert "<b>" not in spec["layout"]["yaxis"]["ticktext"][1]
    assert spec["layout"]["xaxis2"]["type"] == "log"
    chart.to_figure()
    figure = gradient_figure(table)
    assert set(figure.numbers["metric"]) == set(SHOWN)
    lines = [line for axes in figure.figure.axes for line in axes.lines if len(line.get_xdata()) == 3]
    assert any(np.allclose(line.get_xdata(), [0.25, 0.5, 0.75]) for line in lines)
    assert "Hollow: not resolved, with no interval" in figure.caption and "0.50 &" in figure.table
    one = gradient_figure(table[table["outcome"] == "both"])
    drawn = [text.get_text() for legend in one.figure.legends for text in legend.get_texts()]
    assert drawn == ["both", "exact credit"], "what is not drawn is in no legend"
    narrow = gradient_figure(table, columns=1)
    assert 1 <= narrow.numbers["metric"].nunique() < len(SHOWN)


def test_what_is_not_there_is_named(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"no metric 'beauty'; the table has: correlation, "):
        advantage_rows(table, "beauty", "both", ["rloo"])
    with pytest.raises(ValueError, match="the table has 0 rows"):
        gradient_figure(table.iloc[:0])

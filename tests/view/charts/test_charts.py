"""Charts hold the numbers of their tables, are figures that plotly accepts, and keep foreign text inert."""

import html
import io
import itertools
import json
import re
from base64 import b64decode
from collections.abc import Callable
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import charts as package
from spa_lab.view import style
from spa_lab.view.charts import (
    Chart,
    advantage_chart,
    bars_chart,
    branch_chart,
    comparison_chart,
    credit_chart,
    gradient_chart,
    learning_chart,
    length_chart,
    length_difference_chart,
    lines_chart,
    points_chart,
    profile_chart,
    running_sum_chart,
    training_chart,
    waterfall_chart,
)
from spa_lab.view.charts import still as drawing
from spa_lab.view.charts.chart import SELECTED
from spa_lab.view.charts.credit_map import credit_map_chart
from spa_lab.view.charts.running_sum import beside_chart
from spa_lab.view.charts.still import still_image
from spa_lab.view.tables.advantages import AdvantageSettings, advantage_table
from spa_lab.view.tables.branches import interval_table
from spa_lab.view.tables.frames import credits_frame, truths_frame
from spa_lab.view.tables.gradient_fidelity import SHOWN
from spa_lab.view.tables.training import training_table

Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]
OUR_MARKUP = re.compile(r"</?(?:b|br|extra)>")


def _trace(chart: Chart, name: str, axis: str) -> Any:
    (trace,) = [
        trace for trace in chart.spec()["data"] if (trace["name"], trace.get("yaxis", "y")) == (name, axis)
    ]
    return trace


def _policies() -> pd.DataFrame:
    numbers = {"k": 2, "n": 4, "success": 0.5, "low": 0.25, "high": 0.75, "n_seeds": 3, "iqm": 0.5}
    missing = dict.fromkeys(("difference", "difference_low", "difference_high", "p_holm"), np.nan)
    return pd.DataFrame([{"policy": policy} | numbers | missing for policy in ("SPA-RL", "terminal reward")])


def _bands(x: str) -> pd.DataFrame:
    rows = product(("SPA-RL", "terminal reward"), (1, 2, 3))
    return pd.DataFrame([{"policy": a, x: b, "value": b / 4, "low": b / 5, "high": b / 3} for a, b in rows])


def _advantages() -> pd.DataFrame:
    numbers = {"value": 0.5, "low": 0.25, "high": 0.75, "n_episodes": 4, "n_tasks": 2, "n_steps": 9}
    rest = {"policy": "clone", "branches": 4, "as_sampled": 1.0}
    rows = product(("spa", "terminal"), SHOWN, ("success", "failure", "both"))
    return pd.DataFrame(
        [
            {"advantage": a, "label": a, "metric": m, "title": m, "outcome": o, "resolved": a == "spa"}
            | numbers
            | rest
            for a, m, o in rows
        ]
    )


def _credit_map() -> pd.DataFrame:
    row = {"arm": "exact", "length": 4, "episodes": 16, "difference": 0.1, "low": 0.05, "high": 0.15}
    rest = {"area": 0.5, "baseline": 0.4, "start": 0.3, "n_seeds": 3, "n_tasks": 5}
    return pd.DataFrame([row | rest | {"gamma_lambda": fading} for fading in (0.2, 0.9)])


@pytest.fixture
def charts(
    drawn: Drawn,
    opinion: Opinion,
    measured: Measured,
    lengths_table: pd.DataFrame,
    length_differences: pd.DataFrame,
) -> dict[str, Chart]:
    """One of every kind."""
    trajectory = drawn(9)
    credits = [opinion(trajectory), opinion(trajectory, "other", 0.0)]
    outcomes = {"before step 1": [1.0, 0.0] * 20, "after “go”": [1.0] * 16}
    rows = [{"loss": 1 / (i + 1), "accuracy": i / 9} for i in range(9)]
    frame = pd.DataFrame(rows)
    cloud = pd.DataFrame({"x": [0.0, 1.0], "y": [1.0, 0.5], "group": ["a", "b"]})
    return {
        "credit": credit_chart(trajectory, credits, measured(trajectory)),
        "advantage": advantage_chart(
            trajectory, advantage_table(trajectory, credits[0], AdvantageSettings())
        ),
        "branch": branch_chart(interval_table(outcomes, 8)),
        "length": length_chart(lengths_table),
        "length_difference": length_difference_chart(length_differences),
        "training": training_chart(training_table({"clone": {0: rows}}, ["loss", "accuracy"])),
        "lines": lines_chart({"loss": frame[["loss"]], "both": frame}, x="update"),
        "bars": bars_chart(frame, x="update", errors=frame[["loss"]], percent=True),
        "points": points_chart({"all": cloud}, x="x"),
        "comparison": comparison_chart(_policies()),
        "profile": profile_chart(_bands("threshold")),
        "learning": learning_chart(_bands("episodes")),
        "gradient": gradient_chart(_advantages()),
        "running_sum": running_sum_chart(trajectory, credits, measured(trajectory)),
        "beside": beside_chart((trajectory, credits[0]), (drawn(6), None)),
        "waterfall": waterfall_chart(trajectory, credits[0]),
        "credit_map": credit_map_chart(_credit_map()),
    }


@pytest.mark.parametrize(
    ("source", "total", "gap"),
    [("spa", "prediction", "left unexplained"), ("gigpo", "sum", "difference to R")],
)
def test_a_waterfall_says_what_its_bars_add_up_to(
    drawn: Callable[[int], Trajectory], opinion: Callable[..., Credit], source: str, total: str, gap: str
) -> None:
    trajectory = drawn(6)
    chart = waterfall_chart(trajectory, opinion(trajectory, source))
    assert chart.layout["yaxis"]["title"]["text"] == total
    named = {trace["name"]: trace for trace in chart.traces}
    assert f"raises the {total}" in named and named[gap]["customdata"][0][0] == gap


@pytest.mark.parametrize("n_steps", [20, 40])
def test_labels_of_a_waterfall_stand_apart(
    drawn: Callable[[int], Trajectory], opinion: Callable[..., Credit], n_steps: int
) -> None:
    """In 560 pixels, what a window of 760 leaves; 7 pixels a letter."""
    trajectory = drawn(n_steps)
    axis = waterfall_chart(trajectory, opinion(trajectory)).layout["xaxis"]
    low, high = axis["range"]
    labels = sorted(zip(axis["tickvals"], axis["ticktext"], strict=True))
    assert labels[0][1] == "base" and labels[-1][1] == "R" and axis["tickangle"] == 0
    for (place, text), (other, its) in itertools.pairwise(labels):
        assert (other - place) * 560 / (high - low) > 3.5 * len(text + its), (text, its)


def test_every_chart_is_a_plotly_figure_with_the_numbers_that_a_page_gets(charts: dict[str, Chart]) -> None:
    for name, chart in charts.items():
        spec = json.loads(chart.to_json())
        assert spec == chart.spec(), name
        figure = chart.to_figure()  # plotly raises ValueError for a property that it does not know
        shown = json.loads(figure.to_json())["data"]
        for trace, sent in zip(shown, spec["data"], strict=True):
            assert trace.get("name") == sent.get("name")
            if "y" not in sent:  # a heat map without places
                continue
            np.testing.assert_allclose(
                np.array(figure_values(trace["y"]), dtype=float),
                np.array(sent["y"], dtype=float),
                rtol=1e-5,
                err_msg=name,
            )
        assert figure.layout.height == spec["layout"]["height"]
        assert chart.description


def figure_values(values: Any) -> Any:
    """Numbers of a trace; plotly packs arrays as base64."""
    if isinstance(values, dict):
        return np.frombuffer(b64decode(values["bdata"]), values["dtype"])
    return values


def test_every_chart_has_a_still_image(charts: dict[str, Chart]) -> None:
    named = {name.removesuffix("_chart") for name in package.__all__ if name.endswith("_chart")}
    assert named <= set(charts)
    for name, chart in charts.items():
        image = still_image(chart)
        assert image.startswith(b"\x89PNG") and 5_000 < len(image) < 120_000, name
        assert still_image(chart) == image


def _still_axes(chart: Chart, monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes of a still image, as they were drawn."""
    kept: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "_make_room", kept.append)
        still_image(chart)
    return kept[0].axes


def test_bars_across_keep_their_values_and_intervals(
    charts: dict[str, Chart], monkeypatch: pytest.MonkeyPatch
) -> None:
    (axes,) = _still_axes(charts["comparison"], monkeypatch)
    bars = [bar for bar in axes.patches if bar.get_height() < 1]
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0, 0.5), (0, 0.5)]
    assert [bar.get_y() + bar.get_height() / 2 for bar in bars] == pytest.approx([0, 1])
    intervals = axes.collections[0].get_segments()
    np.testing.assert_allclose(intervals[0], [[0.25, 0], [0.75, 0]])
    assert axes.get_ylim() == (1.5, -0.5), "the first policy is on top"


def test_bands_logarithmic_axes_and_points_of_several_colours_are_drawn(
    charts: dict[str, Chart], monkeypatch: pytest.MonkeyPatch
) -> None:
    (axes,) = _still_axes(charts["learning"], monkeypatch)
    (low, high), *_ = [np.ptp(band.get_paths()[0].vertices, axis=0) for band in axes.collections]
    assert (low, high) == pytest.approx((2, 1 - 1 / 5)) and len(axes.collections) == 2
    assert axes.get_xlim()[0] == 0, "plotly starts this axis at 0"
    panels = _still_axes(charts["gradient"], monkeypatch)
    assert [axes.get_xscale() for axes in panels] == ["linear", "log", "linear", "log"]
    assert all(axes.get_xlim()[0] > 0 for axes in panels[1::2])
    fills = panels[0].collections[1].get_facecolors()
    assert len(fills) == 2 and not np.array_equal(*fills), "hollow where it is not resolved"


def test_a_still_image_cuts_no_label() -> None:
    """The margins of a page suit its own font: here the image grows where a label needs more."""
    charts = [lines_chart(pd.DataFrame({"y": [0.0, top]}), x="x") for top in (1.0, -123456.0)]
    for chart in [*charts, learning_chart(_bands("episodes")), comparison_chart(_policies())]:
        pixels = plt.imread(io.BytesIO(still_image(chart)))[..., :3]
        edges = (pixels[:, 0], pixels[:, -1], pixels[-1])
        assert all((edge == 1).all() for edge in edges), "nothing touches the edge"
    small, large = (plt.imread(io.BytesIO(still_image(chart))).shape[1] for chart in charts)
    assert large > small


@pytest.mark.parametrize("n_steps", [1, 2, 13, 60])
def test_credit_has_the_numbers_of_the_tables(
    drawn: Drawn, opinion: Opinion, measured: Measured, n_steps: int
) -> None:
    trajectory = drawn(n_steps)
    credits = [opinion(trajectory), opinion(trajectory, "other", 0.0)]
    truth = measured(trajectory)
    chart = credit_chart(trajectory, credits, truth)
    rows = credits_frame([trajectory], credits)
    for credit in credits:
        expected = rows[rows["source"] == credit.source]
        bars, line = _trace(chart, credit.source, "y"), _trace(chart, credit.source, "y2")
        np.testing.assert_array_equal(bars["x"], expected["step"])
        np.testing.assert_allclose(bars["y"], expected["contribution"], rtol=1e-5)
        np.testing.assert_allclose(bars["error_y"]["array"], expected["standard_error"])
        np.testing.assert_array_equal(line["x"], range(n_steps + 1))
        np.testing.assert_allclose(line["y"], [credit.base_value, *expected["cumulative"]], rtol=1e-5)
        look = style.looks_beside(one.source for one in credits)[credit.source]
        assert bars["marker"]["color"] == line["line"]["color"] == look.colour
        assert line["marker"]["symbol"] == look.symbol and line["line"]["dash"] == look.screen_dash
    expected = truths_frame([trajectory], [truth])
    progress = _trace(chart, "measured Δ", "y")
    np.testing.assert_allclose(progress["y"], expected["progress"], rtol=1e-5)
    np.testing.assert_allclose(progress["error_y"]["array"], expected["progress_error"], rtol=1e-5)
    values = _trace(chart, "measured V and Δ", "y2")
    np.testing.assert_allclose(values["y"], truth.values, rtol=1e-5)
    np.testing.assert_allclose(values["error_y"]["array"], truth.standard_error, rtol=1e-5)
    outcome = _trace(chart, f"R = {trajectory.outcome:.2f}", "y2")
    assert set(outcome["y"]) == {trajectory.outcome}


def test_the_legend_hides_a_source_in_both_panels(drawn: Drawn, opinion: Opinion) -> None:
    chart = credit_chart(drawn(5), [opinion(drawn(5))])
    group = [trace for trace in chart.spec()["data"] if trace.get("legendgroup") == "spa@run-3"]
    assert [trace["yaxis"] for trace in group] == ["y", "y2"]
    assert [trace.get("showlegend", True) for trace in group] == [False, True]


def test_the_selected_step_is_a_shape_in_every_panel(charts: dict[str, Chart]) -> None:
    """The page moves these shapes and reads the step of a click from `meta`."""
    for name, n_panels in (("credit", 2), ("advantage", 3)):
        layout = charts[name].spec()["layout"]
        marks = [shape for shape in layout["shapes"] if shape["name"] == SELECTED]
        assert len(marks) == n_panels and layout["meta"]["n_steps"] == 9
        for mark in marks:
            assert mark["x0"] == layout["meta"]["edges"][mark["xref"]] and mark["x1"] == mark["x0"] + 1


def test_hover_says_action_and_refusal(drawn: Drawn, opinion: Opinion) -> None:
    labels = _trace(credit_chart(drawn(5), [opinion(drawn(5))]), "action", "y")["customdata"]
    assert labels[2] == "take candle 2 from countertop 2"
    assert labels[3] == "take candle 3 from countertop 3 (ungrounded)"


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def test_no_foreign_text_becomes_markup(hostile: Trajectory, lengths_table: pd.DataFrame) -> None:
    credit = Credit(hostile.id, "<b>src</b> $s$ %{x}", np.linspace(-1, 1, len(hostile)))
    markup = '<a href="https://example.org">here</a> $x$'
    charts = [
        credit_chart(hostile, [credit]),
        advantage_chart(hostile, advantage_table(hostile, credit, AdvantageSettings())),
        branch_chart(interval_table({f"after “{markup}”": [1.0, 0.0]}, 8)),
        length_chart(lengths_table),
        training_chart(training_table({markup: {0: [{markup: 1.0}]}}, [markup])),
        bars_chart({markup: pd.DataFrame({markup: [1.0]}, index=[markup])}, x="x"),
    ]
    for chart in charts:
        traces = chart.spec()["data"]
        for text in _texts(traces) + _texts(chart.spec()["layout"]):
            assert not re.search(r"[<>$]", OUR_MARKUP.sub("", text)), text[:100]
            assert not set(text) & set("\x00\x1b\u202e")
        # plotly fills in %{x} in templates, so no foreign text may be in one
        templates = {trace.get("hovertemplate", "") for trace in traces}
        assert not [text for text in templates if "script" in text or "src" in text or "href" in text]
        still_image(chart)
    (line,) = [trace for trace in running_sum_chart(hostile, [credit]).traces if "src" in trace["name"]]
    assert line["name"] == "&lt;b&gt;src&lt;/b&gt; &#36;s&#36; %{x}", "escaped once"
    beside = beside_chart((hostile, credit), (hostile, None)).traces
    assert [trace["name"] for trace in beside if "&amp;lt;" in trace["name"]] == []
    labels = _trace(charts[0], "action", "y")["customdata"]
    assert labels[0] == "&lt;script&gt;alert(1)&lt;/script&gt;" and labels[4] == "(no action)"
    assert html.unescape(labels[2]) == "pay $5 or $10, %{x}"
    assert all(len(html.unescape(label)) <= 90 for label in labels)


def test_what_does_not_fit_is_refused(trajectory: Trajectory, credit: Credit) -> None:
    with pytest.raises(ValueError, match=r"credit of 't1' by 'spa' has 2 steps, the trajectory has 3"):
        credit_chart(trajectory, [credit, Credit("t1", "spa", [1, 2])])


def test_rates_by_length_are_those_of_the_table(lengths_table: pd.DataFrame) -> None:
    chart = length_chart(lengths_table)
    for trace, policy in zip(chart.spec()["data"], lengths_table["policy"].unique(), strict=True):
        rows = lengths_table[(lengths_table["policy"] == policy) & (lengths_table["n"] > 0)]
        rate = np.array(trace["y"])
        np.testing.assert_allclose(rate, rows["success"], rtol=1e-5)
        np.testing.assert_allclose(rate + trace["error_y"]["array"], rows["high"], rtol=1e-5)
        np.testing.assert_allclose(rate - trace["error_y"]["arrayminus"], rows["low"], rtol=1e-5, atol=1e-6)
        assert trace["marker"]["color"] == style.look(policy).colour
    axis = chart.spec()["layout"]["xaxis"]
    assert axis["ticktext"] == ["1–4<br>n = 4", "10+<br>n = 1"], "one n for all, the empty bin is left out"
    assert "expert" in axis["title"]["text"]
    fewer = lengths_table.assign(n=lengths_table["n"] - (lengths_table.index == 0))
    assert length_chart(fewer).spec()["layout"]["xaxis"]["ticktext"] == [
        "1–4<br>n = 3<br>4",
        "10+<br>n = 1<br>1",
    ]
    with pytest.raises(ValueError, match="no rows"):
        length_chart(lengths_table.iloc[:0])


def test_differences_by_length_are_points_of_the_table(length_differences: pd.DataFrame) -> None:
    spec = length_difference_chart(length_differences).spec()
    first, second = spec["data"]
    np.testing.assert_allclose(first["y"], [10, -5])
    np.testing.assert_allclose(np.add(first["y"], first["error_y"]["array"]), [30, 15])
    np.testing.assert_allclose(np.subtract(first["y"], first["error_y"]["arrayminus"]), [0, -15])
    assert second["y"] == [0, None], "where the reference shares no seed"
    assert first["customdata"][1][:6] == ["10+", "−5.0", "−15.0", "+15.0", 4, 2]
    layout = spec["layout"]
    assert layout["xaxis"]["ticktext"] == ["1–4<br>n = 4<br>4", "10+<br>n = 4<br>0"]
    low, high = layout["yaxis"]["range"]
    assert low < -15 and high > 30 and layout["yaxis"]["zeroline"]
    title = layout["yaxis"]["title"]["text"].replace("<br>", " ")
    assert "2 seeds" in title and "<b>" not in title
    with pytest.raises(ValueError, match="no rows"):
        length_difference_chart(length_differences.iloc[:0])


def test_two_runs_of_a_policy_are_told_apart() -> None:
    names = ["SPA-RL", "SPA-RL@live", "terminal reward"]
    table = pd.DataFrame({"policy": names, "episodes": 8, "value": 0.5, "low": np.nan, "high": np.nan})
    lines = [trace["line"] for trace in learning_chart(table).traces]
    assert len({line["color"] for line in lines}) == 3
    assert learning_chart(table[1:], beside=names).traces[0]["line"] == lines[1], "the same in all charts"


def test_intervals_shrink_with_continuations() -> None:
    table = interval_table({"here": [1.0, 0.0] * 16, "there": [1.0]}, 8)
    assert table["n"].tolist() == [8, 16, 24, 32, 1]
    here = table[table["prefix"] == "here"]
    assert (np.diff(here["high"] - here["low"]) < 0).all()
    first = branch_chart(table).spec()["data"][0]
    np.testing.assert_allclose(first["y"], here["value"])
    np.testing.assert_allclose(first["error_y"]["array"], here["high"] - here["value"], rtol=1e-5)
    with pytest.raises(ValueError, match="no continuation"):
        branch_chart(table.iloc[:0])


def test_many_updates_stay_small() -> None:
    rows = [{"loss": float(i)} for i in range(100_000)]
    chart = training_chart(training_table({"clone": {0: rows}}, ["loss"], max_points=300))
    assert len(chart.to_json()) < 20_000 and len(chart.spec()["data"]) == 1
    assert chart.spec()["layout"]["annotations"][0]["text"] == "<b>loss</b>"


def test_numbers_that_are_not_finite_become_gaps() -> None:
    chart = Chart([{"type": "scatter", "y": np.array([1.0, np.nan, np.inf])}], {}, "gaps")
    assert chart.spec()["data"][0]["y"] == [1.0, None, None]
    with pytest.raises(TypeError, match="JSON types only, got set"):
        Chart([{"y": {1}}], {}, "no").spec()

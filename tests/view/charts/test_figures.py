import html
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.charts.figures import contributions_figure, success_by_length_figure
from spa_lab.view.tables.frames import credits_frame, truths_frame

Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]
OUR_MARKUP = re.compile(r"</?(?:b|i|br|extra)>")


def _traces(figure: go.Figure, meta: str) -> list[Any]:
    return [trace for trace in figure.data if trace.meta == meta]


@pytest.mark.parametrize("n_steps", [1, 2, 13, 60])
def test_the_numbers_are_those_of_the_frames(
    drawn: Drawn, opinion: Opinion, measured: Measured, n_steps: int
) -> None:
    trajectory = drawn(n_steps)
    credits = [opinion(trajectory), opinion(trajectory, "other", 0.0)]
    truth = measured(trajectory)
    figure = contributions_figure(trajectory, credits, truth)
    rows = credits_frame([trajectory], credits)
    for source, bars, path in zip(
        ("spa@run-3", "other"), _traces(figure, "contribution"), _traces(figure, "path"), strict=True
    ):
        own = rows[rows["source"] == source]
        assert bars.name == source
        np.testing.assert_array_equal(bars.y, own["step"])
        np.testing.assert_array_equal(bars.x, own["contribution"])
        np.testing.assert_array_equal(bars.error_x.array, own["standard_error"])
        np.testing.assert_array_equal(path.x[1:], own["cumulative"])
    measured_rows = truths_frame([trajectory], [truth])
    for diamonds in _traces(figure, "progress"):
        np.testing.assert_array_equal(diamonds.x, measured_rows["progress"])
        np.testing.assert_array_equal(diamonds.error_x.array, measured_rows["progress_error"])
    (values,) = _traces(figure, "value")
    np.testing.assert_array_equal(values.x, truth.values)
    (outcome,) = _traces(figure, "outcome")
    assert set(outcome.x) == {trajectory.outcome}


def test_sign_is_said_by_colour_pattern_and_number(drawn: Drawn) -> None:
    trajectory = drawn(3)
    figure = contributions_figure(trajectory, [Credit(trajectory.id, "spa", [0.5, -0.25, 0.0])])
    (bars,), (labels,) = _traces(figure, "contribution"), _traces(figure, "label")
    assert bars.marker.pattern.shape == ("", "/", "")
    assert bars.marker.color[0] != bars.marker.color[1]
    assert labels.text == ("+0.50", "−0.25", "0")


def test_every_step_has_its_action_and_says_if_it_is_ungrounded(drawn: Drawn, opinion: Opinion) -> None:
    trajectory = drawn(40)
    figure = contributions_figure(trajectory, [opinion(trajectory)])
    ticks = figure.layout.yaxis.ticktext
    assert len(ticks) == 40
    assert ticks[2] == "take candle 2 from countertop 2  <b>2</b>"
    assert ticks[3] == "take candle 3 from countertop 3 · <i>ungrounded</i>  <b>3</b>"
    assert figure.layout.height >= 40 * 20  # rows do not shrink
    assert list(figure.layout.yaxis.range) == [39.5, -0.5]


def test_the_title_says_source_sum_and_outcome(trajectory: Trajectory, credit: Credit) -> None:
    figure = contributions_figure(trajectory, [credit])
    assert figure.layout.annotations[0].text == "<b>by hand</b><br>base +0.25, Σĉ = +0.75"
    assert figure.layout.title.subtitle.text.startswith("R = 1.00 (success) · 3 steps, 1 ungrounded")


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def test_no_text_of_an_agent_becomes_markup(hostile: Trajectory) -> None:
    credit = Credit(hostile.id, "<b>src</b> $s$ %{x}", np.linspace(-1, 1, len(hostile)))
    figure = contributions_figure(hostile, [credit, Credit(hostile.id, "mean", np.ones(len(hostile)))])
    texts = _texts(json.loads(figure.to_json()))
    for text in texts:
        assert not re.search(r"[<>$]", OUR_MARKUP.sub("", text)), text[:100]
    assert not any("\x00" in text or "\x1b" in text or "\u202e" in text for text in texts)
    assert not any("script" in text for text in texts if "%{" in text)  # no agent's text in a template
    hovers = [row[0] for row in _traces(figure, "contribution")[0].customdata]
    assert "<b>action</b> &lt;script&gt;alert(1)&lt;/script&gt;<br>" in hovers[0]
    assert html.unescape(hovers[2]).count("pay $5 or $10, %{x}") == 3
    assert "5,000 characters in all" in hovers[6] and len(hovers[6]) < 5000
    ticks = figure.layout.yaxis.ticktext
    assert ticks[4].startswith("(no action)")
    assert all(len(html.unescape(tick)) < 60 for tick in ticks)


def test_hover_holds_the_whole_step(trajectory: Trajectory, credit: Credit) -> None:
    sure = Credit("t1", "spa", credit.contributions, standard_error=[0.1, 0.1, 0.1])
    (bars,) = _traces(contributions_figure(trajectory, [sure]), "contribution")
    assert bars.customdata[1][0] == (
        "<b>step 1</b> · ungrounded<br><b>action</b> act 1<br><b>thought</b> think 1<br>"
        "<b>reply</b> reply 1<br><b>contribution</b> −0.25 ± 0.10"
    )


def test_what_does_not_fit_is_refused(trajectory: Trajectory, credit: Credit) -> None:
    with pytest.raises(ValueError, match=r"'t1': needs at least 1 credit to draw, got 0"):
        contributions_figure(trajectory, [])
    with pytest.raises(ValueError, match=r"credit of 't1' by 'spa' has 2 steps, the trajectory has 3"):
        contributions_figure(trajectory, [credit, Credit("t1", "spa", [1, 2])])


def test_rates_by_length_are_those_of_the_table(lengths_table: pd.DataFrame) -> None:
    figure = success_by_length_figure(lengths_table)
    for policy, points, counts in zip(
        lengths_table["policy"].unique(), _traces(figure, "success"), _traces(figure, "n"), strict=True
    ):
        own = lengths_table[lengths_table["policy"] == policy]
        np.testing.assert_array_equal(points.y, own["success"])
        np.testing.assert_allclose(points.y + points.error_y.array, own["high"])
        np.testing.assert_allclose(points.y - points.error_y.arrayminus, own["low"])
        assert list(counts.text) == own["n"].astype(str).tolist() == ["4", "0", "1"]
        np.testing.assert_array_equal(np.round(points.x), counts.x)  # beside its own n
    assert list(figure.layout.xaxis.ticktext) == ["1–4", "5–9", "10+"]
    assert _traces(figure, "success")[1].name == "&lt;b&gt;terminal&lt;/b&gt; &#36;R&#36;"
    assert "expert" in figure.layout.xaxis.title.text


def test_a_table_without_rows_is_refused(lengths_table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no rows"):
        success_by_length_figure(lengths_table.iloc[:0])

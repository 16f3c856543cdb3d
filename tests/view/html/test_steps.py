import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.charts.running_sum import running_sum_chart
from spa_lab.view.html import steps
from spa_lab.view.html.markup import safe
from spa_lab.view.tables.frames import credits_frame, truths_frame
from spa_lab.view.tables.trajectory import disagreement, pivotal_step
from spa_lab.view.text import decimal_places, signed

Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]
OUR_TAGS = (
    "table|thead|tbody|tr|th|td|b|br|div|span|i|p|code|details|summary|h3|figure|figcaption|svg|g|title"
)
DRAWN = "line|polyline|path|rect|circle|text"


def _numbers(html: str, lane: int) -> list[str]:
    """What the given lane says of every step."""
    rows = re.findall(r'<tr data-step="\d+".*?</tr>', html, re.DOTALL)
    cells = [re.findall(r'class="number">(.*?)</td>', row)[lane] for row in rows]
    return [re.sub("<[^>]*>", "", cell) for cell in cells]


@pytest.mark.parametrize("n_steps", [1, 13, 60])
def test_the_numbers_are_those_of_the_frames(
    drawn: Drawn, opinion: Opinion, measured: Measured, n_steps: int
) -> None:
    trajectory = drawn(n_steps)
    credit, truth = opinion(trajectory), measured(trajectory)
    html = steps.steps_html(trajectory, [credit], truth)
    contributions = credits_frame([trajectory], [credit])["contribution"]
    assert _numbers(html, 0) == [f"{signed(value, 2)} ± 0.03" for value in contributions]
    rows = truths_frame([trajectory], [truth])
    places = decimal_places(rows["progress"])
    assert [text.split(" ± ")[0] for text in _numbers(html, 1)] == [
        signed(v, places) for v in rows["progress"]
    ]


def test_bars_are_as_long_as_their_numbers(trajectory: Trajectory) -> None:
    credit = Credit("t1", "spa", [0.5, -0.25, 0.0])
    html = steps.steps_html(trajectory, [credit])
    bars = re.findall(r'class="bar (\w+)" style="left:([\d.]+)%;width:([\d.]+)%"', html)
    low, high = steps.bar_span([credit])
    assert [sign for sign, _, _ in bars] == ["above", "below", "above"]
    widths = np.array([float(width) for _, _, width in bars]) / 100 * (high - low)
    np.testing.assert_allclose(widths, np.abs(credit.contributions), atol=1e-4)


def test_own_scale_fills_the_column(trajectory: Trajectory) -> None:
    small, large = Credit("t1", "small", [0.001, 0, 0]), Credit("t1", "large", [1.0, 0, 0])
    common = steps.steps_html(trajectory, [small, large])
    scaled = steps.steps_html(trajectory, [small, large], scale="own")
    widths = [
        re.findall(r'class="bar above" style="[^"]*width:([\d.]+)%', html)[0] for html in (common, scaled)
    ]
    assert float(widths[0]) < 1 < 90 < float(widths[1])


def test_sources_of_one_family_have_colours_of_their_own(trajectory: Trajectory) -> None:
    """The same in the head, at the bars and in the chart above."""
    credits = [Credit("t1", "spa", [0.1, 0, 0]), Credit("t1", "spa_progress", [0.2, 0, 0])]
    html = steps.steps_html(trajectory, credits)
    swatches = re.findall(r'class="swatch" style="--light:(#\w+)', html)
    assert len(set(swatches)) == 2 and swatches[0] == style.look("spa").colour
    assert re.findall(r'class="track " style="--light:(#\w+)', html) == swatches * len(trajectory)
    drawn = [trace for trace in running_sum_chart(trajectory, credits).traces if "legendgroup" in trace]
    assert [trace["line"]["color"] for trace in drawn] == swatches


def test_colours_stay_where_an_episode_lacks_a_source(trajectory: Trajectory) -> None:
    values = np.full(len(trajectory), 0.1)
    first, second = (Credit(trajectory.id, source, values) for source in ("spa", "spa_progress"))
    names = [first.source, second.source]
    both, one = (
        steps.steps_html(trajectory, [first, second]),
        steps.steps_html(trajectory, [second], beside=names),
    )
    drawn = [re.findall(r'swatch" style="--light:(#\w+)', html) for html in (both, one)]
    assert '<b dir="auto">spa_<wbr>progress</b>' in both, "a narrow head breaks no word"
    assert drawn[0][1:] == drawn[1] and len(set(drawn[0])) == 2
    lines = running_sum_chart(trajectory, [second], beside=names).traces
    assert drawn[1][0] in {trace.get("line", {}).get("color") for trace in lines}


def test_every_word_of_a_step_is_there_and_refusal_is_said(trajectory: Trajectory) -> None:
    html = steps.steps_html(trajectory, [])
    for number, step in enumerate(trajectory.steps):
        row = re.findall(rf'<tr data-step="{number}".*?</tr>', html, re.DOTALL)[0]
        assert all(safe(text) in row for text in (step.thought, step.action, step.observation))
        assert ("✗ ungrounded" in row) is not step.grounded


def test_a_page_of_a_long_episode_has_only_its_rows(drawn: Drawn, opinion: Opinion) -> None:
    html = steps.steps_html(drawn(60), [opinion(drawn(60))], rows=range(20, 30), own_labels={21: "<i>mine"})
    assert re.findall(r'data-step="(\d+)"', html) == [str(step) for step in range(20, 30)]
    assert "&lt;i&gt;mine" in html
    assert steps.steps_html(drawn(60), []) != html


def test_columns_of_long_numbers_with_errors_are_wider(drawn: Drawn) -> None:
    long, short = Credit("t4", "long", [5e-4] * 4, 0.0, [0.07] * 4), Credit("t4", "short", [0.5] * 4)
    assert steps.steps_html(drawn(4), [long, short]).count('class="figure wide"') == 1


def test_the_tint_follows_the_sign_and_size_of_a_contribution(trajectory: Trajectory) -> None:
    html = steps.steps_html(trajectory, [], focus=Credit("t1", "spa", [0.5, -0.25, 0.0]))
    assert re.findall(r'data-tint="(\w+)" style="--share:(\d+)%"', html) == [
        ("gain", "40"), ("loss", "20"), ("gain", "0")
    ]  # fmt: skip
    assert "nan" not in "".join(steps.tints(np.zeros(2)))


def test_what_nobody_knows_is_called_unknown(trajectory: Trajectory) -> None:
    step = replace(trajectory.steps[0], grounded=None)  # type: ignore[arg-type]
    assert "grounding unknown" in steps.step_html(step) and "ungrounded" not in steps.step_html(step)


def test_no_text_of_a_stranger_becomes_markup(hostile: Trajectory) -> None:
    credit = Credit(hostile.id, "<b>src</b> \" onclick='x'", np.linspace(-1, 1, len(hostile)))
    page = steps.head_html(hostile) + steps.steps_html(hostile, [credit])
    assert set(re.findall(r"<(\w+)", page)) <= set(f"{OUR_TAGS}|{DRAWN}".split("|"))
    unquoted = re.sub('"[^"]*"', '""', page)  # a value in quotes is text
    assert not re.search(r"<[^>]*\son\w+=", unquoted)
    assert "\x00" not in page and "\u202e" not in page and "\ud800" not in page


def test_the_pivotal_step_is_told_by_the_truth_first(trajectory: Trajectory) -> None:
    credit = Credit("t1", "spa", [0.1, -0.9, 0.8])
    truth = ValueTruth("t1", [0.5, 0.4, 0.9, 1.0], np.zeros(4), 0, "p", 40)
    assert trajectory.success and pivotal_step(trajectory, [credit], None) == 2
    assert pivotal_step(trajectory, [credit], truth) == 1
    assert disagreement(credit, truth) == pytest.approx((0.2 + 1.4 + 0.7) / 3)


def test_what_does_not_fit_is_refused(trajectory: Trajectory) -> None:
    with pytest.raises(ValueError, match=r"credit of 't1' by 'spa' has 2 steps, the trajectory has 3"):
        steps.steps_html(trajectory, [Credit("t1", "spa", [1, 2])])
    with pytest.raises(ValueError, match="scale must be one of"):
        steps.steps_html(trajectory, [], scale="large")  # type: ignore[arg-type]

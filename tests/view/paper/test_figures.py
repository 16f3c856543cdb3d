import hashlib
import itertools
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.geometry import ticks
from spa_lab.view.paper.contributions import CreditedTrajectory, draw_contributions
from spa_lab.view.paper.page import ONE_COLUMN, TWO_COLUMNS, Columns, Page, fit_text, text_width
from spa_lab.view.paper.paper_figure import write_picture
from spa_lab.view.paper.rows import most_sources
from spa_lab.view.paper.success_by_length import difference_by_length_figure, success_by_length_figure
from spa_lab.view.paper.venues import find_page
from spa_lab.view.tables.frames import credits_frame

ROOT = Path(__file__).resolve().parents[3]
SVG = "{http://www.w3.org/2000/svg}"
Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]


def _contributions(
    trajectory: Trajectory,
    credits: list[Credit],
    truth: ValueTruth | None = None,
    *,
    page: Page = TWO_COLUMNS,
) -> Figure:
    return draw_contributions([CreditedTrajectory(trajectory, credits, truth)], page)


def _pair(success: tuple[Trajectory, list[Credit]], failure: tuple[Trajectory, list[Credit]]) -> Figure:
    return draw_contributions([CreditedTrajectory(*success), CreditedTrajectory(*failure)])


def _written(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def _assert_readable(figure: Figure) -> None:
    """No text leaves the page, overlaps another or is smaller than 8 points."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    page = figure.bbox
    boxes = []
    for text in _written(figure):
        if text.axes is not None and not text.axes.axison and text in text.axes.xaxis.findobj(Text):
            continue  # labels of an axis that is not drawn
        box = text.get_window_extent(renderer)
        assert text.get_fontsize() >= 8, text.get_text()
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, text.get_text()
        assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text.get_text()
        boxes.append((text.get_text(), box))
    for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
        across = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        down = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert across < 1 or down < 3, (text, other)  # line boxes are taller than their letters


@pytest.mark.parametrize("n_steps", [1, 13, 60])
def test_nothing_overlaps(drawn: Drawn, opinion: Opinion, measured: Measured, n_steps: int) -> None:
    trajectory = drawn(n_steps)
    _assert_readable(_contributions(trajectory, [opinion(trajectory)], page=ONE_COLUMN))
    three = [opinion(trajectory, source) for source in ("spa@run-3", "a very long name of a source", "mean")]
    _assert_readable(_contributions(trajectory, three, measured(trajectory)))


def test_nothing_overlaps_in_a_pair(drawn: Drawn, opinion: Opinion, hostile: Trajectory) -> None:
    success, failure = drawn(12), drawn(35)
    pair = _pair((success, [opinion(success)]), (failure, [opinion(failure, base_value=0.0)]))
    _assert_readable(pair)
    _assert_readable(_pair((hostile, [opinion(hostile)]), (failure, [opinion(failure)])))


@pytest.mark.parametrize(("columns", "page"), [(1, ONE_COLUMN), (2, TWO_COLUMNS)])
def test_nothing_overlaps_by_length(lengths_table: pd.DataFrame, columns: Columns, page: Page) -> None:
    figure = success_by_length_figure(lengths_table, columns=columns).figure
    assert figure.get_size_inches()[0] == page.width
    _assert_readable(figure)


def test_labels_of_many_bins_do_not_touch(lengths_table: pd.DataFrame) -> None:
    row = lengths_table.iloc[:1]
    bins = [f"{low}–{low + 4}" for low in range(10, 45, 5)]
    table = pd.concat([row.assign(bin=name) for name in bins])
    figure = success_by_length_figure(table, columns=find_page("acl", 1)).figure
    _assert_readable(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    labels = [label.get_window_extent(renderer) for label in figure.axes[0].get_xticklabels()]
    assert len(labels) == len(bins)
    for box, following in itertools.pairwise(labels):
        assert box.x1 + 4 < following.x0 or min(box.y1, following.y1) - max(box.y0, following.y0) < 3


def test_as_many_sources_as_fit(drawn: Drawn, opinion: Opinion) -> None:
    trajectory = drawn(5)
    assert [most_sources(page.width) for page in (ONE_COLUMN, TWO_COLUMNS)] == [1, 4]
    for page in (ONE_COLUMN, TWO_COLUMNS):
        most = most_sources(page.width)
        every = [opinion(trajectory, f"source {number}") for number in range(most + 1)]
        _assert_readable(_contributions(trajectory, every[:-1], page=page))
        with pytest.raises(ValueError, match=rf"'t5': {most + 1} sources side by side need"):
            _contributions(trajectory, every, page=page)


def test_bars_and_sums_are_those_of_the_tables(drawn: Drawn, opinion: Opinion, measured: Measured) -> None:
    trajectory = drawn(13)
    credit, truth = opinion(trajectory), measured(trajectory)
    rows = credits_frame([trajectory], [credit])
    _, bars, adding_up = _contributions(trajectory, [credit], truth).axes
    drawn_bars = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in bars.patches}
    np.testing.assert_array_equal([drawn_bars[step] for step in rows["step"]], rows["contribution"])
    assert all(bool(bar.get_hatch()) == (bar.get_width() < 0) for bar in bars.patches)
    lines = [np.asarray(line.get_xdata(), dtype=float) for line in adding_up.lines]
    assert any(np.array_equal(line[1:], rows["cumulative"]) for line in lines if len(line) == 14)
    assert any(np.array_equal(line, truth.values) for line in lines)
    assert any(np.array_equal(line, [trajectory.outcome] * 2) for line in lines)


def test_texts_of_a_figure(drawn: Drawn, opinion: Opinion) -> None:
    trajectory = drawn(5)
    figure = _contributions(trajectory, [opinion(trajectory), Credit(trajectory.id, "mean", [0.2] * 5)])
    written = [text.get_text() for text in _written(figure)]
    for step in range(5):
        assert f"take candle {step} from countertop {step}" in written
    assert written.count("ungrounded") == 1
    assert "put a candle in toilet" in written and "spa@run-3" in written
    assert "R = 0.00 (failure) · 5 steps, 1 ungrounded · t5" in written
    assert "Σĉ = +1.00" in written and "+0.20" in written


def test_blocks_of_a_pair_share_their_axes_and_their_top(drawn: Drawn, opinion: Opinion) -> None:
    success, failure = drawn(4), drawn(9)
    figure = _pair((success, [opinion(success)]), (failure, [opinion(failure)]))
    left_sheet, left_bars, left_sums, right_sheet, right_bars, right_sums = figure.axes
    assert left_bars.get_xlim() == right_bars.get_xlim() and left_sums.get_xlim() == right_sums.get_xlim()
    tops = {round(axes.get_position().y1, 9) for axes in figure.axes}
    assert len(tops) == 1
    row_heights = [axes.get_position().height / n for axes, n in ((left_sheet, 4), (right_sheet, 9))]
    assert row_heights[0] == pytest.approx(row_heights[1])


def test_rates_by_length_are_those_of_the_table(lengths_table: pd.DataFrame) -> None:
    """The bin without an episode is not drawn, and n that all policies share stands once."""
    rates, counts = success_by_length_figure(lengths_table).figure.axes
    known = lengths_table[lengths_table["n"] > 0]
    for container, policy in zip(rates.containers, lengths_table["policy"].unique(), strict=True):
        subset = known[known["policy"] == policy]
        points, _, (bars,) = container.lines
        np.testing.assert_array_equal(points.get_ydata(), subset["success"])
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, subset[["low", "high"]])
    written = [text.get_text() for text in counts.texts]
    assert [word for word in written if word.isdigit()] == ["4", "1"]
    fewer = lengths_table.assign(n=lengths_table["n"] - (lengths_table.index == 0))
    counts = success_by_length_figure(fewer).figure.axes[1]
    written = [text.get_text() for text in counts.texts]
    assert [word for word in written if word.isdigit()] == ["3", "1", "4", "1"]
    assert "<b>terminal</b> $R$" in [text.get_text() for text in _written(rates.figure)]
    assert [label.get_text() for label in rates.get_xticklabels()] == ["1–4", "10+"]


def test_differences_by_length_are_those_of_the_table(length_differences: pd.DataFrame) -> None:
    made = difference_by_length_figure(length_differences)
    points, counts = made.figure.axes
    ends = []
    for container, (_, rows) in zip(
        points.containers, length_differences.groupby("policy", sort=False), strict=True
    ):
        drawn, _, (bars,) = container.lines
        np.testing.assert_array_equal(drawn.get_ydata(), rows.loc[rows["bin"] != "5–9", "difference"])
        ends += [end for segment in bars.get_segments() for end in np.ravel(segment)[1::2]]
    assert (np.nanmin(ends), np.nanmax(ends)) == pytest.approx((-0.15, 0.3))
    low, high = points.get_ylim()
    assert low < -0.15 and high > 0.3
    assert [label.get_text() for label in points.get_xticklabels()] == ["1–4", "10+"]
    assert [text.get_text() for text in counts.texts if text.get_text().isdigit()] == ["4", "4", "4", "0"]
    assert "to <b>terminal</b> $R$ in percentage points" in made.caption and "2 seeds" in made.caption
    assert r"+10.0 [0.0, +30.0] & $-$5.0 [$-$15.0, +15.0] \\" in made.table
    assert made.table.count(r"-- \\") == 1
    with pytest.raises(ValueError, match="no rows"):
        difference_by_length_figure(length_differences.iloc[:0])


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_figure_gives_the_same_bytes(
    drawn: Drawn, opinion: Opinion, measured: Measured, tmp_path: Path, ending: str
) -> None:
    trajectory = drawn(6)
    for name in ("one", "two"):
        figure = _contributions(trajectory, [opinion(trajectory)], measured(trajectory))
        write_picture(figure, tmp_path / f"{name}.{ending}", {"seed": 7, "commit": "c0ffee"})
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one.{ending}", f"two.{ending}"]


def test_every_format_holds_the_provenance(
    drawn: Drawn, opinion: Opinion, tmp_path: Path, lengths_table: pd.DataFrame
) -> None:
    provenance = {"commit": "c0ffee", "n": 12, "device": "<cpu> ✓", "nested": {"b": [1, None]}}
    figure = success_by_length_figure(lengths_table).figure
    for ending in ("svg", "pdf", "png"):
        write_picture(figure, tmp_path / f"figure.{ending}", provenance)
    tree = ElementTree.parse(tmp_path / "figure.svg")
    (described,) = tree.iter("{http://purl.org/dc/elements/1.1/}description")
    assert json.loads(described.text or "") == provenance
    with Image.open(tmp_path / "figure.png") as image:
        assert json.loads(image.info["Description"]) == provenance
    pdf = (tmp_path / "figure.pdf").read_bytes()
    assert b'"commit": "c0ffee"' in pdf and b"CreationDate" not in pdf
    assert b"/CIDFontType2" in pdf and b"/Type3" not in pdf  # embedded as TrueType, can be edited


def test_text_in_an_svg_is_text_and_inert(hostile: Trajectory, tmp_path: Path) -> None:
    credit = Credit(hostile.id, "<b>src</b> $s$", np.linspace(-1, 1, len(hostile)))
    write_picture(_contributions(hostile, [credit]), tmp_path / "figure.svg", {})
    tree = ElementTree.parse(tmp_path / "figure.svg")
    assert not list(tree.iter(f"{SVG}script")) and not list(tree.iter(f"{SVG}image"))
    written = ["".join(node.itertext()) for node in tree.iter(f"{SVG}text")]
    assert "<script>alert(1)</script>" in written
    assert "pay $5 or $10, %{x}" in written
    assert "<i>do</i> $x_1$ and $y^$" in written and "<b>src</b> $s$" in written


def test_unknown_endings_and_unserialisable_provenance_are_refused(
    lengths_table: pd.DataFrame, tmp_path: Path
) -> None:
    figure = success_by_length_figure(lengths_table).figure
    with pytest.raises(ValueError, match=r"figure\.jpg: the file name must end in \.pdf, \.svg, \.png"):
        write_picture(figure, tmp_path / "figure.jpg", {})
    for bad in ({"x": object()}, {"x": float("nan")}):
        with pytest.raises(ValueError, match="provenance has no JSON form"):
            write_picture(figure, tmp_path / "figure.svg", bad)
    assert list(tmp_path.iterdir()) == []


def test_credits_that_do_not_fit_are_refused(trajectory: Trajectory, lengths_table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"'t1': needs at least 1 credit to draw, got 0"):
        _contributions(trajectory, [])
    with pytest.raises(ValueError, match=r"credit of 't1' by 'spa' has 2 steps, the trajectory has 3"):
        _pair((trajectory, [Credit("t1", "spa", [1, 2])]), (trajectory, []))
    with pytest.raises(ValueError, match="no rows"):
        success_by_length_figure(lengths_table.iloc[:0])


def test_all_zero_credit_has_an_axis(drawn: Drawn) -> None:
    trajectory = drawn(3)
    _, bars, _ = _contributions(trajectory, [Credit(trajectory.id, "terminal", [0, 0, 0])]).axes
    low, high = bars.get_xlim()
    assert low < 0 < high


@pytest.mark.parametrize(
    "span", [(-0.04, 1.04), (0, 1e-5), (-3.0, 0.1), (-0.2, 0.2), (0.0, 4.0), (-7.0, 93.0)]
)
def test_ticks_are_few_round_and_inside(span: tuple[float, float]) -> None:
    places = ticks(span)
    assert 2 <= len(places) <= 4
    assert span[0] <= places[0] and places[-1] <= span[1] + 1e-12
    assert np.isclose(places, 0).any()
    np.testing.assert_allclose(np.diff(places), places[1] - places[0])


def test_fitted_text_fits() -> None:
    assert fit_text("short", 3.0) == "short"
    line = fit_text("a quite long line of text " * 20, 2.0)
    assert line.endswith("…") and 1.6 < text_width(line) <= 2.0
    assert fit_text("$x^$ " * 3, 3.0) == "$x^$ $x^$ $x^$"
    assert fit_text("", 1.0) == "" and fit_text("words", 0.0) == "…"


def test_texts_are_not_measured_far_beyond_the_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outline of twenty thousand letters takes tens of seconds."""
    measured: list[int] = []

    def width_of(text: str, **how: Any) -> float:
        measured.append(len(text))
        return text_width(text, **how)

    monkeypatch.setattr("spa_lab.view.paper.page.text_width", width_of)
    assert fit_text("word " * 4000, 2.0).startswith("word word")
    assert max(measured) < 100


def test_drawing_loads_neither_torch_nor_pyplot() -> None:
    """And the figure has the same bytes in another process, whatever its hash seed."""
    program = (
        "import hashlib, sys, tempfile, pathlib\n"
        "from spa_lab.types import Credit, Step, Trajectory\n"
        "from spa_lab.view.charts import credit_chart\n"
        "from spa_lab.view import paper\n"
        "step = Step('Action: look', '', 'look', 'ok', False)\n"
        "one = Trajectory('t', 'task', 'toy', 'train', 'do', 'go', (step,), 1.0, True, 'done', 'p', 0)\n"
        "credit = Credit('t', 'spa', [0.5])\n"
        "credit_chart(one, [credit]).to_json()\n"
        "path = pathlib.Path(tempfile.mkdtemp()) / 'figure.svg'\n"
        "paper.write_picture(paper.contributions_figure(one, [credit]).figure, path, {'a': 1})\n"
        "print(hashlib.sha256(path.read_bytes()).hexdigest())\n"
        "print([name for name in ('torch', 'matplotlib.pyplot') if name in sys.modules])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (output,) = outputs
    assert len(output.split()[0]) == len(hashlib.sha256().hexdigest())
    assert output.splitlines()[1] == "[]"

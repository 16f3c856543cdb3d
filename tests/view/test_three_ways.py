"""One object, three ways: the widget's page, the static page and the figure on paper say the same numbers."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.collection import Collection
from spa_lab.view.lengths import lengths_html
from spa_lab.view.paper import contributions_paper
from spa_lab.view.paper_success import success_by_length_paper
from spa_lab.view.steps import bar_span, path_span
from spa_lab.view.widgets import Inspector


def _widths(page: str) -> list[float]:
    """Signed length of every bar, per cent of its column."""
    found = re.findall(r'class="bar (above|below)" style="left:[\d.]+%;width:([\d.]+)%"', page)
    return [float(width) * (1 if look == "above" else -1) for look, width in found]


def test_contributions(
    drawn: Callable[[int], Trajectory],
    opinion: Callable[..., Credit],
    measured: Callable[[Trajectory], ValueTruth],
) -> None:
    trajectory = drawn(9)
    credit, truth = opinion(trajectory), measured(trajectory)
    view = Inspector(Collection.of([trajectory], [credit], [truth]))
    low, high = bar_span([credit], [truth])
    for page in (view.steps, view.static()):
        bars = np.array(_widths(page)) / 100 * (high - low)
        np.testing.assert_allclose(bars, credit.contributions, atol=2e-5)
    figure = contributions_paper(trajectory, [credit], truth)
    (bars,) = [axes.patches for axes in figure.axes if len(axes.patches) >= len(trajectory)]
    printed = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in bars}
    np.testing.assert_allclose([printed[step] for step in range(len(trajectory))], credit.contributions)
    span = path_span([credit], [truth])
    tops = re.findall(r'class="truth" d="M[\d.]+ ([\d.]+)l', view.sums)[: len(truth.values)]
    values = span[1] - (np.array(tops, dtype=float) + 5 - 26) / 190 * (span[1] - span[0])
    np.testing.assert_allclose(values, truth.values, atol=1e-4)


def test_success_by_length(lengths_table: pd.DataFrame) -> None:
    page, figure = lengths_html(lengths_table), success_by_length_paper(lengths_table)
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<summary>the numbers")[2])[1:]
    said = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    known = lengths_table[lengths_table["n"] > 0]
    shown = np.array([[float(cell) for cell in row[4:]] for row in said if row[3] != "0"])
    np.testing.assert_allclose(shown, known[["success", "low", "high"]], atol=5e-4)
    printed = [y for line in figure.axes[0].lines for y in np.atleast_1d(line.get_ydata()) if np.isfinite(y)]
    for value in known["success"]:
        assert np.isclose(printed, value).any()

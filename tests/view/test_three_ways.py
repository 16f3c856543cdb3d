"""One object, many ways: widget, static page, PDF, SVG, CSV and LaTeX say the same numbers."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html.lengths import length_numbers_html
from spa_lab.view.html.steps import bar_span
from spa_lab.view.paper import contributions_figure, success_by_length_figure, success_figure
from spa_lab.view.tables.collection import Collection
from spa_lab.view.tables.evaluation import success_by_length
from spa_lab.view.text import signed
from spa_lab.widgets import Inspector, LengthView


def _widths(page: str) -> list[float]:
    """Signed length of every bar, per cent of its column."""
    matches = re.findall(r'class="bar (above|below)" style="left:[\d.]+%;width:([\d.]+)%"', page)
    return [float(width) * (1 if look == "above" else -1) for look, width in matches]


def test_contributions(
    drawn: Callable[[int], Trajectory],
    opinion: Callable[..., Credit],
    measured: Callable[[Trajectory], ValueTruth],
    printed: Callable[[Path], list[str]],
    tmp_path: Path,
) -> None:
    trajectory = drawn(9)
    credit, truth = opinion(trajectory), measured(trajectory)
    view = Inspector(Collection.of([trajectory], [credit], [truth]))
    sums = {trace["name"]: trace["y"] for trace in json.loads(view.chart)["data"]}
    np.testing.assert_allclose(sums[credit.source], [credit.base_value, *credit.cumulative], rtol=1e-5)
    view.chart_kind = "both"
    low, high = bar_span([credit], [truth])
    for page in (view.steps, view.static()):
        bars = np.array(_widths(page)) / 100 * (high - low)
        np.testing.assert_allclose(bars, credit.contributions, atol=2e-5)
    printable = contributions_figure(trajectory, [credit], truth, columns=1)
    printable.save(tmp_path)
    table = pd.read_csv(tmp_path / "contributions.csv")
    np.testing.assert_allclose(table[f"contribution[{credit.source}]"], credit.contributions)
    np.testing.assert_allclose(table["value"], truth.values[1:])
    words = [signed(value, 2) for value in table[f"contribution[{credit.source}]"]]
    for ending in ("svg", "pdf"):
        lines = printed(tmp_path / f"contributions.{ending}")
        assert [line for line in lines if re.fullmatch(r"[+−]\d\.\d\d", line)] == words, ending
    figure = printable.figure
    (bars,) = [axes.patches for axes in figure.axes if len(axes.patches) >= len(trajectory)]
    widths = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in bars}
    np.testing.assert_allclose([widths[step] for step in range(len(trajectory))], credit.contributions)
    shown = {(trace["name"], trace["yaxis"]): trace for trace in json.loads(view.chart)["data"]}
    np.testing.assert_allclose(shown[credit.source, "y"]["y"], credit.contributions, rtol=1e-5)
    np.testing.assert_allclose(shown["measured Δ", "y"]["y"], truth.progress, rtol=1e-5)
    (values,) = [trace for (name, _), trace in shown.items() if name.startswith("measured V")]
    np.testing.assert_allclose(values["y"], truth.values, rtol=1e-5)
    figure = {(trace.name, trace.yaxis): trace for trace in view.to_figure().data}
    np.testing.assert_allclose(figure[credit.source, "y2"].y, [credit.base_value, *credit.cumulative])


def test_success_by_length(
    lengths_table: pd.DataFrame, printed: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    page, printable = length_numbers_html(lengths_table), success_by_length_figure(lengths_table)
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<summary>the numbers")[2])[1:]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    known = lengths_table[lengths_table["n"] > 0]
    shown = np.array([[float(cell) for cell in row[4:7]] for row in cells if row[3] != "0"])
    np.testing.assert_allclose(shown, known[["success", "low", "high"]], atol=5e-4)
    drawn = [y for line in printable.figure.axes[0].lines for y in np.atleast_1d(line.get_ydata())]
    for value in known["success"]:
        assert np.isclose(drawn, value).any()
    printable.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "success-by-length.csv"), lengths_table)
    latex = re.sub(r"\\textbf\{([^}]*)\}", r"\1", (tmp_path / "success-by-length-table.tex").read_text())
    assert re.findall(r"([\d.–-]+) \((\d+)\)", latex) == [
        (f"{100 * row.success:.1f}", str(row.n)) for row in known.itertuples()
    ]
    for ending in ("svg", "pdf"):
        lines = printed(tmp_path / f"success-by-length.{ending}")
        counted = known.loc[known["policy"] == known["policy"].iloc[0], "n"]  # the same for both policies
        axis = ["0", "20", "40", "60", "80", "100"]
        assert [line for line in lines if line.isdigit()] == [*axis, *map(str, counted)], ending


def test_success_by_length_of_several_seeds(printed: Callable[[Path], list[str]], tmp_path: Path) -> None:
    """Two policies, three trainings each, on the same 24 tasks; one of the policies always wins."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "trajectory_id": f"{policy}/{seed}/{task}", "policy": policy, "run_seed": seed,
            "task_id": f"task {task}", "expert_length": 2 + task,
            "success": policy == "sure" or bool(rng.random() < 0.3 + 0.2 * seed),
        }
        for policy in ("SPA", "sure") for seed in range(3) for task in range(24)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    view = LengthView(frame, rng=np.random.default_rng(5))
    printable = success_by_length_figure(success_by_length(frame, rng=np.random.default_rng(5)))
    pd.testing.assert_frame_equal(view.to_frame(), printable.numbers)
    (sentence,) = set(re.findall(r"95 % bootstrap intervals over tasks and 3 seeds", printable.caption))
    assert sentence in view.chart.replace("<br>", " ")  # the title beside the axis has two lines
    assert "Wilson's of one seed or where all end alike" in printable.caption  # those of "sure"
    rows = re.findall(r"<tr>(.*?)</tr>", view.static().partition("<summary>the numbers")[2])[1:]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    known = printable.numbers[printable.numbers["n"] > 0]
    shown = np.array([[float(cell) for cell in row[4:]] for row in cells if row[3] != "0"])
    np.testing.assert_allclose(shown, known[["success", "low", "high", "n_seeds"]], atol=5e-4)
    printable.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "success-by-length.csv"), view.to_frame())
    drawn = [y for line in printable.figure.axes[0].lines for y in np.atleast_1d(line.get_ydata())]
    ends = [
        y
        for lines in printable.figure.axes[0].collections
        for path in lines.get_paths()
        for y in path.vertices[:, 1]
    ]
    assert all(np.isclose(drawn, value).any() for value in known["success"])
    assert all(np.isclose(ends, value).any() for value in known[["low", "high"]].to_numpy().ravel())


def test_success_rates(printed: Callable[[Path], list[str]], tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "policy": ["SPA", "SFT"], "k": [30, 0], "n": [40, 40], "success": [0.75, 0.0],
            "low": [0.598, 0.0], "high": [0.8582, 0.0876], "n_seeds": [1, 1], "outcome": [0.75, 0.0],
            "grounding": [0.9, 0.5], "mean_steps": [12.25, 40.0],
        }
    )  # fmt: skip
    for columns in (1, 2):
        success_figure(table, columns=columns).save(tmp_path)
        for ending in ("svg", "pdf"):
            lines = printed(tmp_path / f"success.{ending}")
            assert [line for line in lines if "[" in line] == ["75.0 [59.8, 85.8]", "0.0 [0.0, 8.8]"]
    latex = (tmp_path / "success-table.tex").read_text()
    assert r"SPA & \textbf{75.0} & [59.8, 85.8] & 90.0 & 12.2 & 40 & 1 \\" in latex
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "success.csv"), table)

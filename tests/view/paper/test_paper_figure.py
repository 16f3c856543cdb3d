"""Files of a paper figure: provenance in each, captions that name the method, LaTeX with escaped text."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import paper
from spa_lab.view.paper import captions
from spa_lab.view.paper.latex import booktabs, escaped, figure_environment
from spa_lab.view.paper.page import Columns, page_of
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.provenance import in_words
from spa_lab.view.tables.advantages import AdvantageSettings
from spa_lab.view.tables.training import training_table

Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]
Board = Callable[[float, float], pd.DataFrame]


@pytest.fixture
def every(
    drawn: Drawn, opinion: Opinion, measured: Measured, board: Board
) -> Callable[[Columns], list[PaperFigure]]:
    """One figure of each kind."""

    def make(columns: Columns) -> list[PaperFigure]:
        trajectory = drawn(12)
        credits = [opinion(trajectory), opinion(trajectory, "a source with quite a long name")]
        rows = [{"loss": 1.0 / (i + 1), "kl": 0.01 * i, "note": "text"} for i in range(130)]
        curves = training_table({"SPA": {0: rows, 1: rows[:99]}, "PPO": {0: rows}}, ("loss", "kl"))
        differences = pd.DataFrame(
            [("PPO, SPA-RL", "PPO, terminal reward", -0.05, 0.1, 0.25, 40, 2, "paired bootstrap, 95 %")],
            columns=["ours", "theirs", "low", "point", "high", "n", "n_seeds", "method"],
        )
        return [
            paper.contributions_figure(trajectory, credits[:columns], measured(trajectory), columns=columns),
            paper.running_sum_figure(trajectory, credits, measured(trajectory), columns=columns),
            paper.advantages_figure(trajectory, credits[0], AdvantageSettings(), columns=columns),
            paper.differences_figure(differences, columns=columns),
            paper.scoreboard_figure(board(0.0, 0.1), ["spearman", "sum_rmse"], columns=columns),
            paper.training_figure(curves, columns=columns),
        ]

    return make


def _undrawn(figure: Figure) -> set[Text]:
    """Labels of ticks outside of their axis, and of axes that are not drawn."""
    texts: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not (axes.axison and low - 1e-9 <= tick.get_loc() <= high + 1e-9):
                    texts |= {tick.label1, tick.label2}
    return texts


def _boxes(figure: Figure) -> list[tuple[str, Any]]:
    """Every line of text that is drawn, and where."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    drawn = [text for text in shown if text not in _undrawn(figure)]
    assert all(text.get_fontsize() >= 8 for text in drawn)
    return [(text.get_text(), text.get_window_extent(renderer)) for text in drawn]


@pytest.mark.parametrize("columns", [1, 2])
def test_all_texts_fit_the_page(every: Callable[[Columns], list[PaperFigure]], columns: Columns) -> None:
    for printable in every(columns):
        assert printable.figure.get_size_inches()[0] == page_of(columns).width
        page = printable.figure.bbox
        boxes = _boxes(printable.figure)
        for words, box in boxes:
            assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, (printable.name, words)
            assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, (printable.name, words)
        for number, (text, box) in enumerate(boxes):
            for other, other_box in boxes[number + 1 :]:
                across = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
                down = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
                assert across < 1 or down < 3, (printable.name, text, other)


def test_every_file_holds_the_provenance(
    every: Callable[[Columns], list[PaperFigure]], tmp_path: Path
) -> None:
    provenance: Mapping[str, Any] = {"seeds": [0, 1], "git_commit": ["c0ffee"], "n": 7}
    for printable in every(2):
        files = printable.save(tmp_path / "figures", provenance, in_caption="n = 7; commit c_0ffee.")
        assert {path.name for path in files} >= {
            f"{printable.name}{end}" for end in (".pdf", ".svg", ".png", ".csv")
        }
        known = {**provenance, **printable.facts, "figure": printable.name}
        with Image.open(tmp_path / "figures" / f"{printable.name}.png") as image:
            assert json.loads(image.info["Description"]) == known
        for path in files:
            if path.suffix == ".tex":
                assert json.loads(path.read_text().splitlines()[0].removeprefix("% ")) == known
        tex = (tmp_path / "figures" / f"{printable.name}.tex").read_text()
        assert rf"\includegraphics{{{printable.name}.pdf}}" in tex and r"commit c\_0ffee." in tex
        assert tex.count(r"\begin{figure*}") == 1
        assert len(pd.read_csv(tmp_path / "figures" / f"{printable.name}.csv")) == len(printable.numbers)


def test_captions_name_sources_and_methods(every: Callable[[Columns], list[PaperFigure]]) -> None:
    contributions, sums, pushed, compared, board, training = [printable.caption for printable in every(1)]
    assert "success of 12 steps" in contributions and "according to spa@run-3," in contributions
    assert "spa@run-3 and a source with quite a long name" in sums and "16 branches" in sums
    assert "β = 0.5 (bonus)" in pushed and "no critic" in pushed
    assert "paired bootstrap" in compared and "5 successes (4 tasks)" in board
    assert "mean and range of 2 seeds" in training


def test_only_sums_of_parts_of_the_outcome_are_called_predictions(drawn: Drawn, opinion: Opinion) -> None:
    trajectory = drawn(6)
    spa, gigpo = opinion(trajectory, "spa"), opinion(trajectory, "gigpo")
    split = Credit(trajectory.id, "mean", [trajectory.outcome / 6] * 6)  # is told R
    assert [
        paper.running_sum_figure(trajectory, credits).figure.axes[0].get_ylabel()
        for credits in ([spa], [gigpo], [split], [spa, gigpo])
    ] == ["predicted outcome", *["running sum"] * 3]
    legend = paper.running_sum_figure(trajectory, [spa, split]).figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()][:2] == ["predicted by spa", "sum of mean"]


def test_names_with_commas_are_told_apart() -> None:
    assert captions.enumeration(["a", "b", "c"]) == "a, b and c"
    assert captions.enumeration(["SPA, linear", "random"]) == "SPA, linear; and random"
    assert captions.enumeration(["PPO, terminal reward"]) == "PPO, terminal reward"


def test_the_caption_of_advantages_has_the_title_of_the_source(drawn: Drawn, opinion: Opinion) -> None:
    trajectory = drawn(4)
    made = paper.advantages_figure(trajectory, opinion(trajectory), AdvantageSettings(), title="SPA-RL")
    assert "with the credit of SPA-RL" in made.caption


def test_an_episode_in_words(drawn: Drawn) -> None:
    one = replace(drawn(4), steps=drawn(4).steps[:1])
    assert captions.episode(one) == "success of 1 step (task: put a candle in toilet)"
    assert captions.episode(replace(drawn(7), instruction=" ")) == "failure of 7 steps"
    unknown = replace(drawn(4), outcome=None, success=None)
    caption = paper.episode_figure(unknown, Credit(unknown.id, "spa", [0.1] * 4)).caption
    assert caption.startswith("One episode of 4 steps (task: ")


def test_a_figure_shows_itself_in_a_notebook(hostile: Trajectory) -> None:
    credit = Credit(hostile.id, '"><script>alert(1)</script>', np.linspace(-1, 1, len(hostile)))
    page = paper.contributions_figure(hostile, [credit], columns=1)._repr_html_()
    assert "width:3.35in" in page and "data:image/svg+xml;base64," in page
    assert "<script>" not in page and page.count("&quot;&gt;&lt;script&gt;") == 2  # alt and caption


def test_provenance_as_a_sentence() -> None:
    known = {"config": {"preset": {"name": "tiny"}}, "n": 12, "seeds": [1, 0, 1], "rollouts": 10,
             "git_commit": ["c" * 40, "c" * 40 + "-dirty", None]}  # fmt: skip
    assert in_words(known) == (
        "n = 12; seeds 0, 1; 10 rollouts per task; preset tiny; commit cccccccccc, cccccccccc-dirty, unknown."
    )
    assert "seed 0; preset none; commit unknown." in in_words(
        {"config": {}, "n": 1, "seeds": [0], "rollouts": None, "git_commit": [None]}
    )


def test_hostile_text_in_latex(hostile: Trajectory, tmp_path: Path) -> None:
    credit = Credit(hostile.id, r"\input{secret} $s$ 100% & _", np.linspace(-1, 1, len(hostile)))
    paper.contributions_figure(hostile, [credit]).save(tmp_path, {"x": "\n\\end{document}"})
    comment, *lines = (tmp_path / "contributions.tex").read_text().splitlines()
    assert comment.startswith("% {")
    tex = "\n".join(lines)
    assert r"\textbackslash{}input\{secret\} \$s\$ 100\% \& \_" in tex
    assert r"\end{document}" not in tex and tex.count("{figure*}") == 2
    assert (tmp_path / "contributions.csv").read_text().count("x" * 5000) == 1


def test_latex_by_hand() -> None:
    assert escaped("−0.1 ± 2 Σĉ → ~^é\n…") == (
        r"$-$0.1 $\pm$ 2 $\Sigma$$\hat{c}$ $\to$ \textasciitilde{}\textasciicircum{}é \ldots{}"
    )
    assert escaped("\ud800 漢 🙂") == "? ? ?"
    single = "\N{LEFT SINGLE QUOTATION MARK}b\N{RIGHT SINGLE QUOTATION MARK}"
    assert escaped(f"“a” {single}") == (
        r"\textquotedblleft{}a\textquotedblright{} \textquoteleft{}b\textquoteright{}"
    )
    assert escaped("Ħſŉ é ß") == "??? é ß"  # what pdfLaTeX stops at
    assert escaped("--a-b---''x'',,") == "-{}-a-b-{}-{}-'{}'x'{}',{},"  # no ligatures
    rows = booktabs(["a", "b"], [["[5pt] x", "1"], ["*", "2"]])
    assert "{}[5pt] x & 1" in rows and "{}* & 2" in rows  # no argument of the row before
    assert booktabs(["a_b", "n"], [["x", "1"]]).splitlines() == [
        r"\begin{tabular}{lr}", r"\toprule", r"a\_b & n \\", r"\midrule", r"x & 1 \\", r"\bottomrule",
        r"\end{tabular}",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="table row 0 has 1 cells, there are 2 columns"):
        booktabs(["a", "b"], [["x"]])
    assert r"\begin{figure}[t]" in figure_environment("x", "y", picture="x.pdf", spans_columns=False)


def test_a_figure_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        paper.training_figure(training_table({}, ["loss"]))


def _drawn(figure: Figure) -> list[np.ndarray]:
    """Every line's, bar row's and point row's numbers along the axis that carries the value."""
    drawn_data: list[np.ndarray] = []
    for axes in figure.axes:
        drawn_data += [np.asarray(data, dtype=float) for line in axes.lines for data in line.get_data()]
        for container in axes.containers:
            if isinstance(container, BarContainer):
                drawn_data.append(
                    np.array([[bar.get_width(), bar.get_height()] for bar in container]).ravel()
                )
    return drawn_data


def test_the_numbers_of_a_figure_are_drawn(every: Callable[[Columns], list[PaperFigure]]) -> None:
    """Every number in the columns that a figure shows is found among the drawn data."""
    shown = {
        "contributions": ["contribution[spa@run-3]", "progress", "sum[spa@run-3]", "value"],
        "running-sum": ["sum[spa@run-3]", "sum[a source with quite a long name]", "value", "outcome"],
        "advantages": ["from_credit", "from_grounding", "advantage", "terminal", "reach"],
        "differences": ["point"],
        "scoreboard": ["value", "ceiling", "chance"],
        "training": ["value", "update"],
    }
    for printable in every(2):
        numbers = np.concatenate(_drawn(printable.figure))
        for column in shown[printable.name]:
            for value in printable.numbers[column].dropna():
                assert np.isclose(numbers, value, atol=1e-12).any(), (printable.name, column, value)

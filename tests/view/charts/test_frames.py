"""Charts of plain tables: a look for every name, one legend, panels side by side."""

import numpy as np
import pandas as pd
import pytest

from spa_lab.view import style
from spa_lab.view.charts import bars_chart, lines_chart, points_chart
from spa_lab.widgets import ChartView, plot_lines

FRAME = pd.DataFrame({"first": [1.0, np.nan, 3.0], "second": [0.5, 0.25, 0.125]}, index=[2, 4, 8])


def test_a_line_has_the_numbers_of_its_column() -> None:
    first, second = lines_chart(FRAME, x="N", limits=(0, 4)).spec()["data"]
    assert first["x"] == second["x"] == [2, 4, 8] and first["y"] == [1, None, 3]
    assert lines_chart(FRAME.set_axis(list("abc")), x="N").spec()["data"][0]["x"] == [0, 1, 2]


def test_panels_share_a_legend_and_have_titles_and_axes_of_their_own() -> None:
    spec = lines_chart({"left": FRAME, "right": FRAME[["second"]]}, x="N", y="error").spec()
    assert [trace["name"] for trace in spec["data"] if trace["showlegend"]] == ["first", "second"]
    assert [trace["xaxis"] for trace in spec["data"]] == ["x", "x", "x2"]
    layout = spec["layout"]
    assert [note["text"] for note in layout["annotations"]] == ["<b>left</b>", "<b>right</b>"]
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert [layout[name]["title"]["text"] for name in ("yaxis", "yaxis2")] == ["error", ""]


def test_one_line_alone_needs_no_legend() -> None:
    (trace,) = lines_chart(FRAME[["first"]], x="N").spec()["data"]
    assert not trace["showlegend"]


def test_known_names_have_their_look_and_others_differ() -> None:
    known = lines_chart(FRAME.set_axis(["SPA-RL", "terminal reward"], axis=1), x="N").spec()["data"]
    for trace, name in zip(known, ("spa", "terminal"), strict=True):
        assert trace["line"]["color"] == style.look(name).colour
        assert trace["marker"]["symbol"] == style.look(name).symbol
    assert style.is_known("PPO, SPA-RL") and not style.is_known("first")
    others = lines_chart(FRAME, x="N").spec()["data"]
    for part, key in (("line", "color"), ("line", "dash"), ("marker", "symbol")):
        assert others[0][part][key] != others[1][part][key]


def test_bars_stand_at_the_names_of_the_rows_with_their_errors() -> None:
    errors = pd.DataFrame({"second": [0.3, 0.2, 0.1]}, index=[8, 4, 2])
    spec = bars_chart(FRAME, x="N", errors=errors).spec()
    first, second = spec["data"]
    assert spec["layout"]["xaxis"]["ticktext"] == ["2", "4", "8"] and first["x"] == [0, 1, 2]
    assert "error_y" not in first and second["error_y"]["array"] == [0.1, 0.2, 0.3]


def test_many_bars_have_few_labels() -> None:
    axis = bars_chart(pd.DataFrame({"n": range(100)}), x="step").spec()["layout"]["xaxis"]
    assert axis["tickvals"] == list(range(0, 100, 4))


def test_points_lie_in_their_groups_beside_the_line_of_equality() -> None:
    frame = pd.DataFrame({"x": [0.0, 0.5, 2.0], "y": [1.0, 0.0, 0.5], "group": ["a", "b", "a"]})
    line, first, second = points_chart({"p": frame}, x="x").spec()["data"]
    assert line["x"] == line["y"] == [0, 2]
    assert (first["x"], second["y"]) == ([0, 2], [0])
    limited = points_chart({"p": frame}, x="x", limits=(0, 1)).layout
    assert limited["xaxis"]["range"] == limited["yaxis"]["range"] == [0, 1]
    alone = points_chart({"p": frame.drop(columns="group"), "q": frame}, x="x").spec()["data"]
    assert [trace["xaxis"] for trace in alone] == ["x", "x2", "x", "x2", "x2"]


@pytest.mark.parametrize("frame", [FRAME.iloc[:0], FRAME[[]]])
def test_an_empty_table_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="lines chart: a table has no rows or no columns"):
        lines_chart({"good": FRAME, "empty": frame}, x="N")


def test_a_chart_is_a_view_with_a_still_image_and_a_figure() -> None:
    view = plot_lines({"loss": FRAME}, x="update")
    assert isinstance(view, ChartView) and view.name == "Lines of loss"
    assert "data:image/png" in view.static() and len(view.to_figure().data) == 2

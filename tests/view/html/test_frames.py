"""Tables as results of cells: few digits, numbers flush right, foreign text inert."""

import re

import numpy as np
import pandas as pd

from spa_lab.widgets import Table


def _cells(table: Table, tag: str = "td") -> list[str]:
    return re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", table._repr_html_().partition("</style>")[2])


def test_values_are_written_as_a_reader_expects() -> None:
    row = {"n": 1200, "mean": -0.12345, "whole": 36.0, "lost": np.nan, "none": None, "ok": True, "share": 1.0}
    table = Table(pd.DataFrame([row]), digits=3)
    assert _cells(table) == ["1,200", "−0.123", "36", "–", "–", "yes", "1.000"]
    assert _cells(Table(pd.DataFrame({"n": [3, None]}, dtype="Int64"))) == ["3", "–"]


def test_headings_are_words_and_an_index_is_shown_if_it_says_something() -> None:
    frame = pd.DataFrame({"n_steps": [1, 2]}, index=pd.Index(["a", "b"], name="ended_as"))
    assert _cells(Table(frame, names={"ended_as": "end"}), "th") == ["end", "n steps"]
    assert _cells(Table(frame.reset_index(drop=True)), "th") == ["n steps"]
    assert _cells(Table(frame.reset_index(drop=True).rename_axis("step")), "th") == ["step", "n steps"]
    both = frame.set_index("n_steps", append=True).assign(x=1).unstack()
    assert _cells(Table(both), "th") == ["ended as", "x, 1", "x, 2"]


def test_numbers_are_flush_right_and_text_is_not() -> None:
    page = Table(pd.DataFrame({"text": ["<b>go</b>"], "x": [1.5]}), caption="<i>")._repr_html_()
    assert page.count("class=figure") == 2 and "&lt;b&gt;go" in page and "<i>" not in page


def test_a_long_table_ends() -> None:
    page = Table(pd.DataFrame({"x": range(150)}))._repr_html_()
    assert page.count("<tr>") == 101 and "50 more rows" in page

"""Pages of conferences, fonts, formats and LaTeX macros."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.font_manager import findfont

from spa_lab.view import paper
from spa_lab.view.paper import VENUES, find_page
from spa_lab.view.paper.fonts import FONTS, SERIF, SMALLEST, find_font
from spa_lab.view.paper.macros import keys_of, macros, plain
from spa_lab.view.text import Bold, signed, with_best
from tests.view.paper.readable import assert_readable

TABLE = pd.DataFrame(
    {
        "policy": ["SPA & co", "SFT"], "k": [30, 0], "n": [40, 40], "success": [0.75, 0.0],
        "low": [0.598, 0.0], "high": [0.8582, 0.0876], "n_seeds": [1, 1], "outcome": [0.75, 0.0],
        "grounding": [0.9, 0.5], "mean_steps": [12.25, 40.0],
    }
)  # fmt: skip


def test_pages_of_venues() -> None:
    widths = {
        name: (round(venue.text, 2), venue.column and round(venue.column, 2))
        for name, venue in VENUES.items()
    }
    assert widths == {
        "neurips": (5.5, None), "iclr": (5.5, None), "icml": (6.75, 3.25), "acl": (6.3, 3.03),
        "jmlr": (6.0, None),
    }  # fmt: skip
    assert find_page("neurips").font is SERIF and not find_page("neurips").spans_columns
    assert find_page("icml").spans_columns and not find_page("icml", 1).spans_columns
    assert find_page(width=4.0).spans_columns and not find_page("iclr", width=4.0).spans_columns
    assert (find_page().width, find_page(columns=1).width) == (6.95, 3.35)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"venue": "nature"}, "venue 'nature' is not known; there are: neurips, iclr, icml, acl, jmlr"),
        ({"venue": "iclr", "columns": 1}, "a paper for iclr has one column, 5.5 in wide"),
        ({"width": 1.0}, "width 1 in: figures are made for 3 to 12 in"),
        ({"width": float("nan")}, "width nan in"),
        ({"font": "No Such Font"}, "font 'No Such Font' is not installed; there are: sans, serif"),
    ],
)
def test_pages_that_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_page(**options)


def test_fonts_come_with_matplotlib_and_are_embedded(tmp_path: Path) -> None:
    for font in FONTS.values():
        assert font.size >= SMALLEST and "mpl-data" in findfont(font.families[0], fallback_to_default=False)
    assert find_font("STIXGeneral").families[0] == "STIXGeneral"
    printable = paper.success_figure(TABLE, columns=find_page("acl", 1))
    assert_readable(printable)
    (file,) = printable.save(tmp_path, formats=["pdf"])
    content = file.read_bytes()
    assert b"STIXGeneral" in content and b"DejaVu" not in content and b"/Type3" not in content


def test_formats(tmp_path: Path) -> None:
    printable = paper.success_figure(TABLE, columns=1)
    files = printable.save(tmp_path, formats=["png", "tex"])
    assert {path.name for path in files} == {"success.png", "success.tex", "success-table.tex"}
    assert r"\includegraphics{success.png}" in (tmp_path / "success.tex").read_text()
    with pytest.raises(ValueError, match="format 'jpg' is not known; there are: pdf, svg, png, csv, tex"):
        printable.save(tmp_path, formats=["jpg"])


def test_macros_hold_every_number() -> None:
    printable = paper.bars_figure(TABLE, columns=1)
    text = macros([printable], {"n": 40})
    assert r"\spalab@def{success-bars.SPA-co.success.percent}{75.0}" in text
    assert r"\spalab@def{success-bars.SPA-co.mean-steps}{12.250}" in text
    assert r"\spalab@def{success-bars.SFT.n}{40}" in text
    assert len([key for key in keys_of(printable) if not key.endswith("percent")]) == 2 * 9
    assert plain("a_b % {c}") == "a-b-c" and plain("漢") == "-"
    assert (
        plain(-0.215723) == "-0-216" and plain("−1") == "-1" and plain(12.0) == "12" and plain("a-1") == "a-1"
    )
    with pytest.raises(ValueError, match="'success-bars' is the name of 2 figures"):
        macros([printable, printable], {})
    differences = TABLE.assign(ours=["a", "b"], theirs="c", point=-0.05, method="bootstrap")
    assert r"{$-$5.0}" in macros([paper.differences_figure(differences)], {})


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["克隆", "终端奖励"], ["-", "--2"]),
        (["SPA α", "SPA β"], ["SPA", "SPA-2"]),
        (["x", "x!"], ["x", "x-2"]),
    ],
)
def test_rows_that_read_alike_in_ascii_have_keys_of_their_own(names: list[str], keys: list[str]) -> None:
    printable = paper.bars_figure(TABLE.assign(policy=names), columns=1)
    text = macros([printable], {})
    for key, rate in zip(keys, ("75.0", "0.0"), strict=True):
        assert rf"\spalab@def{{success-bars.{key}.success.percent}}{{{rate}}}" in text
    assert len(keys_of(printable)) == len(set(keys_of(printable)))


def test_the_best_value_is_bold() -> None:
    assert [isinstance(cell, Bold) for cell in with_best(["1", "3", "–", "3"], [1, 3, float("nan"), 3])] == [
        False, True, False, True,
    ]  # fmt: skip
    near = with_best(["0.9", "1.2"], [0.9, 1.2], best=1.0)
    assert [isinstance(cell, Bold) for cell in near] == [True, False]
    assert with_best(["–"], [float("nan")]) == ["–"]
    assert r"SPA \& co & \textbf{75.0} & " in paper.success_figure(TABLE).table
    assert signed(-0.001, 2) == "0.00"

import re

import pytest

from spa_lab.view import style
from spa_lab.view.html import markup

DARK = '[data-jp-theme-light="false"] .spa-lab'
MARKS = (
    "edge",
    "positive",
    "negative",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onmouseover='x' & more", "&quot; onmouseover=&#x27;x&#x27; &amp; more"),
        ("a\x00b\x1b[31m\ud800c", "a\ufffdb\ufffd[31m\ufffdc"),
        ("left \u202e turned", "left \ufffd turned"),
        ("hidden \U000e0041\u200b words", "hidden \ufffd\ufffd words"),
        ("שלום 👩\u200d🚀 \u0645\u06cc\u200c\u062e", "שלום 👩\u200d🚀 \u0645\u06cc\u200c\u062e"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_strangers_words_are_shown_and_not_obeyed(text: str, expected: str) -> None:
    assert markup.safe(text) == expected


def test_a_long_text_is_folded_and_says_what_is_left_out() -> None:
    block = markup.prose("x" * 100_000)
    assert len(block) < markup.FOLDED + 500
    assert "99,300 more characters" in block and "80,000 more characters are not in this page" in block
    assert block.count("x") == markup.FOLDED
    assert "<details" not in markup.prose("short")
    assert "<details" not in markup.prose("x" * (markup.SHOWN + markup.SPARE)), (
        "a few more are not worth a fold"
    )
    assert "101 more characters" in markup.prose("x" * (markup.SHOWN + markup.SPARE + 1))


def test_a_page_requests_no_resources() -> None:
    page = markup.page("<b>title</b>", "<p>body</p>")
    assert page.startswith("<!DOCTYPE html>") and "<title>&lt;b&gt;title&lt;/b&gt;</title>" in page
    assert not re.search(r"https?:|url\(|@import|<script |src=|<link", page)


def _colours(theme: str) -> dict[str, str]:
    block = markup.look().partition(theme)[2].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


@pytest.mark.parametrize("theme", [".spa-lab {", DARK])
def test_words_and_marks_stand_out(theme: str) -> None:
    """WCAG 2.2: 4.5 for text on every ground it stands on, 3 for marks."""
    colours = _colours(theme)
    for ground in ("ground", "stripe", "selected"):
        for name in ("ink", "muted", "refused"):
            assert style.contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in MARKS:
            assert style.contrast(colours[name], colours[ground]) >= 3, (name, ground)

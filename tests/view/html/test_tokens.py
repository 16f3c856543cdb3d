"""Painted tokens: inert text, every kind in its look, nothing lost."""

import re
from html import unescape

import pytest

from spa_lab.view import style
from spa_lab.view.html.tokens import tokens_html

TOKENS = ["<|world|>", "You see a <b>mug 1</b> & more.\n", "Action: take", " mug 1"]
KINDS = ["read", "read", "learnt", "masked"]


def _spans(html: str) -> list[tuple[str, str]]:
    return [
        (look, unescape(text)) for look, text in re.findall(r'<span style="(.*?)">(.*?)</span>', html, re.S)
    ]


def test_every_token_is_there_in_order_behind_the_legend() -> None:
    spans = _spans(tokens_html(TOKENS, KINDS))
    assert [text for _, text in spans[:3]] == [" learnt ", " read ", " masked "]
    assert [text for _, text in spans[3:]] == TOKENS


def test_a_token_looks_as_the_legend_says() -> None:
    spans = _spans(tokens_html(TOKENS, KINDS))
    looks = {text.strip(): look for look, text in spans[:3]}
    assert [look for look, _ in spans[3:]] == [looks[kind] for kind in KINDS]
    assert len(set(looks.values())) == 3


def test_text_of_agents_and_worlds_is_no_markup() -> None:
    html = tokens_html(["<script>alert(1)</script>"], ["read"])
    assert "<script" not in html and "&lt;script&gt;" in html


def test_colours_can_be_read() -> None:
    for look, _ in _spans(tokens_html([], [])):
        parts = dict(part.split(":") for part in look.split(";"))
        assert style.contrast(parts["color"], parts.get("background", style.WHITE)) >= 4.5


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["read"], "got 1 kinds for 4 tokens"),
        (["read", "read", "seen", "read"], "kinds are learnt, read, masked, got 'seen'"),
    ],
)
def test_kinds_that_are_refused(kinds: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tokens_html(TOKENS, kinds)

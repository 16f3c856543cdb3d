"""Painted tokens: inert text, every kind in its look, nothing lost."""

import math
import re
from html import unescape

import pytest

from spa_lab.view.html.markup import look
from spa_lab.view.html.tokens import tokens_html

TOKENS = ["<|world|>", "You see a <b>mug 1</b> & more.\n", "Action: take", " mug 1"]
KINDS = ["read", "read", "learnt", "masked"]


def _spans(html: str) -> list[tuple[str, str]]:
    """Classes and text of each token, those of the legend first."""
    body = html.partition("</style>")[2]
    return [
        (kind, unescape(text))
        for kind, text in re.findall(r'<span class="(.*?)".*?>(.*?)</span>', body, re.S)
    ]


def test_every_token_is_there_in_order_behind_the_legend() -> None:
    html = tokens_html(TOKENS, KINDS, [math.nan, math.nan, 0.5, 2.25])
    spans = _spans(html)
    assert spans[:3] == [(kind, kind) for kind in ("learnt", "read", "masked")]
    assert [text for _, text in spans[3:]] == ["world", *TOKENS[1:]]
    assert [kind.split()[0] for kind, _ in spans[3:]] == KINDS
    assert html.count('title="') == 2 and 'title="2.250 nats"' in html


def test_a_turn_begins_a_line() -> None:
    body = tokens_html(
        ["<|world|>", "a", "<|agent|>", "b", "<|end|>"], ["read", "read", "read", "learnt", "learnt"]
    )
    assert body.count("<br>") == 2 and "<|" not in body


def test_every_kind_has_a_look() -> None:
    for kind in ("learnt", "read", "masked", "tag"):
        assert f".spa-lab .painted .{kind} {{" in look()


def test_text_of_agents_and_worlds_is_no_markup() -> None:
    html = tokens_html(["<script>alert(1)</script>"], ["read"])
    assert "<script" not in html and "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["read"], "got 1 kinds and 0 numbers for 4 tokens"),
        (["read", "read", "seen", "read"], "kinds are learnt, read, masked, got 'seen'"),
    ],
)
def test_kinds_that_are_refused(kinds: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tokens_html(TOKENS, kinds)

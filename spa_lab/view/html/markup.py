"""HTML of words that strangers wrote: shown as they are, never obeyed.

Everything that an agent or a world said goes through `safe` or `prose` before it enters a page; `screen` and
`paper` have their own rules in `text`.
"""

import re
from functools import cache
from html import escape
from pathlib import Path

SHOWN = 700
"""Characters of one text that are shown at once; the others are folded away."""
FOLDED = 20_000
"""Characters of one text that a page holds at all; the object holds the rest."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, half characters, and what is invisible or turns the direction of its surroundings. Joiners stay:
emoji and many scripts need them."""


def safe(text: str) -> str:
    """The text for the inside of an element or of a quoted attribute; U+FFFD for what cannot be seen."""
    return escape(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n")), quote=True)


def prose(text: str, *, shown: int = SHOWN) -> str:
    """The text as a block that keeps its own direction; what exceeds `shown` characters is folded.

    Beyond `FOLDED` characters it is left out, and the block says how many.
    """
    head, rest = text[:shown], text[shown:FOLDED]
    block = f'<span class="prose" dir="auto">{safe(head)}</span>'
    if rest:
        lost = len(text) - FOLDED
        note = f'<span class="note">{lost:,} more characters are not in this page.</span>' if lost > 0 else ""
        block += (
            f"<details><summary>{len(text) - shown:,} more characters</summary>"
            f'<span class="prose" dir="auto">{safe(rest)}</span>{note}</details>'
        )
    return block


def frame_table(columns: list[str], rows: list[list[str]], *, caption: str = "", numeric: int = 0) -> str:
    """A table of cells that are HTML already; the last `numeric` columns are numbers, flush right."""
    first = len(columns) - numeric
    looks = ['class="figure"' if place >= first else "" for place in range(len(columns))]
    head = "".join(
        f'<th scope="col" {look}>{column}</th>' for column, look in zip(columns, looks, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td {look}>{cell}</td>" for cell, look in zip(row, looks, strict=True)) + "</tr>"
        for row in rows
    )
    title = f"<caption>{caption}</caption>" if caption else ""
    return f'<table class="plain">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


@cache
def look() -> str:
    """The style sheet of every page and widget."""
    return Path(__file__).with_name("look.css").read_text(encoding="utf-8")


def styled(body: str) -> str:
    """A piece of HTML that brings its looks along, for the output of a notebook cell."""
    return f'<style>{look()}</style><div class="spa-lab">{body}</div>'


def page(title: str, body: str) -> str:
    """A whole HTML document that needs neither network nor kernel; `title` is text, `body` HTML."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{safe(title)}</title></head><body>{styled(body)}</body></html>\n"
    )

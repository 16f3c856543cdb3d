"""HTML of untrusted text: shown as it is, never interpreted as markup.

All text from an agent or a world goes through `safe` or `prose` before it enters a page; charts and printed
figures use `view.text` instead.
"""

import re
from functools import cache
from html import escape
from pathlib import Path

SHOWN = 700
"""Characters of one text that are shown at once; the rest is folded."""
SPARE = 100
"""Characters beyond `SHOWN` that are shown as well, as a fold would take their place."""
FOLDED = 20_000
"""Characters of one text that a page holds at most; only the object holds the rest."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, lone surrogates, and characters that are invisible or change the text direction.
Joiners stay: emoji and many scripts need them."""


def safe(text: str) -> str:
    """The text inside an element or a quoted attribute; U+FFFD replaces invisible characters."""
    return escape(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n")), quote=True)


def prose(text: str, *, shown: int = SHOWN) -> str:
    """The text as a block with its own text direction; characters beyond `shown` are folded.

    It must not stand in a `<p>`, which a fold would end.
    Characters beyond `FOLDED` are left out, and the block states their number.
    """
    if len(text) <= shown + SPARE:
        shown = len(text)
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
    attributes = ['class="figure"' if index >= first else "" for index in range(len(columns))]
    head = "".join(
        f'<th scope="col" {attribute}>{column}</th>'
        for column, attribute in zip(columns, attributes, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td {attribute}>{cell}</td>" for cell, attribute in zip(row, attributes, strict=True))
        + "</tr>"
        for row in rows
    )
    title = f"<caption>{caption}</caption>" if caption else ""
    return f'<table class="plain">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


@cache
def look() -> str:
    """The style sheet of every page and widget."""
    return Path(__file__).with_name("look.css").read_text(encoding="utf-8")


def styled(body: str) -> str:
    """A piece of HTML with its style sheet, for the output of a notebook cell."""
    return f'<style>{look()}</style><div class="spa-lab">{body}</div>'


_THEME = """<style>body { margin: 0; background: #ffffff; }
body[data-jp-theme-light="false"] { background: #16181c; }
.spa-lab { margin: 0 auto; }</style><script>{
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => { document.body.dataset.jpThemeLight = String(!dark.matches); };
dark.addEventListener("change", follow);
addEventListener("beforeprint", () => { document.body.dataset.jpThemeLight = "true"; });
addEventListener("afterprint", follow);
follow();
}</script>"""
"""Sets JupyterLab's attribute of the theme, which style sheet and charts know, as the reader's system is."""


def page(title: str, body: str) -> str:
    """A whole HTML document that needs neither network nor kernel; `title` is text, `body` HTML.

    It is dark where the reader's system is.
    """
    name = safe(title)
    heading = f'<h1 class="unseen">{name}</h1>'
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title></head><body>{_THEME}<main>{styled(heading + body)}</main></body></html>\n"
    )

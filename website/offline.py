"""Check that pages need no network: no script, style, font or picture comes from another host."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
"""Element -> attribute that makes a browser load something."""
_RELATIONS = ("stylesheet", "preload", "modulepreload", "icon", "shortcut icon", "prefetch", "preconnect")
_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
_SCRIPT = re.compile(
    r"""(?:\bimport\(\s*|\bfetch\(\s*|importScripts\(\s*|\.src\s*=\s*)["'`]((?:https?:)?//[^"'`]+)"""
)


class _Loads(HTMLParser):
    """Collects the addresses that a page loads from other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        address = values.get(_LOADING.get(tag, ""))
        if tag == "link" and (values.get("rel") or "").lower() in _RELATIONS:
            address = values.get("href")
        self._add(address)
        self.found += _STYLE.findall(values.get("style") or "")
        self._inside = tag if tag in ("style", "script") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.found += _STYLE.findall(data)
        elif self._inside == "script":
            self.found += _SCRIPT.findall(data)

    def _add(self, address: str | None) -> None:
        if address and re.match(r"(https?:)?//", address):
            self.found.append(address)


def foreign_loads(folder: Path) -> Iterator[str]:
    """`FILE: ADDRESS` for everything that pages, styles and scripts in a folder load from other hosts."""
    for path in sorted(folder.rglob("*")):
        found: list[str] = []
        if path.suffix == ".html":
            parser = _Loads()
            parser.feed(path.read_text(encoding="utf-8"))
            found = parser.found
        elif path.suffix == ".css":
            found = _STYLE.findall(path.read_text(encoding="utf-8"))
        elif path.suffix in (".js", ".mjs"):
            found = _SCRIPT.findall(path.read_text(encoding="utf-8"))
        yield from (f"{path.relative_to(folder)}: {address}" for address in found)

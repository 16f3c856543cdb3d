"""All pages of the site as text: what is assembled for Sphinx, and in which order readers find it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from website import cards, reference
from website.docstrings import ROOT
from website.flow import flows_as_tables

NOTEBOOKS = ROOT / "notebooks"
PICTURES = ROOT / "data/pictures"
GUIDES = ("glossary", "architecture", "trackers", "official-data", "scale", "performance")
"""Files of `docs/` in the order of the site; those that are missing here come last."""
NOT_PAGES = ("api", "index")
"""Files of `docs/` that other pages are made of."""
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def notebooks() -> list[Path]:
    """The notebooks, in order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def guides() -> list[str]:
    """Names of the files of `docs/` that are pages, in the order of the site."""
    names = sorted({path.stem for path in (ROOT / "docs").glob("*.md")} - set(NOT_PAGES))
    return sorted(names, key=lambda name: GUIDES.index(name) if name in GUIDES else len(GUIDES))


def pages() -> dict[str, str]:
    """Path below the source folder -> text of every page that is no notebook."""
    found = {
        "index.md": _index(),
        "overview.md": relinked(_read("README.md").replace("# spa_lab\n", "# Overview\n", 1), "overview.md"),
        "changelog.md": relinked(_read("CHANGELOG.md"), "changelog.md"),
        "notice.md": f"# Notice\n\n```text\n{_read('NOTICE')}```\n",
    }
    for name in guides():
        text = flows_as_tables(_read(f"docs/{name}.md"))
        found[f"{name}.md"] = relinked(text, f"{name}.md", folder="docs")
    for kind, title, made in (
        ("methods", "Training methods", cards.method_cards()),
        ("sources", "Credit sources", cards.source_cards()),
    ):
        found[f"{kind}/index.md"] = _list_of_cards(title, made)
        found |= {f"{kind}/{card.name}.md": cards.render(card) for card in made}
    return found | reference.pages()


def toctrees() -> dict[str, list[str]]:
    """Title -> pages, as the menu of the site shows them; pages of one kind are below their index."""
    return {
        "Start": ["overview", "notebooks/index"],
        "Methods": ["methods/index", "sources/index"],
        "Guides": guides(),
        "Reference": ["api/index", "all-settings", "changelog", "notice"],
    }


def notebook_index() -> str:
    """The page that lists the notebooks."""
    names = [path.stem for path in notebooks()]
    text = (
        "The lessons, from a tour that trains nothing to figures for a paper. They are read here and run in "
        "JupyterLab (`make lab`); `make docs EXECUTE=1` shows them with their results."
    )
    return f"# Notebooks\n\n{text}\n\n{_toctree(names, caption='')}"


def relinked(text: str, page: str, *, folder: str = "") -> str:
    """Markdown of the checkout with links that hold on the site; a link to anything else becomes its text.

    Args:
        text: the Markdown.
        page: path of the page on the site.
        folder: where the file lies in the checkout.
    """

    def changed(match: re.Match[str]) -> str:
        mark, label, target = match.groups()
        if re.match(r"https?:|mailto:|#", target):
            return match[0]
        path, _, anchor = target.partition("#")
        here = PurePosixPath(os.path.normpath(PurePosixPath(folder) / path)).as_posix()
        there = _on_site(here)
        if there is None:
            return label
        relative = os.path.relpath(there, PurePosixPath(page).parent)
        return f"{mark}[{label}]({relative}{'#' + anchor if anchor else ''})"

    return _LINK.sub(changed, text)


def _on_site(path: str) -> str | None:
    """Where a file of the checkout is on the site; None if it is not there."""
    known = {"README.md": "overview.md", "CHANGELOG.md": "changelog.md", "NOTICE": "notice.md"}
    moved = {"docs/api.md": "api/index.md", **{f"docs/{name}.md": f"{name}.md" for name in guides()}}
    if path.startswith("notebooks/") and (ROOT / path).suffix == ".ipynb":
        return path
    if path.startswith("data/pictures/"):
        return path.removeprefix("data/")
    return (known | moved).get(path)


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _index() -> str:
    menus = [_toctree(names, caption=title, hidden=True) for title, names in toctrees().items()]
    return "\n\n".join([relinked(_read("docs/index.md"), "index.md", folder="docs"), *menus])


def _list_of_cards(title: str, made: Sequence[cards.Card]) -> str:
    rows = [f"| [{card.title}]({card.name}.md) | `{card.name}` | {card.summary} |" for card in made]
    table = ["| title | name | is |", "|---|---|---|", *rows]
    names = _toctree([card.name for card in made], caption="", hidden=True)
    return "\n".join([f"# {title}", "", *table, "", names]) + "\n"


def _toctree(names: Sequence[str], *, caption: str, hidden: bool = False) -> str:
    options = [
        *([f":caption: {caption}"] if caption else []),
        ":maxdepth: 1",
        *([":hidden:"] if hidden else []),
    ]
    return "\n".join(["```{toctree}", *options, "", *names, "```"])


def listed(found: Mapping[str, str]) -> Iterator[str]:
    """Paths without their ending of all pages that a toctree of these pages names."""
    for path, text in found.items():
        for block in re.findall(r"```\{toctree\}\n(.*?)\n```", text, re.DOTALL):
            for line in block.split("\n"):
                if line and not line.startswith(":"):
                    yield os.path.normpath(PurePosixPath(path).parent / line)

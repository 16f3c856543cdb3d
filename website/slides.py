"""Slides made from the notebooks: `make slides`, or `python -m website.slides [--out DIR]`.

A deck a notebook (`website.decks`), for reveal.js, which is copied beside it: decks need no network.
"""

import argparse
import shutil
import sys
from pathlib import Path

import nbformat

from website import pages
from website.building import build
from website.decks import deck
from website.docstrings import ROOT

CONFIGURATION = ROOT / "website/sphinx/slides"
THEME = "white"


def main() -> int:
    """Write the decks, build, check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m website.slides", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build/slides", metavar="DIR", help="(build/slides)"
    )
    parser.add_argument(
        "--executed", type=Path, default=ROOT / "build/site/executed", metavar="DIR",
        help="notebooks that were run, where there are any (build/site/executed)",
    )  # fmt: skip
    options = parser.parse_args()
    out: Path = options.out.resolve()
    source, site = out / "source", out / "html"
    assemble(source, options.executed)
    return build("revealjs", CONFIGURATION, source, site, clean=remove_unused)


def assemble(source: Path, executed: Path) -> None:
    """Write a deck for each notebook, and a page that lists them.

    Args:
        source: the folder, which is emptied.
        executed: folder of notebooks that were run; those that are not there are taken from the checkout.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    titles = {}
    for path in pages.notebooks():
        run = executed / path.name
        notebook = nbformat.read(run if run.exists() else path, as_version=4)
        text = pages.relinked(deck(notebook), f"{path.stem}.md", folder="notebooks")
        (source / f"{path.stem}.md").write_text(text, encoding="utf-8")
        titles[path.stem] = text.partition("\n")[0].removeprefix("# ")
    listing = "\n".join(f"- [{title}]({name}.md)" for name, title in titles.items())
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *titles, "```"])
    (source / "index.md").write_text(f"# spa_lab: slides\n\n{listing}\n\n{toctree}\n", encoding="utf-8")


def remove_unused(site: Path) -> None:
    """Delete themes and plugins of reveal.js that no deck loads; some of them would load from other hosts."""
    folder = site / "_static/revealjs"
    for path in (folder / "dist/theme").glob("*.css"):
        if path.stem != THEME:
            path.unlink()
    for path in (folder / "plugin").iterdir():
        if path.name not in ("notes", "search", "zoom"):
            shutil.rmtree(path)


if __name__ == "__main__":
    sys.exit(main())

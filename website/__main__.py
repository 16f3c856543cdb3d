"""Build the site: `python -m website [--execute] [--out DIR]`."""

import argparse
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from website import pages
from website.building import build
from website.docstrings import ROOT

CONFIGURATION = ROOT / "website/sphinx/site"
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> int:
    """Assemble, build, check; returns the exit code: 0, Sphinx's, or 1 if a page needs a network."""
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build/site", metavar="DIR", help="(build/site)")
    parser.add_argument(
        "--execute", action="store_true", help="run the notebooks that have changed since they were run here"
    )
    options = parser.parse_args()
    out: Path = options.out.resolve()
    source, site = out / "source", out / "html"
    if options.execute:
        from website.execute import execute

        execute(pages.notebooks(), out / "executed")
    assemble(source, out / "executed" if options.execute else None)
    return build("html", CONFIGURATION, source, site)


def assemble(source: Path, executed: Path | None) -> None:
    """Write all pages; notebooks as they were executed, if they were.

    Args:
        source: the folder, which is emptied.
        executed: folder of executed notebooks; None: those of the checkout.
    """
    shutil.rmtree(source, ignore_errors=True)
    for path, text in pages.pages().items():
        file = source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copytree(pages.PICTURES, source / "pictures")
    folder = source / "notebooks"
    folder.mkdir()
    (folder / "index.md").write_text(pages.notebook_index(), encoding="utf-8")
    for path in pages.notebooks():
        made = executed / path.name if executed else path
        notebook = nbformat.read(made if made.exists() else path, as_version=4)
        leave_out_widgets(notebook)
        nbformat.write(notebook, folder / path.name)


def leave_out_widgets(notebook: NotebookNode) -> None:
    """Remove outputs that need a kernel, with their state; a copy beside each needs none."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]


if __name__ == "__main__":
    sys.exit(main())

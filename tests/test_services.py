"""Binder and Colab: what they install, and what the notebook for Colab uses."""

import ast
import json
import re
from pathlib import Path

import nbformat

import spa_lab

ROOT = Path(__file__).resolve().parent.parent
INSTALL = (ROOT / "docs/install.md").read_text(encoding="utf-8")


def test_binder_installs_the_light_package_with_pinned_versions() -> None:
    lines = (ROOT / ".binder/requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert wanted == ["-c ../constraints.txt", "-e ."], "an extra would install torch"
    assert (ROOT / ".binder" / wanted[0].split()[1]).resolve() == ROOT / "constraints.txt"
    assert (ROOT / ".binder/runtime.txt").read_text() == "python-3.11\n"
    assert "on Python 3.11" in (ROOT / "constraints.txt").read_text()


def test_the_colab_notebook_installs_and_shows_public_names() -> None:
    path = ROOT / "docs/colab.ipynb"
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    plain = "\n".join(re.sub(r"^[!%].*$", "", cell.source, flags=re.MULTILINE) for cell in code)
    tree = ast.parse(plain)
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "spa_lab"
        for alias in node.names
    }
    assert names and names <= set(spa_lab.__all__)
    assert "pip install -q -e ./spa_lab{EXTRA}" in code[0].source
    assert "colab.ipynb" in INSTALL and json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4

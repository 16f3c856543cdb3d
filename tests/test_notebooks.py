"""Notebooks: one shape, short cells, tables that name what exists.

All of this is checked on their source. That they run to the end, without a word of complaint, is tried in a
real JupyterLab (`browser/test_lessons.py`), and here in the other worlds and where there is no browser.
"""

import ast
import importlib.util
import pkgutil
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from spa_lab.store import Run

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STAGES = ("01_behaviour_cloning", "02_exploration", "03_progress_estimator", "04_ppo")
READING = ("00_tour", "05_credit_against_truth", "07_paper_figures")
"""They look at a run that ships with the project, one for each world."""
ELSEWHERE = ("webshop", "virtualhome")
HURRY = """
from dataclasses import replace
from spa_lab.configs import presets
small = {"explore_tasks": 12, "evaluation_tasks": 16, "by_length_tasks": 7}
presets.LESSON = replace(presets.LESSON, **small, ppo=replace(presets.LESSON.ppo, episodes=16))
presets.PRESETS = {"lesson": presets.LESSON}
"""
"""A smaller lesson: what is tried is whether it runs."""
PARSED = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
BROWSER = importlib.util.find_spec("playwright") is not None and any(
    map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
)


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _code(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Number and source of every code cell."""
    return ((i, cell.source) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")


def _text(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def _said_to_be_written(notebook: NotebookNode) -> list[str]:
    """Paths inside the run folder that the opening table promises."""
    _, found, writes = notebook.cells[0].source.partition("| **Writes** |")
    assert found
    return re.findall(r"`([\w*./-]+)`", writes)


def test_there_is_one_for_every_stage() -> None:
    assert set(STAGES) <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_hold_few_and_plain_things(path: Path) -> None:
    """Anything longer or cleverer belongs into the library, where it is tested."""
    notebook = _read(path)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 40
    for place, (number, source) in enumerate(_code(notebook)):
        assert "sys.path" not in source, f"cell {number}"
        tree = compile(source, f"cell {number}", "exec", PARSED)  # magics and shell lines are no Python
        assert isinstance(tree, ast.AST)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.ClassDef), f"cell {number}: class"
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 10, f"cell {number}: {node.name} has {length} lines"
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert place == 0, f"cell {number} imports {ast.unparse(node)}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_all_are_taught_in_one_shape(path: Path) -> None:
    notebook = _read(path)
    text, opening = _text(notebook), notebook.cells[0].source
    assert opening.startswith(f"# {int(path.stem[:2])} · ")
    assert all(part in opening for part in ("**You will learn**", "| **Reads** |", "| **Writes** |"))
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert re.search(r"^RUN\w* = ", parameters.source, re.MULTILINE)
    assert "\n## Exercises\n" in text
    assert any("exercises.check_" in source for _, source in _code(notebook))


@pytest.mark.parametrize("stem", STAGES)
def test_stages_have_a_formula_and_own_up_to_their_power(stem: str) -> None:
    notebook = _read(ROOT / "notebooks" / f"{stem}.ipynb")
    text = _text(notebook)
    assert _said_to_be_written(notebook)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert re.findall(r"^(\w+) = ", parameters.source, re.MULTILINE) == ["ENV", "SCALE", "SEED", "RUN"]
    assert re.search("^> .* = ", text, re.MULTILINE)  # a formula on lines of its own
    assert "\n## What would falsify this\n" in text
    source = "\n".join(source for _, source in _code(notebook))
    assert "np.testing.assert_allclose(" in source
    assert "minimal_detectable_difference(" in source and "1 seed" in source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_formulas_need_no_script(path: Path) -> None:
    """A saved page would fetch one to set LaTeX; without network it would show the source."""
    for number, cell in enumerate(_read(path).cells):
        if cell.cell_type == "markdown":
            plain = re.sub("`[^`]*`", "", cell.source)
            assert not re.search(r"\$|\\[a-zA-Z(\[]", plain), f"cell {number}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_tables_name_functions_that_exist_and_tests_that_use_them(path: Path) -> None:
    """The last word of a function's name stands in the test file that is said to try it."""
    _, found, table = _text(_read(path)).partition("\n## Equation, function, test\n")
    assert found
    rows = re.findall(r"^\|.*\| `([\w.]+)` \| `(tests/[\w/]+\.py)` \|$", table, re.MULTILINE)
    lines = [line for line in table.split("\n## ")[0].splitlines() if line.startswith("|")]
    assert rows and len(rows) == len(lines) - 2, "every row has a function and a test"
    for function, test in rows:
        assert pkgutil.resolve_name(f"spa_lab.{function}") is not None
        assert re.search(rf"\b{function.split('.')[-1]}\b", (ROOT / test).read_text()), f"{test}: {function}"


@pytest.mark.skipif(BROWSER, reason="they run in a real JupyterLab, see browser/test_lessons.py")
def test_all_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each does its stage in the run folder that they share, says nothing on stderr and keeps its word."""
    _prepare(tmp_path, monkeypatch)
    for path in NOTEBOOKS:
        notebook = _execute(path, tmp_path / "notebooks")
        assert _complaints(notebook) == [], path.stem
        if path.stem in STAGES:
            missing = [name for name in _said_to_be_written(notebook) if not _in_run(tmp_path, name)]
            assert missing == [], path.stem
    run = Run.open(tmp_path / "runs/notebooks-household-lesson")
    assert any(one.success for one in run.load_trajectories("eval-cloned-unseen")), "the clone learnt nothing"


@pytest.mark.parametrize("env", ELSEWHERE)
@pytest.mark.parametrize("stems", [STAGES, READING], ids=["stages", "reading"])
def test_one_word_changes_the_world(
    env: str, stems: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _prepare(tmp_path, monkeypatch)
    for stem in stems:
        notebook = _execute(ROOT / "notebooks" / f"{stem}.ipynb", tmp_path / "notebooks", env)
        assert _complaints(notebook) == [], stem
    if stems is STAGES:
        run = Run.open(tmp_path / f"runs/notebooks-{env}-lesson")
        assert {one.env for one in run.load_trajectories("eval-spa-unseen")} == {env}


def _prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(folder / name))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)


def _execute(path: Path, folder: Path, env: str = "household") -> NotebookNode:
    """Run a notebook with another word as its `ENV`."""
    notebook = _read(path)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = cell.source.replace('ENV = "household"', f"ENV = {env!r}")
            if path.stem in STAGES and env in ELSEWHERE:
                cell.source += HURRY
            assert env == "household" or f"ENV = {env!r}" in cell.source
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def _complaints(notebook: NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.text for output in outputs if output.get("name") == "stderr"]


def _in_run(folder: Path, pattern: str) -> bool:
    return any((folder / "runs/notebooks-household-lesson").glob(pattern.rstrip("/")))

"""Notebooks: one structure, short cells, public imports, tables that name existing functions.

All of this is checked on their source. That they run to the end with nothing on stderr is tested in a real
JupyterLab (`browser/test_lessons.py`), and here in the other worlds and where there is no browser.
"""

import ast
import importlib.util
import json
import pkgutil
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

import spa_lab
from spa_lab.store import Run
from tests.small_lesson import EMPTY, shrink

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STAGES = ("01_behaviour_cloning", "02_exploration", "03_progress_estimator", "04_ppo")
AGENT = (*STAGES, "05b_your_agent_against_truth")
"""They share one run folder."""
READING = ("00_tour", "05_credit_against_truth", "07_paper_figures")
"""They read a run that ships with the project, one for each world."""
OTHER_WORLDS = ("webshop", "virtualhome")
PUBLIC = frozenset({"spa_lab", "spa_lab.widgets"})
MOST_INTERNAL = 6
"""Modules below the public interface that a notebook may import from, to show how something works inside."""
PARSED = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
BROWSER = importlib.util.find_spec("playwright") is not None and any(
    map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
)


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _code(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Index and source of every code cell."""
    return ((i, cell.source) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")


def _text(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def _promised_files(notebook: NotebookNode) -> list[str]:
    """Paths inside the run folder that the opening table promises."""
    _, separator, writes = notebook.cells[0].source.partition("| **Writes** |")
    assert separator
    return re.findall(r"`([\w*./-]+)`", writes)


def test_there_is_one_for_every_stage() -> None:
    assert set(AGENT) <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_plain(path: Path) -> None:
    """Anything longer or cleverer belongs in the library, where it is tested."""
    notebook = _read(path)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 40
    for position, (number, source) in enumerate(_code(notebook)):
        assert "sys.path" not in source, f"cell {number}"
        tree = compile(source, f"cell {number}", "exec", PARSED)  # magics and shell lines are no Python
        assert isinstance(tree, ast.AST)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.ClassDef), f"cell {number}: class"
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 10, f"cell {number}: {node.name} has {length} lines"
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert position == 0, f"cell {number} imports {ast.unparse(node)}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_imports_are_public(path: Path) -> None:
    """Names come from `spa_lab` and `spa_lab.widgets`; few come from inside the package."""
    source = next(source for _, source in _code(_read(path)))
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in nodes if str(node.module).partition(".")[0] == "spa_lab"]
    internal = [node.module for node in ours if node.module not in PUBLIC]
    assert len(internal) <= MOST_INTERNAL, internal
    for node in ours:
        if node.module == "spa_lab":
            assert {alias.name for alias in node.names} <= set(spa_lab.__all__)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_all_have_one_structure(path: Path) -> None:
    notebook = _read(path)
    text, opening = _text(notebook), notebook.cells[0].source
    number = path.stem.partition("_")[0].lstrip("0") or "0"
    assert opening.startswith(f"# {number} · ")
    parts = (
        "\n\n**In five minutes**: ",
        "**You will learn**",
        "| **Reads** |",
        "| **Writes** |",
        "[glossary](../docs/glossary.md)",
    )
    assert all(part in opening for part in parts)
    imports = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert imports.metadata == {"jupyter": {"source_hidden": True}}
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert re.search(r"^[A-Z]\w* = ", parameters.source, re.MULTILINE)
    assert "\n## Exercises\n" in text
    assert any("exercises.check_" in source for _, source in _code(notebook))


@pytest.mark.parametrize("stem", AGENT)
def test_lessons_have_a_formula_a_check_by_hand_and_their_power(stem: str) -> None:
    notebook = _read(ROOT / "notebooks" / f"{stem}.ipynb")
    text = _text(notebook)
    assert _promised_files(notebook)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert re.findall(r"^(\w+) = ", parameters.source, re.MULTILINE) == ["ENV", "SCALE", "SEED", "RUN"]
    assert re.search(r"^\$\$.*?=.*?\$\$$", text, re.MULTILINE | re.DOTALL)  # a displayed formula
    assert "\n## What would falsify this\n" in text
    source = "\n".join(source for _, source in _code(notebook))
    assert "np.testing.assert_allclose(" in source
    assert "minimal_detectable_difference(" in source and "1 seed" in source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_charts_are_those_of_the_library(path: Path) -> None:
    """No chart of pandas or matplotlib, which know neither the looks of names nor a dark page."""
    source = "\n".join(source for _, source in _code(_read(path)))
    assert "matplotlib" not in source and not re.search(r"\.plot\b", source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_formulas_are_latex(path: Path) -> None:
    """No tags that imitate mathematics, and every `$` has its partner in the same cell."""
    for number, cell in enumerate(_read(path).cells):
        if cell.cell_type == "markdown":
            plain = re.sub("`[^`]*`", "", cell.source)
            assert not re.search(r"</?(i|sub|sup)>", plain), f"cell {number}"
            assert plain.count("$") % 2 == 0, f"cell {number}"
    words = re.findall(r"[_^]\{[A-Za-z]{2,}\}", _text(_read(path)))
    assert not words, "words in a subscript are upright: italic letters are a product"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_tables_name_functions_that_exist_and_are_tested(path: Path) -> None:
    """The last word of every function's name occurs in a test."""
    _, heading, table = _text(_read(path)).partition("\n## Equations and functions\n")
    assert heading
    rows = re.findall(r"^\|.*\| `([\w.]+)` \|$", table, re.MULTILINE)
    lines = [line for line in table.split("\n## ")[0].splitlines() if line.startswith("|")]
    assert rows and len(rows) == len(lines) - 2, "every row has a function"
    for function in rows:
        assert pkgutil.resolve_name(f"spa_lab.{function}") is not None
        assert re.search(rf"\b{function.split('.')[-1]}\b", _all_tests()), function


@cache
def _all_tests() -> str:
    paths = (path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@pytest.mark.skipif(BROWSER, reason="they run in a real JupyterLab, see browser/test_lessons.py")
def test_all_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each does its stage in the shared run folder, prints nothing on stderr and writes what it promises."""
    _prepare(tmp_path, monkeypatch)
    for path in NOTEBOOKS:
        notebook = _execute(path, tmp_path / "notebooks")
        assert _stderr(notebook) == [], path.stem
        if path.stem in AGENT:
            missing = [name for name in _promised_files(notebook) if not _in_run(tmp_path, name)]
            assert missing == [], path.stem
    run = Run.open(tmp_path / "runs/notebooks-household-lesson")
    cloned = run.load_trajectories("eval-cloned-unseen")
    assert any(trajectory.success for trajectory in cloned), "the clone learnt nothing"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, KernelManager]]:
    """A folder, and a kernel that is emptied before each notebook: a quarter of the time were imports."""
    folder, kernel = tmp_path_factory.mktemp("worlds"), KernelManager(kernel_name="python3")
    with pytest.MonkeyPatch.context() as patch:
        _prepare(folder, patch)
        yield folder, kernel
    if kernel.has_kernel:
        kernel.shutdown_kernel(now=True)


@pytest.mark.parametrize("env", OTHER_WORLDS)
@pytest.mark.parametrize("stems", [AGENT, READING], ids=["agent", "reading"])
def test_run_in_the_other_worlds(env: str, stems: Sequence[str], shared: tuple[Path, KernelManager]) -> None:
    folder, kernel = shared
    for stem in stems:
        path = ROOT / "notebooks" / f"{stem}.ipynb"
        notebook = _execute(path, folder / "notebooks", env, kernel)
        assert _stderr(notebook) == [], stem
    if stems is AGENT:
        run = Run.open(folder / f"runs/notebooks-{env}-lesson")
        assert {trajectory.env for trajectory in run.load_trajectories("eval-spa-unseen")} == {env}


def test_a_log_of_any_format_without_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _prepare(tmp_path, monkeypatch)
    chat = [{"role": "user", "content": "Open the box."}, {"role": "assistant", "content": "open box"}]
    log = tmp_path / "runs/own/log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps([{"messages": chat}, {"messages": [*chat, *chat]}], indent=1))
    notebook = _execute(ROOT / "notebooks/06_inspect_your_own.ipynb", tmp_path / "notebooks")
    assert _stderr(notebook) == []
    assert Run.open(tmp_path / "runs/own/with-credit").trajectory_sets()


def _prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(folder / name))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)


def _execute(
    path: Path, folder: Path, env: str = "household", kernel: KernelManager | None = None
) -> NotebookNode:
    """Run a notebook in a world, in a kernel of its own or with the modules that `kernel` has imported."""
    notebook = _read(path)
    if kernel is not None:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(EMPTY))
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = cell.source.replace('ENV = "household"', f"ENV = {env!r}")
            if path.stem in AGENT:
                shrink(cell)
            assert env == "household" or f"ENV = {env!r}" in cell.source
    client = NotebookClient(notebook, km=kernel, timeout=900, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    finally:
        if kernel is not None and client.kc is not None:
            client.kc.stop_channels()  # the client leaves a kernel that it did not start alone
    return notebook


def _stderr(notebook: NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.text for output in outputs if output.get("name") == "stderr"]


def _in_run(folder: Path, pattern: str) -> bool:
    return any((folder / "runs/notebooks-household-lesson").glob(pattern.rstrip("/")))

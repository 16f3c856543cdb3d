"""The structure of the project: which package may import which, sizes, and what no file may contain."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from spa_lab.store import Run
from spa_lab.types import Trajectory

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spa_lab"

GROUND = frozenset(
    {"types", "matching", "react", "rewards", "advantages", "alarms", "stats", "store", "configs", "plugins"}
)
"""Modules at the bottom: they import only one another, and every package may import them."""
MAY_IMPORT: dict[str, frozenset[str]] = {
    "types": frozenset(),
    "plugins": frozenset(),
    "paths": frozenset(),
    "matching": GROUND,
    "react": GROUND,
    "rewards": GROUND,
    "advantages": GROUND,
    "alarms": frozenset(),
    "stats": GROUND,
    "store": GROUND,
    "configs": GROUND,
    "envs": GROUND | {"paths"},
    "agent": GROUND | {"paths", "envs.base", "envs.episode"},
    # these know the protocol of worlds, and no world
    "learn": GROUND | {"agent", "envs.base", "credit", "truth"},
    "truth": GROUND | {"agent", "envs.base", "envs.episode"},
    "credit": GROUND | {"agent", "envs.base"},
    "view": GROUND | {"paths", "importers"},
    "importers": GROUND,
    "exporters": GROUND,
    "exercises": GROUND,
    "widgets": frozenset({"view"}),
}
"""Package -> what it may import besides itself; everything may import the package's `__version__`."""
COMPOSERS = frozenset({"", "pipeline", "cli", "commands", "doctor", "pretrain"})
"""May import everything; only composers may import them. "" is `spa_lab/__init__.py`, the public API."""
WORLDS = frozenset({"household", "webshop", "virtualhome"})
TORCH_FREE = GROUND | {
    "paths", "envs", "view", "importers", "exporters", "exercises", "widgets", "cli",
    "commands", "",
}  # fmt: skip
TORCH_FREE_MODULES = frozenset(
    {"pipeline", "pipeline.sources", "pipeline.advantages", "pipeline.trackers", "learn", "learn.methods"}
)
"""Tables and package docstrings that the command line reads before it needs torch."""
WITH_TORCH = frozenset({"torch", "transformers", "tokenizers", "safetensors", "peft"})
"""What only the extra `train` (or `paper`) installs."""
MAX_LINES, MAX_FUNCTION_LINES = 400, 50
"""A guard, not a target: the rule is one concept per file."""

MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IGNORED = frozenset(line.strip("/") for line in (ROOT / ".gitignore").read_text().split())


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _dotted(path: Path) -> str:
    """The module's name without the package's: "envs.household.world"; "" for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


NAMES = frozenset(_dotted(path) for path in MODULES)


def _is_torch_free(name: str) -> bool:
    return name.partition(".")[0] in TORCH_FREE or name in TORCH_FREE_MODULES


def _nodes(tree: ast.AST, *, types_only: bool) -> Iterator[ast.AST]:
    """Every node; blocks under `if TYPE_CHECKING`, which never run, only with `types_only`."""
    yield tree
    is_type_block = isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test)
    children = tree.orelse if is_type_block and not types_only else ast.iter_child_nodes(tree)  # type: ignore
    for child in children:
        yield from _nodes(child, types_only=types_only)


def _imports(tree: ast.AST, *, types_only: bool = True) -> Iterator[str]:
    """Full name of everything imported anywhere in the file, functions included."""
    for node in _nodes(tree, types_only=types_only):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_module(name: str) -> str | None:
    """The module of ours that importing `name` needs, or None for another package's."""
    first, _, rest = name.partition(".")
    if first != "spa_lab":
        return None
    while rest and rest not in NAMES:
        rest = rest.rpartition(".")[0]  # the last part names something in a module
    return rest


def _permitted(here: str, there: str) -> bool:
    package, other = here.partition(".")[0], there.partition(".")[0]
    if not there or package in COMPOSERS:
        return True
    if package == other:
        worlds = {name.split(".")[1] for name in (here, there) if name.count(".")} & WORLDS
        return len(worlds) < 2
    return any(there == name or there.startswith(f"{name}.") for name in MAY_IMPORT[package])


def _check_imports_follow_the_table(path: Path) -> None:
    here = _dotted(path)
    package = here.partition(".")[0]
    assert package in MAY_IMPORT or package in COMPOSERS, f"{package} is in no row of the table"
    for name in _imports(_tree(path)):
        there = _own_module(name)
        assert there is None or _permitted(here, there), f"{here} imports {name}"
        if _is_torch_free(here) and here:  # the public API names functions that need torch
            assert name.partition(".")[0] not in WITH_TORCH, f"{here} imports {name}"


def test_no_import_cycles_even_inside_functions() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        here = _dotted(path)
        tree = _tree(path)
        targets = {_own_module(name) for name in _imports(tree, types_only=False)}
        graph[here] = {name for name in targets if name and name != here}
    graph.pop("")  # its names are imported when they are used, and nothing imports them from there
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ("envs.household.world", "envs.base", True),
        ("envs.household.world", "envs.webshop.pages", False),
        ("envs.household.world", "agent.rollout", False),
        ("agent.rollout", "envs.base", True),
        ("agent.rollout", "envs.household.world", False),
        ("learn.ppo", "pipeline", False),
        ("view.tables.frames", "learn.ppo", False),
        ("types", "stats", False),
        ("types", "view.charts.credit", False),
        ("types", "view.html.objects", False),
        ("store.run", "view.html.objects", False),
        ("configs.presets", "rewards", True),
        ("types", "", True),
        ("cli", "pipeline", True),
        ("view.charts", "pipeline", False),
    ],
)
def test_the_table_refuses(here: str, there: str, expected: bool) -> None:
    assert _permitted(here, there) is expected


def test_torch_free_packages_import_without_torch(trajectory: Trajectory, tmp_path: Path) -> None:
    """Where torch cannot be imported every torch-free package imports, and a saved run opens.

    So do the imports of the notebooks that docs/install.md names for an installation without torch.
    """
    Run.create(tmp_path / "run", {}, seed=0).save_trajectories("seen", [trajectory])
    names = [f"spa_lab.{name}".rstrip(".") for name in sorted(NAMES) if _is_torch_free(name)]
    program = (
        "import importlib, sys\n"
        f"for name in {sorted(WITH_TORCH)}: sys.modules[name] = None\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "from spa_lab.store import Run\n"
        f"print(len(Run.open({str(tmp_path / 'run')!r}).load_trajectories('seen')))\n"
        f"for cell in {_light_imports()!r}: exec(cell, {{}})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def _light_imports() -> list[str]:
    """First code cells of the notebooks that run without torch."""
    named = re.search(r"Notebooks ([\w, ]+) and (\w+) run there", (ROOT / "docs/install.md").read_text())
    assert named
    cells = []
    for number in (*named[1].split(", "), named[2]):
        (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        cells.append("".join(code[0]["source"]))
    return cells


def _check_file_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{node.name}: {length} lines"


def test_every_folder_is_a_package_with_a_docstring() -> None:
    for folder in sorted({path.parent for path in MODULES}):
        init = folder / "__init__.py"
        assert init.is_file(), f"{folder.name} has no __init__.py"
        assert ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), f"{folder.name}: no docstring"


def _check_no_pickle_and_no_remote_code(path: Path) -> None:
    tree = _tree(path)
    assert not {"joblib.load", "joblib.dump", "joblib.Memory"} & set(_imports(tree))
    assert not {name.partition(".")[0] for name in _imports(tree)} & {"pickle", "dill", "shelve"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            pickling = {"torch.load", "torch.save", "joblib.load", "joblib.dump"}
            assert called not in pickling, f"line {node.lineno}: {called} pickles"
        if isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
            assert ast.unparse(node.value) == "False", f"line {node.value.lineno}: {node.arg}"


def _check_no_global_seed(path: Path) -> None:
    """Global generators are never seeded, except inside `torch.random.fork_rng`, which restores them."""
    tree = _tree(path)
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With)]
    forks = [node for node in blocks if any("fork_rng" in ast.unparse(item) for item in node.items)]
    forked = {id(inner) for fork in forks for inner in ast.walk(fork)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in forked:
            called = ast.unparse(node.func)
            assert called not in {"random.seed", "torch.manual_seed", "np.random.seed"}, f"line {node.lineno}"


def _check_double_precision_is_made_on_the_cpu(path: Path) -> None:
    """A Mac's device has no float64: `.cpu().double()` works there, `.double().cpu()` does not."""
    assert ".double().cpu()" not in ast.unparse(_tree(path))


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_a_module_keeps_the_rules(path: Path) -> None:
    """One test a module: there are so many that five each would cost seconds."""
    _check_imports_follow_the_table(path)
    _check_file_and_functions_are_short(path)
    _check_no_pickle_and_no_remote_code(path)
    _check_no_global_seed(path)
    _check_double_precision_is_made_on_the_cpu(path)


def _project_files() -> list[Path]:
    """Every text file of the project that git does not ignore."""
    files = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part == ".git" or part in IGNORED or part.endswith(".egg-info") for part in parts)
        if not hidden and path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            files.append(path)
    return files


def test_no_absolute_path_of_a_machine() -> None:
    # assembled from pieces, so that this file does not match
    absolute = re.compile(r"(?<![\w.$}>/-])/(?:wo" + "rk|ro" + "ot|ho" + r"me|Us" + r"ers)/\w")
    lines = [
        f"{path.relative_to(ROOT)}:{line_number}: {line.strip()[:80]}"
        for path in _project_files()
        for line_number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if absolute.search(line)
    ]
    assert lines == []


def _requirements() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["train"], *extras["dev"]]
    return dict(re.fullmatch(r"([\w-]+)(>=[\d.]+)", line).groups() for line in lines) | {
        "python": project["requires-python"]
    }


def test_environment_agrees_with_pyproject() -> None:
    text = (ROOT / "environment.yml").read_text()
    conda = dict(re.findall(r"^ +- ([\w-]+)(>=[\d.]+)$", text, re.MULTILINE))
    conda["torch"] = conda.pop("pytorch")
    assert conda == _requirements()


def test_constraints_pin_every_requirement() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([\d.]+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    for name, bound in _requirements().items():
        if name != "python":
            low = [int(part) for part in bound.removeprefix(">=").split(".")]
            assert [int(part) for part in pins[name].split(".")] >= low, name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stripped_and_short(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3", "Lab would ask for a kernel"
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    for index, cell in enumerate(cells):
        lines = "".join(cell["source"]).splitlines()
        assert cell["outputs"] == [] and cell["execution_count"] is None, f"code cell {index} has output"
        work = [line for line in lines if line and not line.startswith(("import ", "from "))]
        assert len(work) <= 15, f"code cell {index}: {len(work)} lines without imports"
        assert not [line for line in lines if re.match(r"\s*(!|%pip|%conda)", line)], f"code cell {index}"

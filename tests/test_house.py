"""House rules: which room may import what, how long things are, what no file may contain."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from spa_lab.store import Run
from spa_lab.types import Trajectory

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spa_lab"

HALL = frozenset({"types", "react", "rewards", "advantages", "stats", "store", "configs", "plugins"})
MAY_IMPORT: dict[str, frozenset[str]] = {
    "": frozenset({"view.widgets.inspect", "view.register"}),
    "types": frozenset(),
    "react": HALL,
    "rewards": HALL,
    "stats": HALL,
    "advantages": HALL,
    "configs": HALL,
    "plugins": frozenset(),
    "widgets": frozenset({"view"}),
    "store": HALL,
    "paths": frozenset(),
    "envs": HALL | {"paths"},
    "agent": HALL | {"paths", "envs.base"},
    # neither knows a world: the protocol, and trajectories marked with what to imitate
    "learn": HALL | {"agent", "envs.base", "credit"},
    "truth": HALL | {"agent", "envs.base"},
    "credit": HALL | {"agent", "envs.base"},
    "view": HALL | {"paths"},
    "importers": HALL,
    "exercises": HALL,
}
"""Room -> what it may import besides itself; the package's own `__version__` is free to all."""
COMPOSERS = frozenset({"pipeline", "cli", "doctor", "pretrain"})
"""May import everything; nobody may import them but one another."""
WORLDS = frozenset({"household", "webshop", "virtualhome"})
TORCH_FREE = HALL | {"paths", "envs", "view", "importers", "exercises", "cli", "widgets"}
WITH_TORCH = frozenset({"torch", "transformers"})

MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IGNORED = frozenset(line.strip("/") for line in (ROOT / ".gitignore").read_text().split())


def _dotted(path: Path) -> str:
    """The module's name without the package's: "envs.household.world"; "" for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


NAMES = frozenset(_dotted(path) for path in MODULES)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Full name of everything imported anywhere in the file, functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_module(name: str) -> str | None:
    """The module of ours that importing `name` needs, or None for somebody else's."""
    first, _, rest = name.partition(".")
    if first != "spa_lab":
        return None
    while rest and rest not in NAMES:
        rest = rest.rpartition(".")[0]  # the last part names something in a module
    return rest


def _permitted(here: str, there: str) -> bool:
    room, other = here.partition(".")[0], there.partition(".")[0]
    if not there or room in COMPOSERS:
        return True
    if room == other:
        worlds = {name.split(".")[1] for name in (here, there) if name.count(".")} & WORLDS
        return len(worlds) < 2
    return any(there == name or there.startswith(f"{name}.") for name in MAY_IMPORT[room])


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_imports_keep_to_the_rooms(path: Path) -> None:
    here = _dotted(path)
    room = here.partition(".")[0]
    assert not room or room in MAY_IMPORT or room in COMPOSERS, f"{room} is in no row of the table"
    for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
        there = _own_module(name)
        assert there is None or _permitted(here, there), f"{here} imports {name}"
        if room in TORCH_FREE:
            assert name.partition(".")[0] not in WITH_TORCH, f"{here} imports {name}"


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
        ("types", "view.charts.figures", False),
        ("types", "view.html.objects", False),
        ("types", "", True),
        ("cli", "pipeline", True),
    ],
)
def test_the_table_says_no(here: str, there: str, expected: bool) -> None:
    assert _permitted(here, there) is expected


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_the_hall_looks_only_when_asked(path: Path) -> None:
    """Importing types, store, ... imports nothing that looks."""
    if _dotted(path).partition(".")[0] in HALL | {""}:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        assert not [name for name in _imports(top) if name.startswith("spa_lab.view")]


def test_looking_needs_no_torch(trajectory: Trajectory, tmp_path: Path) -> None:
    """Where torch cannot be imported every torch-free room imports, and a saved run opens."""
    Run.create(tmp_path / "run", {}, seed=0).save_trajectories("seen", [trajectory])
    names = [f"spa_lab.{name}" for name in sorted(NAMES) if name.partition(".")[0] in TORCH_FREE]
    program = (
        "import importlib, sys\n"
        f"for name in {sorted(WITH_TORCH)}: sys.modules[name] = None\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "from spa_lab.store import Run\n"
        f"print(len(Run.open({str(tmp_path / 'run')!r}).load_trajectories('seen')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 320
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 50, f"{node.name}: {length} lines"


def test_every_room_is_a_package() -> None:
    """The docstring in `__init__.py` says what the room is for."""
    folders = {path.parent for path in MODULES}
    assert [folder.name for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_nothing_pickled_and_no_code_from_strangers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not {name.partition(".")[0] for name in _imports(tree)} & {"pickle", "dill", "joblib", "shelve"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"torch.load", "torch.save"}, f"line {node.lineno}: {called} pickles"
        if isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
            assert ast.unparse(node.value) == "False", f"line {node.value.lineno}: {node.arg}"


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_no_global_seed(path: Path) -> None:
    """Global generators are left alone, but for a fork of torch's that is put back afterwards."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With)]
    forks = [node for node in blocks if any("fork_rng" in ast.unparse(item) for item in node.items)]
    forked = {id(inner) for fork in forks for inner in ast.walk(fork)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in forked:
            called = ast.unparse(node.func)
            assert called not in {"random.seed", "torch.manual_seed", "np.random.seed"}, f"line {node.lineno}"


def _project_files() -> list[Path]:
    """Every text file of the project, what git ignores left out."""
    files = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part == ".git" or part in IGNORED or part.endswith(".egg-info") for part in parts)
        if not hidden and path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            files.append(path)
    return files


def test_no_file_names_somebodys_machine() -> None:
    # put together from pieces, or this file would accuse itself
    absolute = re.compile(r"(?<![\w.$}>/-])/(?:wo" + "rk|ro" + "ot|ho" + r"me|Us" + r"ers)/\w")
    found = []
    for path in _project_files():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if absolute.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def _requirements() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return dict(re.fullmatch(r"([\w-]+)(>=[\d.]+)", line).groups() for line in lines) | {
        "python": project["requires-python"]
    }


def test_environment_has_the_bounds_of_pyproject() -> None:
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


def test_readme_keeps_its_word() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    tree = set(re.findall(r"^  (\w+)(?:/|\.py) ", readme, re.MULTILINE))
    assert {name.partition(".")[0] for name in NAMES} - {""} <= tree
    assert re.search(r"^## Tests\n\n```\nmake test\n```", readme, re.MULTILINE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stripped_and_short(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3", "Lab would ask for a kernel"
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    for number, cell in enumerate(cells):
        lines = "".join(cell["source"]).splitlines()
        assert cell["outputs"] == [] and cell["execution_count"] is None, f"code cell {number} has output"
        work = [line for line in lines if line and not line.startswith(("import ", "from "))]
        assert len(work) <= 15, f"code cell {number}: {len(work)} lines without imports"
        assert not [line for line in lines if re.match(r"\s*(!|%pip|%conda)", line)], f"code cell {number}"

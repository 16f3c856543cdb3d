"""The public API: every name resolves, is documented, and is visible to type checkers."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import spa_lab

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", spa_lab.__all__)
def test_each_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(spa_lab, name)
    assert isinstance(value, ModuleType) or callable(value)
    assert len(inspect.getdoc(value) or "") > 15
    assert name in dir(spa_lab)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'spa_lab' has no attribute 'nothing'"):
        _ = spa_lab.nothing


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(spa_lab.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node)
    ]
    declared = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names:
            declared[alias.asname] = f"{node.module}.{alias.name}"
    sources = {name: f"spa_lab.{path.replace(':', '.')}" for name, path in spa_lab._SOURCES.items()}
    assert declared == sources


def test_the_page_describes_every_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)", page, re.MULTILINE) == spa_lab.__all__


def test_import_is_light() -> None:
    program = (
        "import sys, spa_lab\n"
        "assert not {'torch', 'numpy', 'pandas', 'plotly', 'ipywidgets'} & set(sys.modules)\n"
        "spa_lab.Trajectory, spa_lab.Run, spa_lab.Preset, spa_lab.make_environment('household')\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

"""Docstrings of the package as text for pages: paragraphs, formulas, and what code a docstring belongs to.

Nothing here imports the code that it reads, so that a page about a method needs no torch.
"""

import ast
import html
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

Documented = ast.Module | ast.ClassDef | ast.FunctionDef
_FORMULA = re.compile(r"[A-Za-z]\w*(?:\^|_\{[^}]*\})?(?:\([^)]*\))? = ")
_GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "lambda": "λ", "lam": "λ", "delta": "δ", "pi": "π"}
_SUBSCRIPT = re.compile(r"(?<![\w`])([A-Za-zα-ωΣ]+)_(?:\{([^}]*)\}|(\w{1,3})\b)")  # "base_value" is a name


class Parts(NamedTuple):
    """A docstring, taken apart."""

    summary: str
    """Its first paragraph; "" if that is a formula."""
    formulas: tuple[str, ...]
    """Paragraphs that begin with a formula, line breaks kept."""
    text: tuple[str, ...]
    """The other paragraphs, on one line each."""
    cost: str
    """What follows "Cost:"; "" without it."""
    fails: str
    """The paragraph that begins with "Fails where"; "" without it."""


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_file(name: str) -> Path:
    """The file of a module: "spa_lab.learn.ppo"."""
    path = ROOT / Path(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def find(module: str, name: str) -> ast.stmt | None:
    """The class, function or assignment of that name at the top of a module; None without one."""
    for node in tree(module_file(module)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
            return node
    return None


def imported_from(module: str, name: str) -> str | None:
    """The module that `module` imports `name` from; None if it does not import it."""
    for node in ast.walk(tree(module_file(module))):
        if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
            return node.module
    return None


def constants(module: str) -> Iterator[tuple[str, str, str]]:
    """Name, value and docstring of the constants of a module: names in capitals, literal values."""
    body = tree(module_file(module)).body
    for node, below in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.Assign) or not _is_literal(node.value):
            continue
        doc = _text_of(below) if below is not None else ""
        target = node.targets[0]
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for one, value in zip(names, values, strict=False):
            if ast.unparse(one).isupper() and not ast.unparse(one).startswith("_"):
                yield ast.unparse(one), ast.unparse(value), doc


def docstring(node: ast.AST | None) -> str:
    """The docstring of a module, class or function, cleaned; "" without one."""
    return (ast.get_docstring(node) or "") if isinstance(node, Documented) else ""


def doc_of_constant(module: str, name: str) -> str:
    """The string below an assignment at the top of a module; "" without one."""
    body = tree(module_file(module)).body
    for node, below in pairwise(body):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return _text_of(below)
    return ""


def take_apart(text: str) -> Parts:
    """Summary, formulas, prose, cost and failures of a docstring; Google-style sections are left out."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    sections = ("Args:", "Returns:", "Raises:", "Yields:", "Example")
    kept = [part for part in paragraphs if not part.startswith(sections)]
    lines = {part: " ".join(part.split()) for part in kept}
    cost = next((lines[part] for part in kept if part.startswith("Cost: ")), "")
    fails = next((lines[part] for part in kept if part.startswith("Fails where ")), "")
    formulas = tuple(part for part in kept if _FORMULA.match(part))
    rest = [part for part in kept[1:] if part not in formulas and lines[part] not in (cost, fails)]
    summary = lines[kept[0]] if kept and kept[0] not in formulas else ""
    text = tuple(lines[part] for part in rest)
    return Parts(summary, formulas, text, _capitalised(cost.removeprefix("Cost: ")), fails)


def formula_html(text: str) -> str:
    """A formula of a docstring as HTML: subscripts, Greek letters, and the source that a line names apart."""
    rows = []
    for line in text.splitlines():
        formula, _, source = line.strip().partition("   ")
        rows.append(
            f"<div><span>{_mathematical(formula)}</span><cite>{html.escape(source.strip())}</cite></div>"
        )
    return f'<div class="formula">{"".join(rows)}</div>'


def _mathematical(formula: str) -> str:
    """Escaped text with subscripts, sums, powers and Greek letters; what stands in backticks is code."""
    pieces = html.escape(formula, quote=False).split("`")
    pieces[::2] = [_with_symbols(piece) for piece in pieces[::2]]
    pieces[1::2] = [f"<code>{piece}</code>" for piece in pieces[1::2]]
    return "".join(pieces)


def _with_symbols(text: str) -> str:
    for word, letter in _GREEK.items():
        text = re.sub(rf"(?<![A-Za-z_]){word}(?![A-Za-z])", letter, text)
    text = re.sub(r"\bsum_(\w)\b", r"Σ_\1", text)
    text = re.sub(r"\^(\d+)|\^\(([^)]*)\)", lambda m: f"<sup>{m[1] or m[2]}</sup>", text)
    text = text.replace("R^", "R̂").replace(" * ", " · ").replace(" - ", " − ")
    return _SUBSCRIPT.sub(_subscript, text)


def _subscript(match: re.Match[str]) -> str:
    below = (match[2] or match[3]).replace("-", "−")
    return f"<i>{match[1]}</i><sub>{below}</sub>"


def _is_literal(node: ast.expr) -> bool:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return all(isinstance(part, ast.Constant) or _is_power(part) for part in parts)


def _is_power(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _text_of(node: ast.stmt) -> str:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return " ".join(str(node.value.value).split()) if is_text else ""  # type: ignore[attr-defined]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]

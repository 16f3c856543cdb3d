"""Docstrings as they are written here, plain text with backticks, made into reStructuredText.

Formulas stand in lines of their own and hold characters that are markup there.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import _make_subclass, _MockObject

from website.docstrings import formula_html

_FORMULA = re.compile(r"\s*[A-Za-zŝ^]\w*(?:\^|_\{[^}]*\})?(?:\([^)]*\))? = ")
_MARKUP = re.compile(r"(\*(?=\S)|\||(?<=\w)_(?=\W|$))")  # "* " begins an item, or is a product


def as_restructured_text(lines: list[str]) -> list[str]:
    """Lines of a docstring with formulas as HTML, as on method cards, and other markup escaped.

    Args:
        lines: without indentation.
    """
    paragraphs = re.split(r"\n(?=\s*\n)", "\n".join(lines))
    changed, literal = [], False
    for paragraph in paragraphs:
        body = paragraph.strip("\n")
        if literal and body.startswith((" ", "\t")):  # an example after "::"
            changed.append(paragraph)
            continue
        literal = body.endswith("::")
        if _FORMULA.match(body):
            indent = re.match(r"\s*", body)
            space = indent[0] if indent else ""
            changed.append(f"\n{space}.. raw:: html\n\n{space}   {formula_html(body)}\n")
        else:
            changed.append(_escaped(paragraph))
    return "\n".join(changed).split("\n")


def _escaped(text: str) -> str:
    """Text with what would be markup escaped outside of backticks."""
    pieces = text.split("`")
    pieces[::2] = [_MARKUP.sub(r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def _process(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    if lines and lines[0].startswith("Alias for field number"):  # of a field without a docstring
        lines.clear()
    lines[:] = as_restructured_text(lines)
    if what in ("attribute", "data", "property"):
        # napoleon takes what stands before a colon in the first line for a type: let that be an empty comment
        lines[:0] = ["..", ""]


def _either(imitated: Any, other: Any) -> Any:
    """An imitated class or another one, in annotations: an imitation that shows both names."""
    name = "None" if other is None else getattr(other, "__qualname__", None) or type(other).__qualname__
    shown = imitated.__qualname__ if isinstance(imitated, type) else type(imitated).__qualname__
    return _make_subclass(f"{shown} | {name}", imitated.__module__)()


def setup(app: Sphinx) -> dict[str, bool]:
    """Run before napoleon, which reads the sections."""
    _MockObject.__or__ = _MockObject.__ror__ = _either  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

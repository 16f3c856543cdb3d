"""Mathematics as MathML: browsers show it without a script, a font or a network."""

import html
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def to_mathml(latex: str, *, display: bool) -> str:
    """A LaTeX formula as MathML; raises ValueError that names it if it cannot be converted."""
    try:
        return str(convert(latex, display="block" if display else "inline"))
    except Exception as error:
        raise ValueError(f"no MathML for {latex!r}: {type(error).__name__} {error}") from error


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(to_mathml(node.astext(), display=False))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    label = html.escape(node["label"], quote=True) if node.get("label") else ""
    attribute = f' id="equation-{label}"' if label else ""
    translator.body.append(f'<div class="math"{attribute}>{to_mathml(node.astext(), display=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer, and choose it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}

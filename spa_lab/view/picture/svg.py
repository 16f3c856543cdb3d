"""A scene as SVG. Colours are attributes, for any program; a style sheet replaces them on dark pages."""

import json
from collections.abc import Mapping
from typing import Any

from spa_lab.view import style
from spa_lab.view.html.markup import safe
from spa_lab.view.picture.scene import Box, Line, Polygon, Scene, Shape, Words
from spa_lab.view.text import one_line

SCALE = 1.5
"""Pixels per point of the drawing's natural size."""
_DARK_PAGES = (
    '[data-jp-theme-light="false"] .spa-picture',
    ".vscode-dark .spa-picture",
    ".spa-lab.dark .spa-picture",
)
"""Where a notebook or a saved page is dark; the same as in html/look.css."""


def svg(scene: Scene, provenance: Mapping[str, Any] | None = None) -> str:
    """A file of its own: dark where the reader's system is, on a ground of its own in any case."""
    inner = f"@media (prefers-color-scheme: dark) {{ {_dark(['.spa-picture'])} }}"
    return _document(scene, inner, provenance) + "\n"


def inline_svg(scene: Scene) -> str:
    """A part of a page: dark where the notebook or the page is, whatever the system's setting."""
    return _document(scene, _dark(list(_DARK_PAGES)), None)


def _document(scene: Scene, css: str, provenance: Mapping[str, Any] | None) -> str:
    width, height = f"{scene.width:g}", f"{scene.height:g}"
    known = f"<metadata>{safe(json.dumps(provenance, sort_keys=True))}</metadata>" if provenance else ""
    ground = Box(0, 0, scene.width, scene.height, style.WHITE)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="spa-picture" viewBox="0 0 {width} {height}" '
        f'width="{scene.width * SCALE:g}" height="{scene.height * SCALE:g}" role="img" '
        f'style="max-width:100%;height:auto" font-family="{style.SCREEN_FONT}">'
        f"<title>{_text(scene.title)}</title><desc>{_text(scene.description)}</desc>{known}"
        f"<style>{css}</style>{''.join(map(_shape, (ground, *scene.shapes)))}</svg>"
    )


def _dark(pages: list[str]) -> str:
    """Rules that replace every colour by its counterpart on a dark ground."""
    rules = []
    for light, dark in style.DARK.items():
        for kind, what in (("f", "fill"), ("s", "stroke")):
            where = ", ".join(f"{page} .{kind}{light[1:]}" for page in pages)
            rules.append(f"{where} {{ {what}: {dark} }}")
    return " ".join(rules)


def _shape(shape: Shape) -> str:
    if isinstance(shape, Words):
        bold = ' font-weight="bold"' if shape.bold else ""
        return (
            f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" font-size="{shape.size:g}" '
            f'text-anchor="{shape.anchor}"{bold}{_paint(shape.colour)}>{_text(shape.text)}</text>'
        )
    if isinstance(shape, Box):
        corner = f' rx="{shape.radius:g}"' if shape.radius else ""
        return (
            f'<rect x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}" '
            f'height="{shape.height:.2f}"{corner}{_paint(shape.fill, shape.stroke, shape.line)}/>'
        )
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in shape.points)
    if isinstance(shape, Polygon):
        return f'<polygon points="{points}"{_paint(shape.fill, shape.stroke, shape.width)}/>'
    assert isinstance(shape, Line)
    return f'<polyline points="{points}"{_paint("", shape.stroke, shape.width)}/>'


def _paint(fill: str, stroke: str = "", width: float = 0.0) -> str:
    """Attributes of the colours, and the classes by which a style sheet finds them."""
    names = [f"f{fill[1:]}"] * bool(fill) + [f"s{stroke[1:]}"] * bool(stroke)
    line = f' stroke="{stroke}" stroke-width="{width:g}"' if stroke else ""
    return f' class="{" ".join(names)}" fill="{fill or "none"}"{line}'


def _text(text: str) -> str:
    return safe(one_line(text))

r"""A scene as TikZ: one `tikzpicture` to `\input`, set in the fonts of the paper that includes it.

Needs `\usepackage{tikz}` and `\usepackage[T1]{fontenc}`, no TikZ library. The width is fixed in points, and
the words keep their size, so the picture should be made for the width of the text instead of being scaled.
"""

import json
from collections.abc import Mapping
from typing import Any

from spa_lab.view.paper.latex import escaped
from spa_lab.view.picture.scene import Box, Line, Polygon, Scene, Shape, Words

_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(scene: Scene, provenance: Mapping[str, Any] | None = None) -> str:
    """The picture, after one comment with its provenance."""
    colours = sorted({colour for shape in scene.shapes for colour in _colours(shape)})
    return "\n".join(
        [
            f"% {json.dumps(provenance or {}, sort_keys=True)}",
            r"% \usepackage{tikz} \usepackage[T1]{fontenc}",
            r"\begin{tikzpicture}[x=1bp,y=-1bp,inner sep=0pt,outer sep=0pt]",
            *(rf"\definecolor{{spa{colour[1:]}}}{{HTML}}{{{colour[1:].upper()}}}" for colour in colours),
            rf"\path[use as bounding box] (0,0) rectangle ({scene.width:g},{scene.height:g});",
            *map(_shape, scene.shapes),
            r"\end{tikzpicture}%",
            "",
        ]
    )


def _colours(shape: Shape) -> list[str]:
    if isinstance(shape, Words):
        return [shape.colour]
    stroke = [shape.stroke] if shape.stroke else []
    return stroke if isinstance(shape, Line) or not shape.fill else [shape.fill, *stroke]


def _shape(shape: Shape) -> str:
    if isinstance(shape, Words):
        face = r"\bfseries" if shape.bold else ""
        font = rf"\fontsize{{{shape.size:g}}}{{{1.2 * shape.size:g}}}\selectfont{face}"
        return (
            rf"\node[anchor={_ANCHORS[shape.anchor]},font={font},text={_name(shape.colour)}] "
            rf"at {_at(shape.x, shape.y)} {{{escaped(shape.text)}}};"
        )
    if isinstance(shape, Box):
        corners = f"rounded corners={shape.radius:g}bp," if shape.radius else ""
        far = _at(shape.x + shape.width, shape.y + shape.height)
        return rf"\path[{corners}{_paint(shape)}] {_at(shape.x, shape.y)} rectangle {far};"
    path = " -- ".join(_at(*point) for point in shape.points)
    return rf"\path[{_paint(shape)}] {path}{' -- cycle' if isinstance(shape, Polygon) else ''};"


def _paint(shape: Box | Polygon | Line) -> str:
    width = shape.line if isinstance(shape, Box) else shape.width
    fill = "" if isinstance(shape, Line) or not shape.fill else f"fill={_name(shape.fill)}"
    stroke = f"draw={_name(shape.stroke)},line width={width:g}bp" if shape.stroke else ""
    return ",".join(filter(None, (fill, stroke)))


def _name(colour: str) -> str:
    return f"spa{colour[1:]}"


def _at(x: float, y: float) -> str:
    return f"({x:.2f},{y:.2f})"

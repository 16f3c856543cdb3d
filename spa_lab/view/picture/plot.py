"""A scene as a matplotlib figure of the same size, for PDF and PNG."""

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from matplotlib.patches import Polygon as Outline
from matplotlib.transforms import Affine2D, Transform

from spa_lab.view import style
from spa_lab.view.picture.scene import Box, Line, Polygon, Scene, Words

_ALIGNED = {"start": "left", "middle": "center", "end": "right"}


def plot(scene: Scene) -> Figure:
    """The scene on a white page; text is text, and never parsed as mathematics."""
    with rc_context(style.PAPER_RC):
        figure = Figure(figsize=(scene.width / 72, scene.height / 72))
        place = Affine2D().scale(1 / scene.width, -1 / scene.height).translate(0, 1)
        for order, shape in enumerate(scene.shapes):
            if isinstance(shape, Words):
                x, y = place.transform((shape.x, shape.y))
                figure.text(
                    x, y, shape.text, size=shape.size, color=shape.colour,
                    weight="bold" if shape.bold else "normal", ha=_ALIGNED[shape.anchor], va="baseline",
                    zorder=order,
                )  # fmt: skip
            else:
                figure.add_artist(_artist(shape, place + figure.transFigure)).set_zorder(order)
    return figure


def _artist(shape: Box | Polygon | Line, points: Transform) -> Artist:
    if isinstance(shape, Line):
        return Line2D(
            *zip(*shape.points, strict=True), color=shape.stroke, linewidth=shape.width, transform=points,
            solid_capstyle="butt",
        )  # fmt: skip
    fill, stroke = shape.fill or "none", shape.stroke or "none"
    if isinstance(shape, Polygon):
        return Outline(
            shape.points, facecolor=fill, edgecolor=stroke, linewidth=shape.width, transform=points
        )
    corners = f"round,pad=0,rounding_size={shape.radius}" if shape.radius else "square,pad=0"
    return FancyBboxPatch(
        (shape.x, shape.y), shape.width, shape.height, boxstyle=corners, facecolor=fill, edgecolor=stroke,
        linewidth=shape.line if shape.stroke else 0.0, transform=points,
    )  # fmt: skip

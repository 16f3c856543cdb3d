"""What a reader of a printed figure needs: text of at least 7 points, in the page, not over other text."""

import itertools
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from spa_lab.view.paper.fonts import SMALLEST
from spa_lab.view.paper.paper_figure import PaperFigure


def drawn_texts(figure: Figure) -> list[tuple[str, Any]]:
    """Every text that is drawn with its box in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    hidden = _undrawn(figure)
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    texts = [text for text in shown if text not in hidden]
    for text in texts:
        assert text.get_fontsize() >= SMALLEST, text.get_text()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts]


def assert_readable(printable: PaperFigure, *, width: float | None = None) -> None:
    """No text leaves the page, overlaps another or is too small; the figure is as wide as its page."""
    figure, name = printable.figure, printable.name
    assert figure.get_size_inches()[0] == (printable.page.width if width is None else width), name
    page = figure.bbox
    with printable.page.printing():
        boxes = drawn_texts(figure)
    for words, box in boxes:
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, (name, words)
        assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, (name, words)
    for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
        across = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        down = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert across < 1 or down < 3, (name, text, other)  # line boxes are taller than their letters


def _undrawn(figure: Figure) -> set[Text]:
    """Labels of ticks outside of their axis, and all of axes that are not drawn."""
    texts: set[Text] = set()
    for axes in figure.findobj(match=lambda artist: hasattr(artist, "xaxis")):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not (axes.axison and low - 1e-9 <= tick.get_loc() <= high + 1e-9):
                    texts |= {tick.label1, tick.label2}
            if not axes.axison:
                texts.add(axis.label)
    return texts

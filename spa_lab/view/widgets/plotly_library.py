"""plotly.js, sent to a page once.

plotly's own `FigureWidget` carries the 4.8 MB of plotly.js in every widget. Here one widget without a view
holds it, gzipped (1.7 MB), and every `Host` in the page waits for the one promise that it resolves. It goes
out as the state of a new widget: the server's limit on output (1 MB/s) does not count those messages, a page
that is reloaded gets it again with the other widgets, and it is never part of an output, so a saved notebook
does not grow. Executors without a page (nbclient) store the state of widgets in the notebook; it is therefore
sent unasked only to front ends that name the cell they run, and to others when a page asks for it.
"""

import gzip
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import anywidget
import traitlets

CHARTS = Path(__file__).parents[1] / "charts"
LEVEL = 1
"""Of gzip: 1.7 MB in 0.1 s; level 6 would be 1.5 MB in 0.4 s."""


@cache
def page_script() -> str:
    """The functions that draw charts in a page."""
    return (CHARTS / "page.js").read_text(encoding="utf-8")


@cache
def plotly_script() -> bytes:
    """plotly.js gzipped, from the installed package; does not import plotly."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("charts need the package 'plotly': pip install plotly")
    script = Path(spec.origin).parent / "package_data/plotly.min.js"
    return gzip.compress(script.read_bytes(), compresslevel=LEVEL, mtime=0)


class PlotlyLibrary(anywidget.AnyWidget):
    """Gives the page its plotly; has nothing to show."""

    _esm = traitlets.Unicode().tag(sync=True)
    library = traitlets.Bytes().tag(sync=True)

    @traitlets.default("_esm")
    def _script(self) -> str:
        return (
            f"{page_script()}\nexport default {{ initialize({{ model }}) "
            '{ providePlotly(model.get("library")); }, render() {} };\n'
        )


_sent: list[PlotlyLibrary] = []


def prepare_plotly() -> None:
    """Start compressing in the background; called where the first widget with a chart is made."""
    if not plotly_script.cache_info().currsize:
        Thread(target=plotly_script, daemon=True).start()


def send_plotly(*, again: bool = False) -> None:
    """Send plotly.js to the page, once per kernel.

    Args:
        again: a page asks for it: send it even if it was sent before.
    """
    if again:
        while _sent:
            _sent.pop().close()
    if not _sent and (again or _page_listens()):
        _sent.append(PlotlyLibrary(library=plotly_script()))


def _page_listens() -> bool:
    """Whether the code that runs now was sent by a front end with a page, which names the cell."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)()
    return bool(parent.get("metadata", {}).get("cellId"))

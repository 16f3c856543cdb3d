"""The base of all widgets: panes of HTML and charts made in Python, and a page that reports user actions."""

import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from IPython.display import HTML, display

from spa_lab.store import StoreError, replacing
from spa_lab.view import style
from spa_lab.view.charts.chart import Chart
from spa_lab.view.html import markup
from spa_lab.view.widgets.plotly_library import page_script, plotly_script, prepare_plotly, send_plotly


class Host(anywidget.AnyWidget):
    """Shows its panes one below the other; a subclass fills them and answers `on_control`.

    A pane is a synchronised string: trusted HTML (text from agents went through `markup`), or the JSON of a
    `Chart`, which the page draws with plotly. Displayed as the result of a cell, a widget leaves a static
    copy after itself, hidden while the live view is there, so that the notebook can be read without a kernel
    and without a network. In that copy a chart is a still image of about 40 kB: it shows on GitHub, in an
    untrusted notebook and in a PDF as well, where no script runs, and keeps plotly.js out of the notebook.
    `save` writes a page of its own with plotly.js in it once, where charts stay interactive.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    panes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Names of the panes, from top to bottom; each is a trait of the widget."""
    chart_panes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Those of the panes that are charts."""
    uid = traitlets.Unicode().tag(sync=True)
    """Ties the live view to its static copy."""
    name = traitlets.Unicode().tag(sync=True)
    """Name of the widget for screen readers."""
    selected_step = traitlets.Int(-1).tag(sync=True)
    """The step that is marked in every pane with steps; -1 for none."""
    n_steps = traitlets.Int(0).tag(sync=True)
    """Number of steps, the limit of the arrow keys."""
    status = traitlets.Unicode("").tag(sync=True)
    """The last error; shown where a subclass lists it among its panes."""
    banner = traitlets.Unicode("").tag(sync=True)
    """A line that stays in view at the lower edge of the page, as text; "" for none."""
    live_only: ClassVar[frozenset[str]] = frozenset({"controls", "status"})
    """Panes that are useless without a kernel."""

    @traitlets.default("_esm")
    def _script(self) -> str:
        host = Path(__file__).with_name("host.js").read_text(encoding="utf-8")
        return f"{page_script()}\n{dark_colours()}\n{host}"

    @traitlets.default("_css")
    def _style_sheet(self) -> str:
        return markup.look()

    def __init__(self, panes: list[str], **traits: Any) -> None:
        charts = [name for name in panes if self.has_trait(name) and self.trait_metadata(name, "chart")]
        if charts:
            prepare_plotly()
        self._charts: dict[str, Chart] = {}
        super().__init__(panes=panes, chart_panes=charts, **traits)
        self.uid = str(self.model_id)
        self.on_msg(self._answer)

    def on_control(self, name: str, value: str) -> None:
        """Answer a control: its name and its value as the page has it; a button's value is empty.

        Raises:
            ValueError: the value is invalid; the message is shown in the `status` pane.
            StoreError: the disk refuses; shown in the same way.
        """

    def draw_chart(self, pane: str, chart: Chart | None) -> None:
        """Show a chart in a pane, or nothing."""
        if chart is None:
            self._charts.pop(pane, None)
        else:
            self._charts[pane] = chart
        self.set_trait(pane, "" if chart is None else chart.to_json())

    def to_figure(self) -> Any:
        """The chart that is shown, as a `plotly.graph_objects.Figure`.

        Raises:
            ValueError: the widget shows no chart now.
        """
        if not self._charts:
            raise ValueError(f"{self.name}: no chart is shown")
        return next(iter(self._charts.values())).to_figure()

    def static(self) -> str:
        """The view as HTML that needs no kernel, no script and no network."""
        return markup.styled(self.static_body())

    def static_output(self) -> HTML:
        """What a cell shows where the view is not live."""
        return HTML(f'<div class="spa-lab-static" data-for="{markup.safe(self.uid)}">{self.static()}</div>')

    def static_body(self) -> str:
        """The same without its style sheet."""
        return self._body(_image)

    def save(self, path: Path | str) -> None:
        """Write the view as a page of its own, with charts that stay interactive without a network.

        Raises:
            StoreError: the disk refuses.
        """
        body = self._body(lambda chart: _interactive(chart, self.selected_step))
        scripts = ""
        if self._charts:
            saved = Path(__file__).with_name("saved_page.js").read_text(encoding="utf-8")
            scripts = f"{page_scripts()}<script>{page_script()}\n{dark_colours()}\n{saved}</script>"
        with replacing(Path(path)) as partial:
            partial.write_text(markup.page(self.name, body + scripts), encoding="utf-8")

    def _body(self, show: Any) -> str:
        parts = []
        for name in self.panes:
            if name in self.live_only:
                continue
            if name in self.chart_panes:
                parts.append(show(self._charts[name]) if name in self._charts else "")
            else:
                parts.append(getattr(self, name))
        return "".join(parts)

    def _answer(self, _: Any, content: Any, buffers: Any) -> None:
        """Handle a message of the page: the controls used since the last one, or what it lacks."""
        content = content if isinstance(content, dict) else {}
        if content.get("plotly"):
            send_plotly(again=True)
            return
        if content.get("state"):
            self.send_state([*self.panes, "uid", "n_steps", "selected_step"])
            return
        trouble = ""
        try:
            for name, value in (content.get("moves") or {}).items():
                self.on_control(str(name), str(value))
        except (ValueError, StoreError) as error:
            trouble = trouble_html(error)
        except Exception as error:
            trouble = trouble_html(error)
            raise  # no fault of the reader: the log of the kernel has the traceback
        finally:
            if trouble or "trouble" in self.status:
                self.status = trouble
            self.send({"answered": True})  # a page that gets no answer sends nothing for a while

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_()
        if bundle is not None:
            data = bundle[0] if isinstance(bundle, tuple) else bundle
            display(data | {"text/plain": ""}, raw=True)  # the static copy is the readable form
            if self.chart_panes:
                send_plotly()
        # after the live view, which need not wait for still images
        display(self.static_output())


def trouble_html(error: Exception) -> str:
    """What a `status` pane shows: the message, with the kind of error where it is not one of ours."""
    ours = isinstance(error, ValueError | StoreError)
    text = str(error) if ours else f"{type(error).__name__}: {error}"
    return f'<p class="trouble" role="alert">{markup.safe(text)}</p>'


def pane() -> Any:
    """A trait that holds the HTML of a pane."""
    return traitlets.Unicode("").tag(sync=True)


def chart_pane() -> Any:
    """A trait that holds the JSON of a chart, "" for none; set by `Host.draw_chart`."""
    return traitlets.Unicode("").tag(sync=True, chart=True)


def _image(chart: Chart) -> str:
    from spa_lab.view.charts.still import still_image  # imports matplotlib

    data = base64.b64encode(still_image(chart)).decode()
    return f'<figure><img alt="{markup.safe(chart.description)}" src="data:image/png;base64,{data}"></figure>'


def _interactive(chart: Chart, step: int) -> str:
    spec = chart.to_json().replace("<", "\\u003c")  # so that no text ends the script element
    return (
        f'<figure class="chart" data-step-shown="{step}">'
        f'<script type="application/json">{spec}</script><div class="box">{_image(chart)}</div></figure>'
    )


def dark_colours() -> str:
    """The constant DARK of the page's scripts: colour on a light background -> on a dark one."""
    return f"const DARK = {json.dumps(dict(style.DARK))};"


def page_scripts() -> str:
    """plotly.js as a page holds it, once per page."""
    library = base64.b64encode(plotly_script()).decode()
    return f'<script type="text/plain" id="plotly-gzip">{library}</script>'

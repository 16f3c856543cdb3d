"""The widget under all widgets: panes of HTML, made in Python, and a browser that reports what was done."""

from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from IPython.display import HTML, display

from spa_lab.store import replacing
from spa_lab.view.html import markup


class Host(anywidget.AnyWidget):
    """Shows its panes one under the other; a subclass fills them and answers `moved`.

    A pane is a synchronised string of trusted HTML: whatever strangers wrote went through `markup`. Displayed
    as the result of a cell it leaves a static copy before itself, which hides while the live one is there; so
    the notebook can be read where there is no kernel and no network.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    panes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Names of the panes, from top to bottom; each is a trait of the widget."""
    uid = traitlets.Unicode().tag(sync=True)
    """Ties the live view to its static copy."""
    name = traitlets.Unicode().tag(sync=True)
    """What a screen reader calls the widget."""
    chosen = traitlets.Int(-1).tag(sync=True)
    """The step that is marked in every pane that has it; -1 for none."""
    n_steps = traitlets.Int(0).tag(sync=True)
    """Where the arrow keys stop."""
    status = traitlets.Unicode("").tag(sync=True)
    """What went wrong last; shown where a subclass lists it among its panes."""
    live_only: ClassVar[frozenset[str]] = frozenset({"controls", "status"})
    """Panes that make no sense without a kernel."""

    @traitlets.default("_esm")
    def _script(self) -> str:
        return Path(__file__).with_name("host.js").read_text(encoding="utf-8")

    @traitlets.default("_css")
    def _look(self) -> str:
        return markup.look()

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.uid = str(self.model_id)
        self.on_msg(self._answer)

    def moved(self, name: str, value: str) -> None:
        """Answer a control: its name and its value as the page has it; a button's value is empty.

        Raises:
            ValueError: the value makes no sense; it is shown in the `status` pane.
        """

    def static(self) -> str:
        """The view as HTML that needs no kernel, no script and no network."""
        body = "".join(getattr(self, name) for name in self.panes if name not in self.live_only)
        return markup.styled(body)

    def save(self, path: Path | str) -> None:
        """Write `static()` as a document of its own; raises StoreError if the disk refuses."""
        with replacing(Path(path)) as partial:
            partial.write_text(markup.page(self.name, self.static()), encoding="utf-8")

    def _answer(self, _: Any, content: Any, buffers: Any) -> None:
        """A message of the browser: every control that was moved since the last one."""
        moves = content.get("moves") if isinstance(content, dict) else None
        try:
            for name, value in (moves or {}).items():
                self.moved(str(name), str(value))
            trouble = ""
        except ValueError as error:
            trouble = f'<p class="trouble" role="alert">{markup.safe(str(error))}</p>'
        if trouble or "trouble" in self.status:
            self.status = trouble
        self.send({"answered": True})

    def _ipython_display_(self) -> None:
        display(HTML(f'<div class="spa-lab-static" data-for="{markup.safe(self.uid)}">{self.static()}</div>'))
        found = self._repr_mimebundle_()
        if found is not None:
            data = found[0] if isinstance(found, tuple) else found
            display(data | {"text/plain": ""}, raw=True)  # the static copy is what there is to read


def pane() -> Any:
    """A trait that holds the HTML of a pane."""
    return traitlets.Unicode("").tag(sync=True)

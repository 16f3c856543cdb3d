"""The runs of a folder, and below them the inspector of those that are chosen."""

from pathlib import Path

import ipywidgets
from IPython.display import display

from spa_lab.view.widgets.inspector import Inspector
from spa_lab.view.widgets.runs import RunBrowser


class RunsAndInspector(ipywidgets.VBox):
    """A `RunBrowser`, with an inspector below it once a run is chosen; without a kernel, the list alone."""

    def __init__(self, folder: Path | str) -> None:
        self.browser = RunBrowser(folder, opened=self._show)
        super().__init__(children=(self.browser,))

    def _show(self, inspector: Inspector) -> None:
        self.children = (self.browser, inspector)

    def _ipython_display_(self) -> None:
        display(self._repr_mimebundle_() | {"text/plain": ""}, raw=True)
        display(self.browser.static_output())


def browse_runs(folder: Path | str) -> RunsAndInspector:
    """A `RunBrowser`, with an inspector below it: of the run that is chosen, or of two that are ticked.

    Args:
        folder: the folder of the runs, e.g. "runs".

    Raises:
        ValueError: there is no run in it.
    """
    return RunsAndInspector(folder)

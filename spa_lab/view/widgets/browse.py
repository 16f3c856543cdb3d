"""The runs of a folder, and below them the inspector of those that are chosen."""

from pathlib import Path

import ipywidgets

from spa_lab.view.widgets.inspector import Inspector
from spa_lab.view.widgets.runs import RunBrowser


def browse_runs(folder: Path | str) -> ipywidgets.VBox:
    """A `RunBrowser`, with an inspector below it: of the run that is chosen, or of two that are ticked.

    Args:
        folder: the folder of the runs, e.g. "runs".

    Raises:
        ValueError: there is no run in it.
    """
    box = ipywidgets.VBox()

    def show(inspector: Inspector) -> None:
        box.children = (browser, inspector)

    browser = RunBrowser(folder, opened=show)
    box.children = (browser,)
    return box

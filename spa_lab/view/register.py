"""HTML in notebooks for trajectories, credits, truths and runs, registered with IPython.

The types themselves know nothing of HTML. `register` is called where `spa_lab.inspect` or `spa_lab.widgets`
is first used, and on `import spa_lab` inside IPython; it imports nothing else until an object is shown.
"""

import sys
from importlib import import_module
from typing import Any

_FORMATTERS = (
    ("spa_lab.types", "Trajectory", "trajectory_html"),
    ("spa_lab.types", "Credit", "credit_html"),
    ("spa_lab.types", "ValueTruth", "truth_html"),
    ("spa_lab.store.run", "Run", "run_html"),
)
"""Module and name of a type, and the function of `view.html.objects` that shows it."""


def register() -> bool:
    """Let IPython show the package's types as HTML; returns whether IPython is running.

    Calling it again changes nothing.
    """
    if "IPython" not in sys.modules:
        return False
    shell = import_module("IPython").get_ipython()
    if shell is None:
        return False
    formatter = shell.display_formatter.formatters["text/html"]
    for module, name, function in _FORMATTERS:
        formatter.for_type_by_name(module, name, _deferred(function))
    return True


def _deferred(function: str) -> Any:
    def show(shown: Any) -> str:
        html: str = getattr(import_module("spa_lab.view.html.objects"), function)(shown)
        return html

    return show

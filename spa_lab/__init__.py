"""spa_lab: see, step by step, who deserves the credit in a language agent's trajectory."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spa_lab.view.widgets.inspect import inspect as inspect

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`spa_lab.inspect`, which needs pandas and ipywidgets, is imported when somebody asks for it."""
    if name == "inspect":
        from spa_lab.view.register import register
        from spa_lab.view.widgets.inspect import inspect

        register()
        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if "IPython" in sys.modules:
    from spa_lab.view.register import register

    register()

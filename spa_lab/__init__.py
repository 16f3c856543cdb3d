"""spa_lab: see, step by step, who deserves the credit in a language agent's trajectory."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spa_lab.view.widgets.inspect import inspect as inspect

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`spa_lab.inspect`, which needs pandas and ipywidgets, is imported when somebody asks for it."""
    if name == "inspect":
        from spa_lab.view.widgets.inspect import inspect

        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Objects named as `package.module:attribute` on the command line and in run folders.

Worlds, training methods and credit sources from outside the package are loaded in this way. The current
folder is searched first, as with `python -m`; the package's own tables name their entries in the same form,
and need no such search.
"""

import importlib
import os
import sys
from types import ModuleType
from typing import Any


def is_object_path(name: str) -> bool:
    """Whether `name` has the form `package.module:attribute`."""
    return ":" in name


def load_object(path: str, what: str) -> Any:
    """The attribute that `path` names, imported.

    Args:
        path: "package.module:attribute"; the attribute may be dotted.
        what: what the object is to be, for error messages: "world", "training method", "credit source".

    Raises:
        ValueError: the path has another form, the module cannot be imported (names the reason), or it has no
            such attribute (lists those that it defines).
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not all(part.isidentifier() for part in f"{module_name}.{attribute}".split(".")):
        raise ValueError(f"{what} {path!r}: expected the form package.module:attribute")
    # not for built-in entries: a file of the user's folder could hide a module of the standard library
    if module_name.partition(".")[0] != __package__ and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        value: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{what} {path!r}: cannot import module {module_name!r}: {reason}") from error
    for name in attribute.split("."):
        if not hasattr(value, name):
            names = _public_names(value)
            raise ValueError(f"{what} {path!r}: {module_name!r} has no attribute {name!r}; it has: {names}")
        value = getattr(value, name)
    return value


def _public_names(value: object) -> str:
    """What an object offers, in words: public attributes that are not modules."""
    names = [
        name
        for name in dir(value)
        if not name.startswith("_") and not isinstance(getattr(value, name, None), ModuleType)
    ]
    return ", ".join(names) or "nothing"


def unknown_name(what: str, name: str, known: list[str]) -> ValueError:
    """The error for a name that no table has: lists the names and says that objects are accepted."""
    return ValueError(f"no {what} {name!r}; there are: {', '.join(known)}; or package.module:attribute")

"""Fields of nested settings classes by dotted keys: list them, change them, read them from plain data.

The command line ("--ppo.lr 3e-5"), settings files and `run.json` all go through `updated`, so that a value is
checked in one way and every error names its key and what is allowed.
"""

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from spa_lab.configs.checks import SettingError

T = TypeVar("T")

NONE = "none"
"""How the absent value is written on the command line and in TOML, which has no null."""


@dataclass(frozen=True)
class Setting:
    """One field of a settings class or of a class nested in it."""

    key: str
    """Dotted: "ppo.lr"."""
    type: Any
    """Annotation: int, float, str, bool, a Literal of texts, or one of these or None."""

    @property
    def allowed(self) -> str:
        """What values are allowed, in words."""
        return _allowed(self.type)


def list_settings(kind: type[Any]) -> tuple[Setting, ...]:
    """Every field of the dataclass `kind`, nested ones by dotted keys, in order."""
    hints = get_type_hints(kind)
    settings: list[Setting] = []
    for field in fields(kind):
        if is_dataclass(hints[field.name]):
            nested = list_settings(hints[field.name])
            settings += [replace(inner, key=f"{field.name}.{inner.key}") for inner in nested]
        else:
            settings.append(Setting(field.name, hints[field.name]))
    return tuple(settings)


def setting_docs(kind: type[Any]) -> dict[str, str]:
    """Dotted key -> the string below the field in the source, on one line; "" if there is none."""
    hints, docs = get_type_hints(kind), _docs_below_fields(kind)
    pairs: dict[str, str] = {}
    for field in fields(kind):
        if is_dataclass(hints[field.name]):
            nested = setting_docs(hints[field.name])
            pairs |= {f"{field.name}.{key}": doc for key, doc in nested.items()}
        else:
            pairs[field.name] = docs.get(field.name, "")
    return pairs


def flat(settings: object) -> dict[str, Any]:
    """Dotted key -> value of a settings object."""
    return {setting.key: _value_at(settings, setting.key) for setting in list_settings(type(settings))}


def flattened(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"ppo": {"lr": 3e-5}} as {"ppo.lr": 3e-5}; raises SettingError for a key that is there twice."""
    pairs: dict[str, Any] = {}
    for key, value in nested.items():
        inner = {f"{prefix}{key}": value}
        if isinstance(value, Mapping):
            inner = flattened(value, f"{prefix}{key}.")
        for name, setting in inner.items():
            if name in pairs:
                raise SettingError(name, "one value, there are two", setting)
            pairs[name] = setting
    return pairs


def updated(settings: T, changes: Mapping[str, Any], *, as_text: bool = False) -> T:
    """A settings object with some fields changed.

    Args:
        settings: instance of a frozen dataclass, possibly with others nested in it.
        changes: dotted key -> value.
        as_text: the values are text from a command line ("3e-5", "true", "none") and are converted.

    Raises:
        SettingError: an unknown key, a wrong type, or a value that the class refuses. The first one is named.
    """
    known = {setting.key: setting for setting in list_settings(type(settings))}
    for key, value in changes.items():
        if key not in known:
            raise SettingError(key, _known_keys(key, list(known)), value)
        settings = _with_value(settings, key.split("."), _converted(known[key], value, as_text))
    return settings


def _with_value(settings: T, path: list[str], value: Any) -> T:
    """`settings` with the field at `path` replaced; errors of the classes on the way get their full key."""
    name, *rest = path
    if rest:
        try:
            value = _with_value(getattr(settings, name), rest, value)
        except SettingError as error:
            raise error.within(name) from None
    return replace(settings, **{name: value})  # type: ignore[type-var]


def _value_at(settings: object, key: str) -> Any:
    for name in key.split("."):
        settings = getattr(settings, name)
    return settings


def _known_keys(key: str, known: list[str]) -> str:
    """What could be meant instead of an unknown key."""
    group = key.rpartition(".")[0]
    siblings = [name for name in known if name.rpartition(".")[0] == group] if group else []
    if siblings:
        names = ", ".join(name.rpartition(".")[2] for name in siblings)
        return f"a setting of {group!r} ({names})"
    close = get_close_matches(key, known, n=3)
    top = list(dict.fromkeys(name.partition(".")[0] for name in known))
    return f"a known setting (did you mean {', '.join(close)}?)" if close else f"one of {', '.join(top)}"


def _converted(setting: Setting, value: Any, as_text: bool) -> Any:
    kinds = [kind for kind in _alternatives(setting.type) if kind is not NoneType]
    if NoneType in _alternatives(setting.type) and (value is None or value == NONE):
        return None
    kind = kinds[0]
    try:
        return _from_text(kind, value) if as_text else _from_data(kind, value)
    except (ValueError, TypeError):
        raise SettingError(setting.key, setting.allowed, value) from None


def _from_text(kind: Any, text: str) -> Any:
    """A value from the command line; raises ValueError if it has another form."""
    if kind is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse(text)
    if kind in (int, float):
        return _from_data(kind, kind(text))
    return _from_data(kind, text)


def _from_data(kind: Any, value: Any) -> Any:
    """A value from a file; raises ValueError if it is of another type."""
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else _refuse(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else _refuse(value)
    if isinstance(value, bool) and kind is not bool:
        return _refuse(value)
    return value if isinstance(value, kind) else _refuse(value)


def _refuse(value: object) -> Any:
    raise ValueError(value)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is UnionType else (annotation,)


def _allowed(annotation: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: NONE}
    return " or ".join(
        f"one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else words[kind]
        for kind in _alternatives(annotation)
    )


def _docs_below_fields(kind: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except OSError:  # defined where there is no source file
        return {}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if is_field and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[field.target.id] = re.sub(r"\s+", " ", str(below.value.value))  # type: ignore[attr-defined]
    return docs

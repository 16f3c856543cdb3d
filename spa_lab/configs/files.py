"""Settings files: TOML or YAML in, TOML out."""

import json
import tomllib
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from spa_lab.configs.checks import SettingError
from spa_lab.configs.settings import NONE, flat, flattened, updated

T = TypeVar("T")

SUFFIXES = (".toml", ".yaml", ".yml")
MOST_LEVELS = 20
"""Of tables and lists within each other in a file."""


def updated_from_file(settings: T, path: Path) -> T:
    """A settings object with the fields changed that a file names.

    Args:
        settings: as in `updated`.
        path: TOML or YAML, told apart by the suffix; nested tables or dotted keys.

    Raises:
        ValueError: one line that names the file and the key or the position of what is wrong.
        OSError: the file cannot be read.
    """
    try:
        return updated(settings, flattened(read_mapping(path)))
    except SettingError as error:
        raise ValueError(f"{path}: {error}") from None


def to_toml(settings: object) -> str:
    """All fields of a settings object as TOML that `updated_from_file` reads back."""
    pairs = flat(settings)
    lines = []
    for group, keys in groupby(sorted(pairs, key=_group), key=_group):
        lines += ["", f"[{group}]"] if group else []
        lines += [f"{key.rpartition('.')[2]} = {_toml_value(pairs[key])}" for key in keys]
    return "\n".join(lines)


def _group(key: str) -> str:
    return key.rpartition(".")[0]


def read_mapping(path: Path) -> Mapping[str, Any]:
    """The top level of a TOML or YAML file, told apart by the suffix.

    Raises:
        ValueError: one line that names the file and what is wrong.
        OSError: the file cannot be read.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text (byte {error.start})") from None
    try:
        content = _parsed_toml(path, text) if path.suffix == ".toml" else _parsed_yaml(path, text)
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None
    if _depth(content) > MOST_LEVELS:
        raise ValueError(f"{path}: nested too deeply, settings have at most {MOST_LEVELS} levels")
    return content


def _parsed_toml(path: Path, text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # of a class of tomllib's, or of Python for a number with thousands of digits
        raise ValueError(f"{path}: not valid TOML: {error}") from None


def _parsed_yaml(path: Path, text: str) -> Mapping[str, Any]:
    import yaml  # here: only this function needs it

    from spa_lab.configs.yaml_loader import SettingsLoader

    try:
        content = yaml.load(text, SettingsLoader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: such a number, or a date that does not exist
        raise ValueError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{path}: expected a mapping of settings at the top level")
    return content


def _depth(content: Mapping[str, Any]) -> int:
    """Levels of tables and lists within each other, counted up to one more than `MOST_LEVELS`."""
    level: list[Any] = [content]
    for depth in range(MOST_LEVELS + 1):
        values = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        # an alias makes one table or list the value of several keys
        level = list({id(value): value for value in values if isinstance(value, dict | list)}.values())
        if not level:
            return depth + 1
    return MOST_LEVELS + 1


def _toml_value(value: Any) -> str:
    if value is None:
        return f'"{NONE}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)

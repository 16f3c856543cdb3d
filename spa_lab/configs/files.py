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
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: not valid TOML: {error}") from None
    return _read_yaml(path, text)


def _read_yaml(path: Path, text: str) -> Mapping[str, Any]:
    import yaml  # here: only this function needs it

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{path}: expected a mapping of settings at the top level")
    return {key: _number_of(value) for key, value in content.items()}


def _number_of(value: Any) -> Any:
    """YAML 1.1 reads 3e-5, which has no point, as text: make it the number that is meant."""
    if isinstance(value, dict):
        return {str(key): _number_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_number_of(inner) for inner in value]
    if isinstance(value, str) and value[:1] in "+-.0123456789" and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _toml_value(value: Any) -> str:
    if value is None:
        return f'"{NONE}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)

"""What a grid compares: arms, worlds and seeds, read from a TOML or YAML file.

worlds = ["household"]
seeds = [0, 1, 2]
preset = "tiny"                       # "tiny" if missing
reference = "terminal reward"         # the arm that others are compared with; the first one if missing
methods = ["sft", "terminal", "spa"]  # an arm each, named by the method's title
settings."ppo.iterations" = 8         # of all arms

[[arm]]                               # a method with settings of its own
name = "RLOO, groups of 4"
method = "rloo"
ppo.group_size = 4

[[arm]]                               # a list makes an arm of each value
name = "SPA-RL, beta {reward.beta}"
method = "spa"
reward.beta = [0.0, 0.05, 0.5]
worlds = ["household"]                # only in these; in all if missing
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from spa_lab.configs.checks import SettingError
from spa_lab.configs.files import read_mapping
from spa_lab.configs.presets import TINY, Preset, preset_named
from spa_lab.configs.settings import flattened, updated
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.methods import METHODS, check_method_name, find_method
from spa_lab.pipeline.evaluations import BASE, CLONED
from spa_lab.pipeline.train import SFT

_KEYS = ("worlds", "seeds", "preset", "reference", "methods", "settings", "arm")
_ARM_KEYS = ("name", "method", "worlds")
_PLACE = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True)
class Arm:
    """A training method with settings of its own."""

    name: str
    """In tables and figures; one line, unique within a grid, and not "base", the untrained model's name."""
    method: str
    """As in `spa_lab.train`: "sft", a name in `learn.methods.METHODS`, or "package.module:attribute"."""
    settings: Mapping[str, Any]
    """Dotted key -> value, on top of the preset and of the settings of all arms."""
    worlds: tuple[str, ...]
    """In which it is trained."""


@dataclass(frozen=True)
class GridSpec:
    """Arms, worlds and seeds to compare."""

    worlds: tuple[str, ...]
    seeds: tuple[int, ...]
    preset: str
    settings: Mapping[str, Any]
    arms: tuple[Arm, ...]
    reference: str
    """Name of the arm that all others are compared with."""

    def preset_of(self, arm: Arm, world: str) -> Preset:
        """All settings of an arm in a world.

        Raises:
            ValueError: an unknown world or preset, or a setting that does not exist or is not allowed.
        """
        environment = make_environment(world)
        preset = preset_named(self.preset, environment.name, environment.base)
        try:
            return updated(preset, {**self.settings, **arm.settings})
        except SettingError as error:
            raise ValueError(f"arm {arm.name!r}: {error}") from None


def read_spec(path: Path) -> GridSpec:
    """The spec of a file; see the module for its form.

    Raises:
        ValueError: one line that names the file and what is wrong.
        OSError: the file cannot be read.
    """
    content = read_mapping(path)
    try:
        return parse_spec(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_spec(content: Mapping[str, Any]) -> GridSpec:
    """The spec of a mapping with the keys of a file; every arm's settings are checked.

    Raises:
        ValueError: a key, type, name or setting that is not allowed.
    """
    if unknown := sorted(content.keys() - set(_KEYS)):
        raise ValueError(f"unknown key {unknown[0]!r}; there are: {', '.join(_KEYS)}")
    worlds = tuple(_list(content, "worlds", str))
    seeds = tuple(_list(content, "seeds", int))
    _check_distinct("worlds", worlds)
    _check_world_names(worlds)
    _check_distinct("seeds", seeds)
    if min(seeds) < 0:
        raise ValueError(f"seeds: expected whole numbers >= 0, got {min(seeds)}")
    arms = tuple(_arms(content, worlds))
    names = [arm.name for arm in arms]
    reference = content.get("reference", names[0])
    if reference not in names:
        raise ValueError(f"reference: no arm {reference!r}; there are: {', '.join(names)}")
    preset, settings = content.get("preset", TINY.name), flattened(_table(content, "settings"))
    if not isinstance(preset, str):
        raise ValueError(f"preset: expected text, got {preset!r:.60}")
    spec = GridSpec(worlds, seeds, preset, settings, arms, reference)
    _check_arms(spec)
    return spec


def _arms(content: Mapping[str, Any], worlds: tuple[str, ...]) -> Iterator[Arm]:
    """The arms in order, sweeps expanded; raises ValueError without one, or for a name of no use."""
    arms = [Arm(_title(method), method, {}, worlds) for method in _list(content, "methods", str, [])]
    for entry in _list(content, "arm", dict, []):
        arms += _expanded(entry, worlds)
    if not arms:
        raise ValueError("no arm: expected methods or [[arm]]")
    names = [arm.name for arm in arms]
    for arm in arms:
        _check_name(arm)
        if names.count(arm.name) > 1:
            raise ValueError(
                f"two arms are called {arm.name!r}; a sweep needs its keys in the name, as {{key}}"
            )
    yield from arms


def _check_name(arm: Arm) -> None:
    """Raises ValueError for a name that tables cannot hold, or that is another policy's there."""
    if not arm.name.strip() or len(arm.name.splitlines()) > 1:
        raise ValueError(f"arm of method {arm.method!r}: expected one line of text as name, got {arm.name!r}")
    if arm.name == BASE or (arm.name == CLONED and arm.method != SFT):
        model = "untrained" if arm.name == BASE else "cloned"
        raise ValueError(f"arm {arm.name!r} of method {arm.method!r}: this is the name of the {model} model")


def _expanded(entry: Mapping[str, Any], worlds: tuple[str, ...]) -> Iterator[Arm]:
    """The arms of one entry: the product of all settings that are lists."""
    method = entry.get("method")
    if not isinstance(method, str):
        raise ValueError(f"arm {entry.get('name')!r}: expected a method, got {method!r}")
    name = entry.get("name", _title(method))
    if not isinstance(name, str):
        raise ValueError(f"arm of method {method!r}: expected text as name, got {name!r}")
    try:
        only = tuple(_list(entry, "worlds", str, list(worlds)))
        _check_distinct("worlds", only)
    except ValueError as error:
        raise ValueError(f"arm {name!r}: {error}") from None
    if missing := [world for world in only if world not in worlds]:
        raise ValueError(f"arm {name!r}: world {missing[0]!r} is none of the grid's: {', '.join(worlds)}")
    settings = flattened({key: value for key, value in entry.items() if key not in _ARM_KEYS})
    swept = {key: value for key, value in settings.items() if isinstance(value, list)}
    if empty := [key for key, values in swept.items() if not values]:
        raise ValueError(f"arm {name!r}: {empty[0]}: expected a value or a list of at least one, got []")
    for values in product(*swept.values()):
        chosen = dict(zip(swept, values, strict=True))
        yield Arm(_filled(name, settings | chosen), method, settings | chosen, only)


def _filled(name: str, settings: Mapping[str, Any]) -> str:
    """The name with the values of settings in place of {key}."""

    def value(place: re.Match[str]) -> str:
        if place[1] not in settings:
            raise ValueError(f"arm {name!r}: {place[0]} names no setting of this arm")
        return str(settings[place[1]])

    return _PLACE.sub(value, name)


def _title(method: str) -> str:
    check_method_name(method)
    return METHODS[method].title if method in METHODS else find_method(method).title


def _check_arms(spec: GridSpec) -> None:
    """Every arm's settings are allowed in every world, and no two arms are the same."""
    seen: dict[tuple[str, str, Preset], str] = {}
    for world in spec.worlds:
        for arm in spec.arms:
            if world in arm.worlds:
                check_method_name(arm.method)
                same = seen.setdefault((world, arm.method, spec.preset_of(arm, world)), arm.name)
                if same != arm.name:
                    raise ValueError(f"arms {same!r} and {arm.name!r} are the same: method and all settings")


def _check_world_names(worlds: Iterable[str]) -> None:
    """Raises ValueError for two worlds of one name, by which episodes would be pooled."""
    known: dict[str, str] = {}
    for world in worlds:
        name = make_environment(world).name
        if (other := known.setdefault(name, world)) != world:
            raise ValueError(f"worlds: {other!r} and {world!r} are both called {name!r}")


def _check_distinct(name: str, values: Sequence[Any]) -> None:
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name}: expected at least one, none twice, got {list(values)}")


def _list(
    content: Mapping[str, Any], key: str, kind: type, default: Sequence[Any] | None = None
) -> list[Any]:
    """A list of one type; the default if it is missing, which is an error without a default."""
    values = content.get(key, default)
    fits = isinstance(values, list) and all(
        isinstance(value, kind) and not isinstance(value, bool) for value in values
    )
    if not fits:
        words = {str: "texts", int: "whole numbers", dict: "tables"}[kind]
        raise ValueError(f"{key}: expected a list of {words}, got {values!r:.60}")
    return list(values or ())


def _table(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{key}: expected a table of settings, got {value!r:.60}")
    return value

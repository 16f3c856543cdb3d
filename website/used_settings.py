"""Which settings a file reads and which it fixes, found in its source."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from spa_lab.configs.presets import Preset
from spa_lab.configs.settings import list_settings
from website.docstrings import constants, imported_from, module_file, tree

_FIXING = ("with_ppo", "replace")
"""Functions whose keywords fix settings: of `preset.ppo`, or of what the first argument names."""


@cache
def known_settings() -> tuple[str, ...]:
    """Dotted keys of all settings, in the order of the presets."""
    return tuple(setting.key for setting in list_settings(Preset))


def settings_read(module: str) -> list[str]:
    """Dotted keys of the settings that a method's module reads, in the order of the presets.

    Those that its code or docstrings name, and those of the modules whose functions it hands its inputs to,
    such as `learn.ppo`. A group that is passed on whole, such as `preset.reward`, is listed by its name.
    """
    named: set[str] = set()
    for one in _with_helpers(module):
        named |= _named(one)
    groups = dict.fromkeys(key.partition(".")[0] for key in known_settings() if "." in key)
    order = [*groups, *known_settings()]
    return [key for key in order if key in named]


@cache
def _named(module: str) -> frozenset[str]:
    """What the code and the docstrings of a module name of the settings, and other words."""
    parsed = tree(module_file(module))
    return frozenset({_setting(name) for name in _dotted_names(parsed)} | set(_in_docstrings(parsed)))


@cache
def _with_helpers(module: str) -> tuple[str, ...]:
    """The module, and those that it hands `inputs` to, directly or through such a module."""
    found = [module]
    for one in found:
        for call in ast.walk(tree(module_file(one))):
            if isinstance(call, ast.Call) and call.args and ast.unparse(call.args[0]) == "inputs":
                helper = imported_from(one, ast.unparse(call.func))
                if helper is not None and helper.startswith("spa_lab.") and helper not in found:
                    found.append(helper)
    return tuple(found)


def settings_fixed(module: str) -> list[tuple[str, str]]:
    """Names and values that the module sets itself, whatever the preset says; constants by their values."""
    fixed = []
    for call in ast.walk(tree(module_file(module))):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in _FIXING:
            fixed += [(word.arg, ast.unparse(word.value)) for word in call.keywords if word.arg]
    chosen = re.compile(r"[A-Z_]+|'\w+'|-?[\d.]+|True|False|None")  # not copied from another setting
    kept = [(name, value) for name, value in fixed if name in _plain_names() and chosen.fullmatch(value)]
    return [(name, _value_of(module, value)) for name, value in kept]


def _value_of(module: str, value: str) -> str:
    """The value of a constant of the module, or of one that it imports; other values as they are."""
    if not re.fullmatch("[A-Z_]+", value):
        return value
    home = imported_from(module, value) or module
    return next((literal for name, literal, _ in constants(home) if name == value), value)


@cache
def _plain_names() -> frozenset[str]:
    """Last parts of all settings, and the fields of an update's objective."""
    objective = ("normalise", "mean_over", "kl_form", "clip_low", "clip_high", "entropy_coef")
    return frozenset({key.rpartition(".")[2] for key in known_settings()} | set(objective))


def _dotted_names(parsed: ast.Module) -> Iterator[str]:
    """Every whole chain of attributes, with names replaced by what they were assigned from."""
    aliases, sources = _aliases(parsed)
    inner = {id(node.value) for node in ast.walk(parsed) if isinstance(node, ast.Attribute)} | sources
    for node in ast.walk(parsed):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            chain = ast.unparse(node)
            head = next((name for name in aliases if f"{chain}.".startswith(f"{name}.")), None)
            if id(node) not in inner:
                yield aliases[head] + chain[len(head) :] if head else chain


def _aliases(parsed: ast.Module) -> tuple[dict[str, str], set[int]]:
    """Name -> the chain of attributes that it was assigned from; and the ids of those chains' nodes."""
    aliases: dict[str, str] = {}
    sources: set[int] = set()
    for node in ast.walk(parsed):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=False))
            for name, source in pairs:
                if isinstance(source, ast.Attribute):
                    aliases[ast.unparse(name)] = ast.unparse(source)
                    sources.add(id(source))
    return aliases, sources


def _setting(chain: str) -> str:
    """The setting of a chain: `ppo.branches` of `inputs.preset.ppo.branches`; empty without one."""
    return chain.rpartition("preset.")[2] if "preset." in chain else ""


def _in_docstrings(parsed: ast.Module) -> Iterator[str]:
    for node in ast.walk(parsed):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            quoted = re.findall(r"`([\w.]+)`", ast.get_docstring(node) or "")
            # a group without "preset." is more likely a metric or an argument of that name
            yield from (name.removeprefix("preset.") for name in quoted if "." in name or "_" in name)

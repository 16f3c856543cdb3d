"""Worlds by name: the table that every command's `--env` reads.

A world is one entry here. A user's own world needs none: `package.module:attribute` names an `Environment`,
or a function without arguments that returns one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spa_lab.envs.base import Environment
from spa_lab.plugins import is_object_path, load_object, unknown_name


@dataclass(frozen=True)
class WorldEntry:
    """A world that ships with the package; named by text, so that listing worlds imports none of them."""

    factory: str
    """`package.module:function` without arguments that returns the `Environment`."""
    summary: str
    """What `--help` says of it."""
    parity: str = ""
    """Module with a `replay_folder` for recordings of the original engine; "" if there is none."""


WORLDS: Mapping[str, WorldEntry] = MappingProxyType(
    {
        "household": WorldEntry(
            "spa_lab.envs.household:environment",
            "generated games with ALFWorld's rules and text",
            parity="spa_lab.envs.household.parity",
        ),
        "webshop": WorldEntry(
            "spa_lab.envs.webshop:environment",
            "a generated shop with WebShop's pages, search and reward",
            parity="spa_lab.envs.webshop.parity",
        ),
        "virtualhome": WorldEntry(
            "spa_lab.envs.virtualhome:environment",
            "generated flats with VirtualHome's rules",
            parity="spa_lab.envs.virtualhome.parity",
        ),
    }
)


def make_environment(world: str | Environment) -> Environment:
    """The environment that `world` names; an `Environment` is returned as it is.

    Raises:
        ValueError: there is no world of that name, or the named object is no world.
    """
    if isinstance(world, Environment):
        return world
    if world in WORLDS:
        factory = WORLDS[world].factory
    elif is_object_path(world):
        factory = world
    else:
        raise unknown_name("world", world, list(WORLDS))
    found = load_object(factory, "world")
    if callable(found):
        found = found()
    if not isinstance(found, Environment):
        raise ValueError(f"world {world!r} is a {type(found).__name__}, expected an Environment")
    return found

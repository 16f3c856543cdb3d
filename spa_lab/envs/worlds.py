"""Worlds by name: the table that every command's `--env` reads.

A world is one entry here. A user's own world needs none: `package.module:attribute` names an `Environment`,
or a function without arguments that returns one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from spa_lab.plugins import is_object_path, load_object, unknown_name

if TYPE_CHECKING:
    from spa_lab.envs.base import Environment


@dataclass(frozen=True, kw_only=True)
class WorldEntry:
    """A world that ships with the package; named by text, so that listing worlds imports none of them."""

    factory: str
    """`package.module:function` without arguments that returns the `Environment`."""
    summary: str
    """One line for `--help`."""
    benchmark: str
    """The published benchmark whose rules it follows, as in `Environment.benchmark`."""
    parity: str = ""
    """Module whose `replay_folder` replays recordings of the original engine; "" if there is none."""
    data: str = ""
    """Environment variable that names the folder of official data; "" if the world needs none."""

    @property
    def recordings(self) -> str:
        """Environment variable that names a file of recorded demonstrations; "" if the world reads none."""
        return f"{self.data.removesuffix('_DATA')}_DEMONSTRATIONS" if self.data else ""


WORLDS: Mapping[str, WorldEntry] = MappingProxyType(
    {
        "household": WorldEntry(
            factory="spa_lab.envs.household:environment",
            summary="generated games with ALFWorld's rules and text",
            benchmark="ALFWorld",
            parity="spa_lab.envs.household.parity",
        ),
        "household-long": WorldEntry(
            factory="spa_lab.envs.household.long:environment",
            summary="the same with larger houses and three tasks in each game, all needed",
            benchmark="ALFWorld",
        ),
        "webshop": WorldEntry(
            factory="spa_lab.envs.webshop:environment",
            summary="a generated shop with WebShop's pages, search and reward",
            benchmark="WebShop",
            parity="spa_lab.envs.webshop.parity",
        ),
        "virtualhome": WorldEntry(
            factory="spa_lab.envs.virtualhome:environment",
            summary="generated flats with VirtualHome's rules",
            benchmark="VirtualHome",
            parity="spa_lab.envs.virtualhome.parity",
        ),
        "alfworld": WorldEntry(
            factory="spa_lab.envs.household.alfworld:environment",
            summary="ALFWorld's own games",
            benchmark="ALFWorld",
            data="ALFWORLD_DATA",
        ),
        "webshop-official": WorldEntry(
            factory="spa_lab.envs.webshop.official:environment",
            summary="WebShop's own products and goals",
            benchmark="WebShop",
            data="WEBSHOP_DATA",
        ),
        "virtualhome-official": WorldEntry(
            factory="spa_lab.envs.virtualhome.official:environment",
            summary="VirtualHome's published scenes and programs",
            benchmark="VirtualHome",
            data="VIRTUALHOME_DATA",
        ),
    }
)
"""Name -> entry. Worlds with `data` play the benchmark's own tasks."""


def make_environment(world: "str | Environment") -> "Environment":
    """The environment that `world` names; an `Environment` is returned as it is.

    Raises:
        ValueError: there is no world of that name, the named object is no world, or the official data that
            the world needs are missing.
    """
    from spa_lab.envs.base import Environment  # needs NumPy, which listing worlds does not

    if isinstance(world, Environment):
        return world
    if world in WORLDS:
        factory = WORLDS[world].factory
    elif is_object_path(world):
        factory = world
    else:
        raise unknown_name("world", world, list(WORLDS))
    made = load_object(factory, "world")
    if callable(made):
        try:
            made = made()
        except TypeError as error:
            raise ValueError(f"world {world!r} cannot be made: {error}") from error
    if not isinstance(made, Environment):
        raise ValueError(f"world {world!r} is a {type(made).__name__}, expected an Environment")
    return made


def task_origin(world: str) -> str:
    """Where a world's tasks come from, for captions: "generated household games (not ALFWorld scores)".

    Args:
        world: a name of `WORLDS`, or of a user's world, of which nothing is claimed.
    """
    entry = WORLDS.get(world)
    if entry is None:
        return f"{world} tasks"
    if entry.data:
        return f"{entry.benchmark} games"
    return f"generated {world} games (not {entry.benchmark} scores)"

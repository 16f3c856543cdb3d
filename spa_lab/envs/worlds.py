"""Worlds by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from spa_lab.envs import household, virtualhome, webshop
from spa_lab.envs.base import Environment
from spa_lab.envs.webshop.vocabulary import NOUNS

_WORLDS: Mapping[str, Callable[[], Environment]] = MappingProxyType(
    {
        "household": household.environment,
        "webshop": webshop.environment,
        "virtualhome": virtualhome.environment,
    }
)


def environment_named(name: str) -> Environment:
    """The world of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in _WORLDS:
        raise ValueError(f"no world {name!r}; there are: {', '.join(_WORLDS)}")
    return _WORLDS[name]()


def settings_of(name: str) -> dict[str, str]:
    """What else decides the outcomes in a world, for run.json; results under different ones never mix."""
    return {"noun_scorer": NOUNS.name} if name == "webshop" else {}

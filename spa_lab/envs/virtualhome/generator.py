"""Makes tasks: a flat, things lying about in it, and a chore that they allow."""

import json
import random
from collections.abc import Mapping

from spa_lab.envs.virtualhome.catalogue import FURNITURE, THINGS
from spa_lab.envs.virtualhome.chores import CHORES, Chore, Wish, conditions_of, wishes_of
from spa_lab.envs.virtualhome.flats import FLATS, Layout, arrange, graph_of, ids_of, is_unseen, make_flat
from spa_lab.envs.virtualhome.task import VirtualHomeTask

KINDS = tuple(CHORES)


def generate(rng: random.Random, *, kind: str, unseen: bool, name: str) -> VirtualHomeTask | None:
    """One task of a kind; None where this flat has no such chore on this side of the split.

    Args:
        rng: Draws the flat, the layout and the chore.
        kind: One of `KINDS`.
        unseen: Which flats, and which combinations of things and places, may occur.
        name: Name of the scene.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of task {kind!r}, expected one of {', '.join(KINDS)}")
    chore = CHORES[kind]
    layout = arrange(make_flat(rng.randrange(FLATS), unseen=unseen), rng)
    names = _choose(chore, layout, rng)
    if names is None or is_unseen(kind, *names.values()) != unseen:
        return None
    conditions = conditions_of(wishes_of(kind, names), ids_of(layout))
    graph = json.dumps(graph_of(layout), separators=(",", ":"))
    title, sentence = (text.format(**names) for text in (chore.title, chore.sentence))
    return VirtualHomeTask(name, title, sentence, graph, tuple(tuple(one) for one in conditions))


def _choose(chore: Chore, layout: Layout, rng: random.Random) -> dict[str, str] | None:
    """Who plays the roles of a chore; None if nobody can play one of them."""
    names: dict[str, str] = {}
    for wish in chore.wishes:
        options = [
            (thing, place)
            for thing in _candidates(wish.thing, names, layout)
            for place in (_candidates(wish.place, names, layout) if wish.place else ("",))
            if _makes_sense(Wish(wish.verb, thing, place), layout)
        ]
        if not options:
            return None
        names[wish.thing], place = rng.choice(options)
        if wish.place:
            names[wish.place] = place
    return names


def _candidates(role: str, names: Mapping[str, str], layout: Layout) -> list[str]:
    """Who may play a role that `chores.CHORES` explains."""
    if role in names:
        return [names[role]]
    everything = (*layout.flat.furniture, *layout.places)
    return [name for name in everything if name not in names.values() and _plays(role, name, layout)]


def _plays(role: str, name: str, layout: Layout) -> bool:
    if name in THINGS:
        group = THINGS[name].group
        if role == "w":
            return group == "dish" and "DIRTY" in layout.states[name]
        return role in "abg" or (role == "r" and group == "dish") or (role == "f" and group == "drink")
    kind = FURNITURE[name]
    if role in "dl":
        return (
            kind.switched and "OFF" in layout.states[name] and (role == "d" or "LOOKABLE" in kind.properties)
        )
    needed = {"s": "SURFACES", "c": "CONTAINERS", "m": "HAS_SWITCH", "e": "SITTABLE"}.get(role)
    return needed in kind.properties and (role != "m" or kind.opens)


def _makes_sense(wish: Wish, layout: Layout) -> bool:
    """A thing goes where such things belong and where it is not yet."""
    if wish.verb not in ("on", "in"):
        return True
    belongs = THINGS[wish.thing].group in FURNITURE[wish.place].holds
    return belongs and layout.places[wish.thing] != wish.place

"""Generates tasks: a flat, a layout of the things in it, and a task template that they allow.

Which combinations of things and targets are unseen is decided from the things in their order. Tasks to load a
machine and to gather things, in which the order does not matter, may so be unseen and have the conditions of
a train task with the same things in another order: 8 of the 51 among the first 256 unseen tasks have those of
one of the first 400 train tasks.
"""

import json
import random
from collections.abc import Mapping

from spa_lab.envs.virtualhome.catalogue import FURNITURE, THINGS
from spa_lab.envs.virtualhome.flats import FLATS, Layout, arrange, graph_of, ids_of, is_unseen, make_flat
from spa_lab.envs.virtualhome.task import VirtualHomeTask
from spa_lab.envs.virtualhome.task_templates import (
    TEMPLATES,
    Subgoal,
    TaskTemplate,
    conditions_of,
    fill_subgoals,
)

KINDS = tuple(TEMPLATES)


def generate(rng: random.Random, *, kind: str, unseen: bool, name: str) -> VirtualHomeTask | None:
    """One task of a kind; None if the drawn layout allows none on this side of the split.

    Args:
        rng: draws flat, layout and roles.
        kind: one of `KINDS`.
        unseen: which flats, and which combinations of things and targets, may occur.
        name: name of the scene.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of task {kind!r}, expected one of {', '.join(KINDS)}")
    template = TEMPLATES[kind]
    layout = arrange(make_flat(rng.randrange(FLATS), unseen=unseen), rng)
    names = _assign_roles(template, layout, rng)
    if names is None or is_unseen(kind, *names.values()) != unseen:
        return None
    conditions = conditions_of(fill_subgoals(kind, names), ids_of(layout))
    graph = json.dumps(graph_of(layout), separators=(",", ":"))
    title, sentence = (text.format(**names) for text in (template.title, template.sentence))
    return VirtualHomeTask(name, title, sentence, graph, tuple(tuple(each) for each in conditions))


def _assign_roles(template: TaskTemplate, layout: Layout, rng: random.Random) -> dict[str, str] | None:
    """Role -> class name, drawn at random; None if a role cannot be filled."""
    names: dict[str, str] = {}
    for subgoal in template.subgoals:
        options = [
            (thing, target)
            for thing in _candidates(subgoal.thing, names, layout)
            for target in (_candidates(subgoal.target, names, layout) if subgoal.target else ("",))
            if _is_sensible(Subgoal(subgoal.verb, thing, target), layout)
        ]
        if not options:
            return None
        names[subgoal.thing], target = rng.choice(options)
        if subgoal.target:
            names[subgoal.target] = target
    return names


def _candidates(role: str, names: Mapping[str, str], layout: Layout) -> list[str]:
    """Class names that can fill a role, see `task_templates.TEMPLATES`; the assigned one if there is one."""
    if role in names:
        return [names[role]]
    everything = (*layout.flat.furniture, *layout.placements)
    return [name for name in everything if name not in names.values() and _can_fill(role, name, layout)]


def _can_fill(role: str, name: str, layout: Layout) -> bool:
    if name in THINGS:
        group = THINGS[name].group
        if role == "w":
            return group == "dish" and "DIRTY" in layout.states[name]
        return role in "abg" or (role == "r" and group == "dish") or (role == "f" and group == "drink")
    kind = FURNITURE[name]
    if role in "dl":
        is_off = kind.switched and "OFF" in layout.states[name]
        return is_off and (role == "d" or "LOOKABLE" in kind.properties)
    needed = {"s": "SURFACES", "c": "CONTAINERS", "m": "HAS_SWITCH", "e": "SITTABLE"}.get(role)
    return needed in kind.properties and (role != "m" or kind.opens)


def _is_sensible(subgoal: Subgoal, layout: Layout) -> bool:
    """Whether a thing would be put where such things belong and where it is not yet."""
    if subgoal.verb not in ("on", "in"):
        return True
    belongs = THINGS[subgoal.thing].group in FURNITURE[subgoal.target].holds
    return belongs and layout.placements[subgoal.thing] != subgoal.target

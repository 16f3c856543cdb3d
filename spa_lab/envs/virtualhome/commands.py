"""The text of actions: forty-two templates, and which thing a name means.

The templates are those of the SPA-RL release; names are bound deterministically where the release draws one
at random.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from spa_lab.envs.virtualhome.graph import CLOSE, INSIDE, NOTHING, Scene, State

TEMPLATES = (
    ("CLOSE", "close {}"), ("DRINK", "drink {}"), ("FIND", "find {}"), ("WALK", "walk to {}"),
    ("GRAB", "grab {}"), ("LOOKAT", "look at {}"), ("OPEN", "open {}"), ("POINTAT", "point at {}"),
    ("PUTBACK", "put {} on {}"), ("PUTIN", "put {} in {}"), ("PUTOBJBACK", "put back {}"),
    ("RUN", "run to {}"), ("SIT", "sit on {}"), ("STANDUP", "stand up"), ("SWITCHOFF", "switch off {}"),
    ("SWITCHON", "switch on {}"), ("TOUCH", "touch {}"), ("TURNTO", "turn to {}"), ("WATCH", "watch {}"),
    ("WIPE", "wipe {}"), ("PUTON", "put on {}"), ("PUTOFF", "take off {}"), ("GREET", "greet {}"),
    ("DROP", "drop {}"), ("READ", "read {}"), ("LIE", "lie on {}"), ("POUR", "pour {} into {}"),
    ("TYPE", "type on {}"), ("PUSH", "push {}"), ("PULL", "pull {}"), ("MOVE", "move {}"),
    ("WASH", "wash {}"), ("RINSE", "rinse {}"), ("SCRUB", "scrub {}"), ("SQUEEZE", "squeeze {}"),
    ("PLUGIN", "plug in {}"), ("PLUGOUT", "plug out {}"), ("CUT", "cut {}"), ("EAT", "eat {}"),
    ("SLEEP", "sleep"), ("WAKEUP", "wake up"), ("RELEASE", "release {}"),
)  # fmt: skip
"""(action, its words); `{}` stands for a name."""

_PATTERNS = tuple(
    (action, re.compile(words.replace("{}", "(.+?)", 1).replace("{}", "(.+)"))) for action, words in TEMPLATES
)
_BY_VERB = {
    verb: [entry for entry in _PATTERNS if entry[1].pattern.split(" ")[0] == verb]
    for verb in dict.fromkeys(words.split(" ")[0] for _, words in TEMPLATES)
}


class Command(NamedTuple):
    """An action as the agent named it."""

    action: str
    objects: tuple[str, ...]
    """Class names."""


class Bound(NamedTuple):
    """What the names of an episode mean so far."""

    names: Mapping[str, int]
    """Name -> id, for the rest of the episode."""
    last: int | None
    """The object of the latest action; nearness to it decides between things of one name."""


class UnboundError(Exception):
    """A name means nothing here; the message says why."""


def parse(text: str) -> Command | None:
    """Reads an action: any case, blanks around it and anything up to the first colon ignored.

    Returns:
        The command; None if the text matches no template, or several.
    """
    words = text.lower().strip()
    if ":" in words:
        words = words.partition(":")[2].strip()
    found = [
        Command(action, tuple(name.replace(" ", "_") for name in match.groups()))
        for action, pattern in _BY_VERB.get(words.partition(" ")[0], ())
        if (match := pattern.fullmatch(words))
    ]
    return found[0] if len(found) == 1 else None


def bind(scene: Scene, state: State, bound: Bound, command: Command) -> tuple[tuple[int, ...], Bound]:
    """The ids that a command is about, and what its names mean from now on.

    The first of two objects must be in hand. A name keeps the meaning that it once had. Else it means the
    thing of that class with the lowest id among those close to the agent, or else close to or around the
    last object, or else anywhere.

    Raises:
        UnboundError: If there is nothing of that name, or it is not in hand, or both names mean one thing.
    """
    ids: list[int] = []
    for position, name in enumerate(command.objects):
        if len(command.objects) == 2 and position == 0:
            held = in_hands(scene, state)
            if name not in held:
                raise UnboundError("not in hand")
            ids.append(held[name])
        elif name in scene.by_name or name in bound.names:
            ids.append(meaning(scene, state, bound, name))
        else:
            raise UnboundError("not available")
    if len(ids) == 2 and ids[0] == ids[1]:
        raise UnboundError("same object")
    if not ids:
        return (), bound
    return tuple(ids), Bound({**bound.names, **dict(zip(command.objects, ids, strict=True))}, ids[-1])


def in_hands(scene: Scene, state: State) -> dict[str, int]:
    """Class name -> the held thing of that class, the one with the lowest id."""
    return {scene.nodes[x].name: x for x in sorted(state.held(scene.agent), reverse=True)}


def meaning(scene: Scene, state: State, bound: Bound, name: str) -> int:
    """The thing that a name means; the scene must have one of that class, or the name must be bound."""
    if name in bound.names:
        return bound.names[name]
    candidates = scene.by_name[name]
    if len(candidates) == 1:
        return candidates[0]
    near = state.out.get((scene.agent, CLOSE), NOTHING)
    by_last = NOTHING
    if bound.last is not None:
        by_last = state.into.get((bound.last, CLOSE), NOTHING) | state.out.get((bound.last, INSIDE), NOTHING)
    for preferred in (near, by_last):
        fitting = [x for x in candidates if x in preferred]
        if fitting:
            return fitting[0]
    return candidates[0]


def call(command: Command, ids: tuple[int, ...]) -> str:
    """The command as a line of a VirtualHome program: "[OPEN] <fridge> (6)"."""
    things = (f" <{name}> ({key})" for name, key in zip(command.objects, ids, strict=True))
    return f"[{command.action}]{''.join(things)}"

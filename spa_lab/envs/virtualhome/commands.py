"""The text of actions: forty-two templates, and the resolution of names to objects.

The templates are those of the SPA-RL release; names are resolved deterministically where the release chooses
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
"""(action, template); `{}` stands for a name."""

_PATTERNS = tuple(
    (action, re.compile(words.replace("{}", "(.+?)", 1).replace("{}", "(.+)"))) for action, words in TEMPLATES
)
_BY_VERB = {
    verb: [entry for entry in _PATTERNS if entry[1].pattern.split(" ")[0] == verb]
    for verb in dict.fromkeys(words.split(" ")[0] for _, words in TEMPLATES)
}


class Command(NamedTuple):
    """A parsed action."""

    action: str
    objects: tuple[str, ...]
    """Class names."""


class Bindings(NamedTuple):
    """The resolved names of an episode."""

    names: Mapping[str, int]
    """Name -> id, for the rest of the episode."""
    last: int | None
    """Object of the latest action; objects near it are preferred among several of one name."""


class BindingError(Exception):
    """A name cannot be resolved; the message says why."""


def parse(text: str) -> Command | None:
    """Parse an action; case, surrounding blanks and everything up to the first colon are ignored.

    Returns:
        The command; None if the text matches no template, or several.
    """
    words = text.lower().strip()
    if ":" in words:
        words = words.partition(":")[2].strip()
    commands = [
        Command(action, tuple(name.replace(" ", "_") for name in match.groups()))
        for action, pattern in _BY_VERB.get(words.partition(" ")[0], ())
        if (match := pattern.fullmatch(words))
    ]
    return commands[0] if len(commands) == 1 else None


def bind(
    scene: Scene, state: State, bindings: Bindings, command: Command
) -> tuple[tuple[int, ...], Bindings]:
    """The ids of a command's objects, and the bindings from now on.

    The first of two objects must be held. A name that was resolved before keeps its object. Otherwise it
    means the object with the lowest id of its class among those close to the agent, else among those close to
    or containing the last object, else in the whole scene.

    Raises:
        BindingError: there is no object of that name, it is not held, or both names mean the same object.
    """
    ids: list[int] = []
    for position, name in enumerate(command.objects):
        if len(command.objects) == 2 and position == 0:
            held = held_by_name(scene, state)
            if name not in held:
                raise BindingError("not in hand")
            ids.append(held[name])
        elif name in scene.by_name or name in bindings.names:
            ids.append(resolve(scene, state, bindings, name))
        else:
            raise BindingError("not available")
    if len(ids) == 2 and ids[0] == ids[1]:
        raise BindingError("same object")
    if not ids:
        return (), bindings
    return tuple(ids), Bindings({**bindings.names, **dict(zip(command.objects, ids, strict=True))}, ids[-1])


def held_by_name(scene: Scene, state: State) -> dict[str, int]:
    """Class name -> id of the held object of that class, the lowest of several."""
    return {scene.nodes[x].name: x for x in sorted(state.held(scene.agent), reverse=True)}


def resolve(scene: Scene, state: State, bindings: Bindings, name: str) -> int:
    """The object that a name means; the name must be bound or be a class of the scene."""
    if name in bindings.names:
        return bindings.names[name]
    candidates = scene.by_name[name]
    if len(candidates) == 1:
        return candidates[0]
    near = state.out.get((scene.agent, CLOSE), NOTHING)
    by_last = NOTHING
    if bindings.last is not None:
        by_last = state.into.get((bindings.last, CLOSE), NOTHING) | state.out.get(
            (bindings.last, INSIDE), NOTHING
        )
    for preferred in (near, by_last):
        matches = [x for x in candidates if x in preferred]
        if matches:
            return matches[0]
    return candidates[0]


def program_line(command: Command, ids: tuple[int, ...]) -> str:
    """The command as a line of a VirtualHome program: "[OPEN] <fridge> (6)"."""
    objects = (f" <{name}> ({key})" for name, key in zip(command.objects, ids, strict=True))
    return f"[{command.action}]{''.join(objects)}"

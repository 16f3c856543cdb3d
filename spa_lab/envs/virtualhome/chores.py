"""Chores: what a task sentence asks for, as wishes, and back.

One table gives both, so what the generator writes is what the expert can read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from spa_lab.envs.virtualhome.graph import CHARACTER, FACING, INSIDE, ON

Verb = Literal["on", "in", "closed", "running", "clean", "seat", "facing", "poured"]


class Wish(NamedTuple):
    """One thing that shall be so.

    `on`, `in`, `poured`: `thing` on, in, poured into `place`; `closed`, `running`, `clean`: the state of
    `thing`; `seat`, `facing`: the agent sits on, faces `thing`.
    """

    verb: Verb
    thing: str
    place: str = ""


@dataclass(frozen=True)
class Chore:
    """A kind of task; `{}` names stand for class names, `wishes` are in the order in which to see to them."""

    title: str
    sentence: str
    wishes: tuple[Wish, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches its sentences; a group for each name."""
        seen: set[str] = set()

        def group(found: re.Match[str]) -> str:
            name = found[1]
            again = name in seen
            seen.add(name)
            return f"(?P={name})" if again else f"(?P<{name}>[a-z_]+)"

        return re.compile(re.sub(r"\{(\w+)\}", group, self.sentence))


def _wish(verb: Verb, thing: str, place: str = "") -> Wish:
    return Wish(verb, thing, place)


CHORES: Mapping[str, Chore] = MappingProxyType(
    {
        "switch": Chore("Turn on {d}", "Switch on the {d}", (_wish("running", "d"),)),
        "move": Chore("Move {a}", "Put the {a} on the {s}", (_wish("on", "a", "s"),)),
        "store": Chore(
            "Store {a}",
            "Put the {a} in the {c} and close the {c}",
            (_wish("in", "a", "c"), _wish("closed", "c")),
        ),
        "wash": Chore(
            "Clean {w}",
            "Wash the {w} and put it on the {s}",
            (_wish("clean", "w"), _wish("on", "w", "s")),
        ),
        "run": Chore(
            "Use {m}",
            "Put the {a} in the {m}, close the {m} and switch on the {m}",
            (_wish("in", "a", "m"), _wish("closed", "m"), _wish("running", "m")),
        ),
        "load": Chore(
            "Load {m}",
            "Put the {a} and the {b} in the {m}, close the {m} and switch on the {m}",
            (_wish("in", "a", "m"), _wish("in", "b", "m"), _wish("closed", "m"), _wish("running", "m")),
        ),
        "watch": Chore(
            "Watch {l}",
            "Switch on the {l}, sit on the {e} and turn to the {l}",
            (_wish("running", "l"), _wish("seat", "e"), _wish("facing", "l")),
        ),
        "pour": Chore(
            "Serve {f}",
            "Put the {r} on the {s} and pour the {f} into the {r}",
            (_wish("on", "r", "s"), _wish("poured", "f", "r")),
        ),
        "tidy": Chore(
            "Tidy up",
            "Put the {a} on the {s} and put the {b} in the {c}",
            (_wish("on", "a", "s"), _wish("in", "b", "c")),
        ),
        "gather": Chore(
            "Fill {s}",
            "Put the {a}, the {b} and the {g} on the {s}",
            (_wish("on", "a", "s"), _wish("on", "b", "s"), _wish("on", "g", "s")),
        ),
    }
)
"""Names: a, b, g things; w a dirty dish; r a dish; f a drink; s a surface; c a container; m a machine; d what
can be switched on; l what can be watched; e a seat."""

_PATTERNS = MappingProxyType({kind: chore.pattern for kind, chore in CHORES.items()})


def read_sentence(sentence: str) -> tuple[Wish, ...]:
    """The wishes of a task sentence.

    Raises:
        ValueError: If it is none that `CHORES` makes.
    """
    for kind, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(sentence.strip().removesuffix(".")):
            return wishes_of(kind, found.groupdict())
    raise ValueError(f"not a task sentence of the {len(CHORES)} chores: {sentence!r}")


def wishes_of(kind: str, names: Mapping[str, str]) -> tuple[Wish, ...]:
    """The wishes of a chore with these names filled in."""
    return tuple(
        Wish(wish.verb, names[wish.thing], names[wish.place] if wish.place else "")
        for wish in CHORES[kind].wishes
    )


def conditions_of(wishes: tuple[Wish, ...], ids: Mapping[str, int]) -> list[list[object]]:
    """The goal that says the same about a graph; see `goal.read_goal`."""
    return [_condition(wish, ids) for wish in wishes]


def _condition(wish: Wish, ids: Mapping[str, int]) -> list[object]:
    thing, agent = ids[wish.thing], ids[CHARACTER]
    match wish.verb:
        case "on":
            return ["edge", thing, ON, ids[wish.place]]
        case "in" | "poured":
            return ["edge", thing, INSIDE, ids[wish.place]]
        case "closed":
            return ["has_state", thing, "CLOSED"]
        case "running":
            return ["has_state", thing, "ON"]
        case "clean":
            return ["has_state", thing, "CLEAN"]
        case "seat":
            return ["edge", agent, ON, thing]
        case "facing":
            return ["edge", agent, FACING, thing]

"""Task templates: the sentences of generated tasks, and the subgoals that each sentence asks for.

One table serves both directions, so the expert can parse everything that the generator writes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from spa_lab.envs.virtualhome.graph import CHARACTER, FACING, INSIDE, ON

Verb = Literal["on", "in", "closed", "running", "clean", "seat", "facing", "poured"]


class Subgoal(NamedTuple):
    """One condition that a task asks for.

    `on`, `in`, `poured`: `thing` is on, is in, was poured into `target`; `closed`, `running`, `clean`: the
    state of `thing`; `seat`, `facing`: the agent sits on, faces `thing`.
    """

    verb: Verb
    thing: str
    target: str = ""


ParsedInstruction = tuple[Subgoal, ...]
"""The subgoals of a task sentence, in the order in which the expert achieves them."""


@dataclass(frozen=True)
class TaskTemplate:
    """A kind of task; names in braces (roles) stand for class names."""

    title: str
    sentence: str
    subgoals: ParsedInstruction
    """With roles in place of class names."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches its sentences; one group per role."""
        roles: set[str] = set()

        def group(match: re.Match[str]) -> str:
            role = match[1]
            is_repeated = role in roles
            roles.add(role)
            return f"(?P={role})" if is_repeated else f"(?P<{role}>[a-z_]+)"

        return re.compile(re.sub(r"\{(\w+)\}", group, self.sentence))


TEMPLATES: Mapping[str, TaskTemplate] = MappingProxyType(
    {
        "switch": TaskTemplate("Turn on {d}", "Switch on the {d}", (Subgoal("running", "d"),)),
        "move": TaskTemplate("Move {a}", "Put the {a} on the {s}", (Subgoal("on", "a", "s"),)),
        "store": TaskTemplate(
            "Store {a}",
            "Put the {a} in the {c} and close the {c}",
            (Subgoal("in", "a", "c"), Subgoal("closed", "c")),
        ),
        "wash": TaskTemplate(
            "Clean {w}",
            "Wash the {w} and put it on the {s}",
            (Subgoal("clean", "w"), Subgoal("on", "w", "s")),
        ),
        "run": TaskTemplate(
            "Use {m}",
            "Put the {a} in the {m}, close the {m} and switch on the {m}",
            (Subgoal("in", "a", "m"), Subgoal("closed", "m"), Subgoal("running", "m")),
        ),
        "load": TaskTemplate(
            "Load {m}",
            "Put the {a} and the {b} in the {m}, close the {m} and switch on the {m}",
            (
                Subgoal("in", "a", "m"),
                Subgoal("in", "b", "m"),
                Subgoal("closed", "m"),
                Subgoal("running", "m"),
            ),
        ),
        "watch": TaskTemplate(
            "Watch {l}",
            "Switch on the {l}, sit on the {e} and turn to the {l}",
            (Subgoal("running", "l"), Subgoal("seat", "e"), Subgoal("facing", "l")),
        ),
        "pour": TaskTemplate(
            "Serve {f}",
            "Put the {r} on the {s} and pour the {f} into the {r}",
            (Subgoal("on", "r", "s"), Subgoal("poured", "f", "r")),
        ),
        "tidy": TaskTemplate(
            "Tidy up",
            "Put the {a} on the {s} and put the {b} in the {c}",
            (Subgoal("on", "a", "s"), Subgoal("in", "b", "c")),
        ),
        "gather": TaskTemplate(
            "Fill {s}",
            "Put the {a}, the {b} and the {g} on the {s}",
            (Subgoal("on", "a", "s"), Subgoal("on", "b", "s"), Subgoal("on", "g", "s")),
        ),
    }
)
"""Kind of task -> its template. Roles: a, b, g any object; w a dirty dish; r a dish; f a drink; s a surface;
c a container; m an appliance that opens; d an appliance; l an appliance that can be watched; e a seat."""

_PATTERNS = MappingProxyType({kind: template.pattern for kind, template in TEMPLATES.items()})


def read_sentence(sentence: str) -> ParsedInstruction:
    """The subgoals of a task sentence.

    Raises:
        ValueError: no template produces the sentence.
    """
    for kind, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(sentence.strip().removesuffix(".")):
            return fill_subgoals(kind, match.groupdict())
    raise ValueError(f"task sentence {sentence!r}: matches none of the {len(TEMPLATES)} templates")


def fill_subgoals(kind: str, names: Mapping[str, str]) -> ParsedInstruction:
    """The subgoals of a template.

    Args:
        kind: one of `TEMPLATES`.
        names: role -> class name.
    """
    return tuple(
        Subgoal(subgoal.verb, names[subgoal.thing], names[subgoal.target] if subgoal.target else "")
        for subgoal in TEMPLATES[kind].subgoals
    )


def conditions_of(subgoals: ParsedInstruction, ids: Mapping[str, int]) -> list[list[object]]:
    """The same goal as conditions on the graph, see `goal.read_goal`.

    Args:
        subgoals: on class names.
        ids: class name -> node id.
    """
    return [_condition(subgoal, ids) for subgoal in subgoals]


def _condition(subgoal: Subgoal, ids: Mapping[str, int]) -> list[object]:
    thing, agent = ids[subgoal.thing], ids[CHARACTER]
    match subgoal.verb:
        case "on":
            return ["edge", thing, ON, ids[subgoal.target]]
        case "in" | "poured":
            return ["edge", thing, INSIDE, ids[subgoal.target]]
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

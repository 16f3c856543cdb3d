"""What a household task asks for, read from its sentence or from the parameters in ALFRED's task file."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

STATE_OF_VERB: Mapping[str, str] = MappingProxyType({"heat": "hot", "cool": "cool", "clean": "clean"})
_STATE_OF_TASK_TYPE = MappingProxyType(
    {
        "pick_heat_then_place_in_recep": "hot",
        "pick_cool_then_place_in_recep": "cool",
        "pick_clean_then_place_in_recep": "clean",
    }
)
_BASINS = MappingProxyType({"sink": "sinkbasin", "bathtub": "bathtubbasin"})
"""Receptacle types whose name in the texts is not ALFRED's."""
_SENTENCES = tuple(
    re.compile(pattern)
    for pattern in (
        r"put a (?P<state>hot|cool|clean) (?P<target>[a-z]+) in (?P<goal>[a-z]+)",
        r"(?P<verb>heat|cool|clean) some (?P<target>[a-z]+) and put it in (?P<goal>[a-z]+)",
        r"(?:put|find) (?P<two>two) (?P<target>[a-z]+) (?:and put them )?in (?P<goal>[a-z]+)",
        r"put (?:a|some) (?P<target>[a-z]+) (?:in|on) (?P<goal>[a-z]+)",
        r"look at (?P<target>[a-z]+) under the (?P<lamp>[a-z]+)",
        r"examine the (?P<target>[a-z]+) with the (?P<lamp>[a-z]+)",
    )
)


class ParsedInstruction(NamedTuple):
    """What a task asks for; types as in the texts, "" where nothing is asked."""

    target: str
    """Type of the object."""
    goal: str
    """Type of the receptacle that it is to be put in."""
    lamp: str
    """Type of the lamp under which it is to be examined."""
    state: str
    """"hot", "cool", "clean" or ""."""
    two: bool
    """Whether two such objects are to be put there."""


def parse_instruction(sentence: str) -> ParsedInstruction:
    """Parse one of ALFWorld's task sentences.

    Raises:
        ValueError: it has none of the forms of the six task types.
    """
    for pattern in _SENTENCES:
        if match := pattern.fullmatch(sentence.strip().removesuffix(".")):
            part = match.groupdict()
            state = part.get("state") or STATE_OF_VERB.get(part.get("verb", ""), "")
            return ParsedInstruction(
                part["target"], part.get("goal", ""), part.get("lamp", ""), state, "two" in part
            )
    raise ValueError(f"not a task sentence of the six types: {sentence!r}")


def instruction_from_params(task_type: str, params: Any) -> ParsedInstruction | None:
    """What ALFRED's `task_type` and `pddl_params` ask for, whatever words an annotator used.

    Returns:
        None if the parameters do not name the object, and the receptacle or the lamp.
    """
    if not isinstance(params, dict):
        return None
    target, goal, lamp = (
        _text_type(params.get(key)) for key in ("object_target", "parent_target", "toggle_target")
    )
    if task_type == "look_at_obj_in_light":
        goal = ""
    else:
        lamp = ""
    if not target or not (goal or lamp):
        return None
    state = _STATE_OF_TASK_TYPE.get(task_type, "")
    return ParsedInstruction(target, goal, lamp, state, task_type == "pick_two_obj_and_place")


def _text_type(name: Any) -> str:
    """A type as the texts write it: "AlarmClock" -> "alarmclock"."""
    lower = name.lower() if isinstance(name, str) else ""
    return _BASINS.get(lower, lower)

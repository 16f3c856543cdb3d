"""Transcripts of ReAct as one text: "Thought 1:", "Action 1:", "Observation 1:" on lines of their own."""

import re
from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_NAMES = ("traj", "trajectory", "transcript", "scratchpad", "text", "log", "history", "output")
_MARKER = re.compile(
    r"^[ \t>*]*(Thought|Action Input|Action|Act|Observation|Obs|Final Answer)[ \t]*\d*[ \t]*\**:\**[ \t]*",
    re.MULTILINE,
)


def holder(record: Mapping[str, Any]) -> str:
    """Name of the field with a transcript; empty without one."""
    for name in _NAMES:
        text = record.get(name)
        if isinstance(text, str):
            found = {match[1][:3] for match in _MARKER.finditer(text)}
            if {"Act", "Obs"} <= found:
                return name
    return ""


def why_not(record: Mapping[str, Any]) -> str:
    """A text with marked actions and observations."""
    return "" if holder(record) else f"no text with 'Action:' and 'Observation:' under {', '.join(_NAMES)}"


def episode(record: Row, ledger: Ledger) -> Row:
    """A thought or an action after an action begins a step; what stands before the first is the opening."""
    name = holder(record)
    if not name:
        raise ValueError(why_not(record))
    before, *parts = _MARKER.split(record[name])
    row: Row = {"initial_observation": before.strip(), "steps": []}
    for marker, said in zip(parts[::2], parts[1::2], strict=True):
        _add(row, marker, said.strip())
    return add_fields(row, rest(record, name), ledger)


def _add(row: Row, marker: str, said: str) -> None:
    steps = row["steps"]
    is_open = bool(steps) and "observation" not in steps[-1] and not steps[-1]["action"]
    if marker.startswith("Obs"):
        where, key = (steps[-1], "observation") if steps else (row, "initial_observation")
        where[key] = "\n".join(filter(None, (where.get(key, ""), said)))
        return
    if marker == "Action Input" and steps and "observation" not in steps[-1]:
        steps[-1]["action"] = f"{steps[-1]['action']} {said}".strip()
        return
    if not is_open:
        steps.append({"thought": "", "action": ""})
    if marker == "Thought":
        steps[-1]["thought"] = "\n".join(filter(None, (steps[-1]["thought"], said)))
    else:
        steps[-1]["action"] = f"Final Answer: {said}" if marker == "Final Answer" else said


ADAPTER = record_adapter("transcripts of ReAct", why_not, episode)

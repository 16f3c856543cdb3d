"""A user's own names of fields: `--map outcome=reward --map steps=trajectory.turns --map step.action=said`.

A mapping is applied to every record before its format is found: the value at a dotted path moves to a field
of a row, what lies around it stays where it is. Steps that are chat messages become `messages`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from spa_lab.importers.adapter import objects
from spa_lab.importers.documents import Document
from spa_lab.importers.rows import FIELDS, STEP_FIELDS, Row

STEP = "step."
"""Start of the targets that are fields of a step; their paths begin in a step."""


def parse_maps(given: Iterable[str]) -> dict[str, str]:
    """FIELD=PATH, as on the command line, as a mapping from field to path.

    Raises:
        ValueError: no "=", or a field is given twice.
    """
    maps: dict[str, str] = {}
    for text in given:
        target, equals, path = text.partition("=")
        if not equals or not target or not path:
            raise ValueError(f"map {text!r}: expected FIELD=PATH, as in outcome=reward")
        if target in maps:
            raise ValueError(f"map: two paths for {target!r}: {maps[target]} and {path}")
        maps[target] = path
    return maps


def check_targets(maps: Mapping[str, str]) -> None:
    """Raise unless every target is a field of a row or, after "step.", of a step.

    Raises:
        ValueError: names the target and the fields.
    """
    rows, steps = [*FIELDS, "messages"], [f"{STEP}{name}" for name in STEP_FIELDS]
    for target in maps:
        if target not in rows and target not in steps:
            raise ValueError(f"map: no field {target!r}; there are: {', '.join([*rows, *steps])}")


def mapped(document: Document, maps: Mapping[str, str]) -> Document:
    """The document with its records renamed.

    Raises:
        ValueError: no record has anything at a path (names it and the fields of the first record).
    """
    check_targets(maps)
    records = [dict(record) if isinstance(record, dict) else record for record in document.records]
    notes = []
    for target, path in maps.items():
        if target.startswith(STEP):
            continue
        n_found = sum(_move(record, path, target) for record in records if isinstance(record, dict))
        notes.append(_note(document, target, path, n_found, records))
    for record in records:
        if isinstance(record, dict) and _are_texts(record.get("steps")):
            record["steps"] = [{"text": text} for text in record["steps"]]
    of_steps = {target.removeprefix(STEP): path for target, path in maps.items() if target.startswith(STEP)}
    holders = [record for record in records if isinstance(record, dict) and objects(record.get("steps"))]
    for record in holders:
        record["steps"] = [dict(step) for step in record["steps"]]
    for target, path in of_steps.items():
        steps = [step for record in holders for step in record["steps"]]
        n_found = sum(_move(step, path, target) for step in steps)
        notes.append(_note(document, f"{STEP}{target}", path, n_found, steps))
    for record in holders:
        if all("role" in step or "from" in step for step in record["steps"]):
            record["messages"] = record.pop("steps")
    return replace(document, records=records, remarks=(*document.remarks, *notes))


def _are_texts(steps: Any) -> bool:
    return isinstance(steps, list) and bool(steps) and all(isinstance(step, str) for step in steps)


def _note(document: Document, target: str, path: str, n_found: int, among: list[Any]) -> str:
    if not n_found:
        there = ", ".join(map(str, among[0])) if among and isinstance(among[0], dict) else "none"
        what = "steps" if target.startswith(STEP) else "records"
        raise ValueError(
            f"{document.name}: map {target}={path}: none of {len(among)} {what} has {path!r}; "
            f"fields of the first: {there}"[:500]
        )
    return f"{target} is the field {path} of the log ({n_found} of {len(among)})"


def _move(record: Row, path: str, target: str) -> bool:
    """Move the value at a path to a field; whether there is one. Objects and lists on the way are copied."""
    *way, last = path.split(".")
    holder: Any = record
    for name in way:
        inner = holder.get(name) if isinstance(holder, dict) else _item(holder, name)
        if not isinstance(inner, dict | list):
            return False
        inner = dict(inner) if isinstance(inner, dict) else list(inner)
        holder[name if isinstance(holder, dict) else int(name)] = inner
        holder = inner
    if isinstance(holder, dict):
        if last not in holder:
            return False
        value = holder.pop(last)
    else:
        value = _item(holder, last)
        if value is None:
            return False
    if target in record:
        record[f"logged {target}"] = record[target]
    record[target] = value
    return True


def _item(holder: Any, name: str) -> Any:
    """An entry of a list, by its number in the path."""
    digits = name.removeprefix("-")
    if not isinstance(holder, list) or not digits.isdecimal() or len(digits) > 9:
        return None
    number = int(name)
    return holder[number] if -len(holder) <= number < len(holder) else None

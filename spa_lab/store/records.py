"""The hall's types as JSON lines: one object a line, `"schema"` first, ASCII, exact floats.

Reading is strict: an unknown schema, a missing, unknown or wrongly typed field and a broken line are
errors that name file and line. ASCII, because model text may hold what UTF-8 or line splitting cannot.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from spa_lab.store.files import read_text, write_text
from spa_lab.types import Credit, Step, Trajectory, ValueTruth

SCHEMA = 1
"""Version of every file that a run folder holds."""

Record = dict[str, Any]
_T = TypeVar("_T")

_STEP = {"text": str, "thought": str, "action": str, "observation": str, "grounded": bool}
_TRAJECTORY = {
    "id": str,
    "task_id": str,
    "env": str,
    "split": str,
    "instruction": str,
    "initial_observation": str,
    "steps": list,
    "outcome": float,
    "success": bool,
    "ended": str,
    "policy": str,
    "seed": int,
}
_CREDIT = {
    "trajectory_id": str,
    "source": str,
    "contributions": list,
    "base_value": float,
    "standard_error": (list, type(None)),
}
_TRUTH = {
    "trajectory_id": str,
    "values": list,
    "standard_error": list,
    "branches": int,
    "policy": str,
    "step_cap": int,
}


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace `path` by one line per record; raises StoreError if the disk refuses."""
    write_text(path, "".join(dump({"schema": SCHEMA, **record}) + "\n" for record in records))


def read_lines(path: Path, decode: Callable[[Record], _T]) -> list[_T]:
    """What `decode` makes of every line, in order.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: naming file and line: broken JSON, unknown schema, or what `decode` refuses.
    """
    items = []
    text = read_text(path)
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        record = load(line, where)
        del record["schema"]
        try:
            items.append(decode(record))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return items


def load(text: str, where: str) -> Record:
    """A JSON object of the known schema; raises ValueError that opens with `where`."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: truncated or broken JSON at column {error.colno}: {error.msg}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, found {type(record).__name__}")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"{where}: schema {record.get('schema')!r} found, {SCHEMA} expected")
    return record


def dump(record: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON in ASCII; raises ValueError where a value has no JSON form."""
    try:
        return json.dumps(record, allow_nan=False, indent=indent)
    except TypeError as error:
        raise ValueError(f"no JSON form: {error}") from None


def encode_trajectory(trajectory: Trajectory) -> Record:
    """A trajectory as plain JSON values, in the order of its fields; raises ValueError for a wrong type."""
    record = {name: getattr(trajectory, name) for name in _TRAJECTORY}
    record |= {"outcome": float(trajectory.outcome), "success": bool(trajectory.success)}
    record["seed"] = int(trajectory.seed)
    record["steps"] = [asdict(step) | {"grounded": bool(step.grounded)} for step in trajectory.steps]
    _check_trajectory(record)  # nothing is written that could not be read again
    return record


def decode_trajectory(record: Record) -> Trajectory:
    """The inverse of `encode_trajectory`; raises ValueError for anything else."""
    _check_trajectory(record)
    return Trajectory(**record | {"steps": tuple(Step(**step) for step in record["steps"])})


def peek_trajectory(record: Record) -> Record:
    """A trajectory as it stands in the file: its own fields are checked, its steps only for `grounded`.

    For an overview of many; `decode_trajectory` checks the rest of those that somebody opens.
    """
    _check_fields(record, _TRAJECTORY, "trajectory")
    for t, step in enumerate(record["steps"]):
        if not isinstance(step, dict) or not isinstance(step.get("grounded"), bool):
            raise ValueError(f"step {t} of trajectory {record['id']!r}: 'grounded' must be true or false")
    if not record["steps"]:
        raise ValueError(f"trajectory {record['id']!r}: needs at least 1 step, got 0")
    return record


def encode_credit(credit: Credit) -> Record:
    """A credit as plain JSON values, in the order of its fields."""
    error = credit.standard_error
    return {
        "trajectory_id": credit.trajectory_id,
        "source": credit.source,
        "contributions": credit.contributions.tolist(),
        "base_value": float(credit.base_value),
        "standard_error": None if error is None else error.tolist(),
    }


def decode_credit(record: Record) -> Credit:
    """The inverse of `encode_credit`; raises ValueError for anything else."""
    _check_fields(record, _CREDIT, "credit")
    _check_numbers(record, "contributions", "standard_error")
    return Credit(**record)


def encode_truth(truth: ValueTruth) -> Record:
    """A value truth as plain JSON values, in the order of its fields."""
    return {
        "trajectory_id": truth.trajectory_id,
        "values": truth.values.tolist(),
        "standard_error": truth.standard_error.tolist(),
        "branches": int(truth.branches),
        "policy": truth.policy,
        "step_cap": int(truth.step_cap),
    }


def decode_truth(record: Record) -> ValueTruth:
    """The inverse of `encode_truth`; raises ValueError for anything else."""
    _check_fields(record, _TRUTH, "truth")
    _check_numbers(record, "values", "standard_error")
    return ValueTruth(**record)


def encode_metrics(row: Mapping[str, Any]) -> Record:
    """One row of metrics; numpy scalars become plain and a number that is not finite becomes null.

    A metric may be undefined, and JSON has no NaN; null reads back as None and is NaN in a DataFrame.
    """
    if "schema" in row:
        raise ValueError("a metric may not be called 'schema': every line says its own")
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    for name, value in plain.items():
        if not isinstance(value, str | bool | int | float | None):
            raise ValueError(f"metric {name!r} must be a number, text or None, got {type(value).__name__}")
    return {name: None if _not_finite(value) else value for name, value in plain.items()}


def check_unique(ids: Sequence[str], what: str) -> None:
    """Raises ValueError naming the first id that is there twice."""
    seen: dict[str, int] = {}
    for position, name in enumerate(ids):
        if name in seen:
            raise ValueError(f"{what} {name!r} is there twice, at {seen[name]} and {position}")
        seen[name] = position


def _not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _check_trajectory(record: Record) -> None:
    _check_fields(record, _TRAJECTORY, "trajectory")
    for t, step in enumerate(record["steps"]):
        _check_fields(step, _STEP, f"step {t} of trajectory {record['id']!r}")


def _check_fields(record: object, fields: Mapping[str, Any], what: str) -> None:
    """Exactly these fields, each of its JSON type; an integer may stand for a float."""
    if not isinstance(record, dict):
        raise ValueError(f"{what}: expected a JSON object, found {type(record).__name__}")
    missing, unknown = fields.keys() - record.keys(), record.keys() - fields.keys()
    if missing or unknown:
        raise ValueError(f"{what}: fields missing {sorted(missing)}, unknown {sorted(unknown)}")
    for name, kind in fields.items():
        value = record[name]
        kinds = (int, float) if kind is float else kind
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{what}: field {name!r} holds {type(value).__name__} {value!r:.60}")


def _check_numbers(record: Record, *names: str) -> None:
    """Lists of numbers: numpy would read a list of digits in quotes, too."""
    for name in names:
        values = record[name] or ()
        if set(map(type, values)) <= {int, float}:  # quick: a run may hold millions; True is a bool here
            continue
        position = next(place for place, value in enumerate(values) if type(value) not in (int, float))
        raise ValueError(
            f"field {name!r}, value {position}: expected a number, found {values[position]!r:.60}"
        )

"""Trajectories, credits, truths, tasks and rows of numbers as JSON objects, and back.

Strict in both directions: a missing, unknown or wrongly typed field is a ValueError, so nothing is written
that could not be read again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spa_lab.store.lines import Record
from spa_lab.types import Credit, Labels, Step, TokenNumbers, Trajectory, ValueTruth

_STEP = {"text": str, "thought": str, "action": str, "observation": str, "grounded": (bool, type(None))}
_TRAJECTORY = {
    "id": str,
    "task_id": str,
    "env": str,
    "split": str,
    "instruction": str,
    "initial_observation": str,
    "steps": list,
    "outcome": (int, float, type(None)),
    "success": (bool, type(None)),
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
_LABELS = {"trajectory_id": str, "source": str, "values": list}
_TOKENS = {"trajectory_id": str, "name": str, "numbers": list, "texts": (list, type(None))}
_TASK = {"id": str, "kind": str, "split": str, "instruction": str, "expert_length": (int, type(None))}


@dataclass(frozen=True)
class TaskRecord:
    """What a run keeps of a task that was played in it; readers of the run do not need the world."""

    id: str
    kind: str
    """Task type within the world, for grouping."""
    split: str
    """Name of the panel."""
    instruction: str
    """The task sentence."""
    expert_length: int | None
    """Steps of the expert's own solution; None where it is unknown."""


def encode_trajectory(trajectory: Trajectory) -> Record:
    """A trajectory as plain JSON values, in the order of its fields; raises ValueError for a wrong type."""
    record = {name: getattr(trajectory, name) for name in _TRAJECTORY}
    record |= {"outcome": _plain(trajectory.outcome), "success": _plain(trajectory.success)}
    record["seed"] = int(trajectory.seed)
    record["steps"] = [vars(step) | {"grounded": _plain(step.grounded)} for step in trajectory.steps]
    _check_trajectory(record)  # nothing is written that could not be read again
    return record


def decode_trajectory(record: Record) -> Trajectory:
    """The inverse of `encode_trajectory`; raises ValueError for anything else."""
    _check_trajectory(record)
    return Trajectory(**record | {"steps": tuple(Step(**step) for step in record["steps"])})


def peek_trajectory(record: Record) -> Record:
    """A trajectory as it stands in the file: its own fields are checked, its steps only for `grounded`.

    For an overview of many; `decode_trajectory` checks the steps of a single one.
    """
    _check_fields(record, _TRAJECTORY, "trajectory")
    for t, step in enumerate(record["steps"]):
        if not isinstance(step, dict) or not isinstance(step.get("grounded", ""), bool | None):
            raise ValueError(
                f"step {t} of trajectory {record['id']!r}: 'grounded' must be true, false or null"
            )
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


def encode_labels(labels: Labels) -> Record:
    """Labels as plain JSON values; a step without one is null."""
    return {
        "trajectory_id": labels.trajectory_id,
        "source": labels.source,
        "values": [_plain(value) for value in labels.values.tolist()],
    }


def decode_labels(record: Record) -> Labels:
    """The inverse of `encode_labels`; raises ValueError for anything else."""
    _check_fields(record, _LABELS, "labels")
    known = {"values": [value for value in record["values"] if value is not None]}
    _check_numbers(known, "values")
    return Labels(**record | {"values": [np.nan if v is None else v for v in record["values"]]})


def encode_tokens(tokens: TokenNumbers) -> Record:
    """Numbers of tokens as plain JSON values."""
    return {
        "trajectory_id": tokens.trajectory_id,
        "name": tokens.name,
        "numbers": [step.tolist() for step in tokens.numbers],
        "texts": tokens.texts and [list(step) for step in tokens.texts],
    }


def decode_tokens(record: Record) -> TokenNumbers:
    """The inverse of `encode_tokens`; raises ValueError for anything else."""
    _check_fields(record, _TOKENS, "numbers of tokens")
    for name, kind in (("numbers", int | float), ("texts", str)):
        for t, step in enumerate(record[name] or ()):
            if not isinstance(step, list) or not all(isinstance(value, kind) for value in step):
                raise ValueError(f"field {name!r}, step {t}: expected a list, found {step!r:.60}")
    return TokenNumbers(**record)


def encode_task(task: TaskRecord) -> Record:
    """A task as plain JSON values, in the order of its fields; raises ValueError for a wrong type."""
    record = asdict(task)
    _check_fields(record, _TASK, "task")
    return record


def decode_task(record: Record) -> TaskRecord:
    """The inverse of `encode_task`; raises ValueError for anything else."""
    _check_fields(record, _TASK, "task")
    return TaskRecord(**record)


def encode_metrics(row: Mapping[str, Any]) -> Record:
    """One row of metrics or results; numpy scalars become plain, numbers that are not finite become null.

    A metric may be undefined, and JSON has no NaN; null reads back as None and is NaN in a DataFrame.

    Raises:
        ValueError: a value is neither a number nor text nor None (names the metric).
    """
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    for name, value in plain.items():
        if not isinstance(value, str | bool | int | float | None):
            raise ValueError(f"metric {name!r} must be a number, text or None, got {type(value).__name__}")
    return {name: None if _not_finite(value) else value for name, value in plain.items()}


def encode_meta(fields: Mapping[str, Any]) -> Record:
    """Fields of a foreign log as plain JSON values: what has no JSON form becomes text, NaN becomes null.

    Raises:
        ValueError: they are nested too deeply.
    """
    try:
        return {str(name): _plain(value) for name, value in fields.items()}
    except RecursionError:
        raise ValueError(f"nested too deeply: {', '.join(map(str, fields))}") from None


def check_unique(ids: Sequence[str], what: str) -> None:
    """Raises ValueError naming the first duplicate id and its two positions."""
    seen: dict[str, int] = {}
    for position, name in enumerate(ids):
        if name in seen:
            raise ValueError(f"duplicate {what} {name!r}, at {seen[name]} and {position}")
        seen[name] = position


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if _not_finite(value):
        return None
    return value if isinstance(value, str | bool | int | float | None) else str(value)


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
        kinds = (int, float) if kind is float else kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{what}: field {name!r} holds {type(value).__name__} {value!r:.60}")


def _check_numbers(record: Record, *names: str) -> None:
    """Lists of numbers: numpy would read a list of digits in quotes, too."""
    for name in names:
        values = record[name] or ()
        if set(map(type, values)) <= {int, float}:  # quick: a run may hold millions; True is a bool here
            continue
        position = next(i for i, value in enumerate(values) if type(value) not in (int, float))
        raise ValueError(
            f"field {name!r}, value {position}: expected a number, found {values[position]!r:.60}"
        )

"""One row of a log, as a checked trajectory with its credits; shared by all formats."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from spa_lab import react
from spa_lab.importers.ledger import Ledger
from spa_lab.store.files import read_text
from spa_lab.store.records import check_unique
from spa_lab.types import Credit, Step, Trajectory

Row = dict[str, Any]
FIELDS: Mapping[str, Any] = {
    "id": str, "task_id": str, "env": str, "split": str, "instruction": str, "initial_observation": str,
    "steps": list, "outcome": (int, float), "success": bool, "ended": str, "policy": str, "seed": int,
    "credits": dict, "base_values": dict,
}  # fmt: skip
"""Fields of a row: name -> JSON type. `steps` is required."""
STEP_FIELDS: Mapping[str, Any] = {
    "text": str, "thought": str, "action": str, "observation": str, "grounded": bool,
    "reward": (int, float),
}  # fmt: skip
"""Fields of a step; `action` or `text` is required."""

LOGGED_REWARD = "logged reward"
"""Source of the credit made of the steps' own rewards."""


class Imported(NamedTuple):
    """Content of a log."""

    trajectories: list[Trajectory]
    credits: list[Credit]
    notes: list[str]
    """Assumptions about what the log does not state, a sentence each."""
    ledger: Ledger
    """Account of what came in and what did not."""
    meta: Mapping[str, Row] = MappingProxyType({})
    """Trajectory id -> fields of the log that have no place in a trajectory."""


def read_rows(path: Path, plain: Callable[[Row], Row]) -> Imported:
    """Read every non-blank line of a file; `plain` turns a line into a row of `FIELDS`.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: naming file and line: broken JSON, or what `plain` or `trajectory_of` refuses; two
            trajectories of one id; or a file without rows.
    """
    trajectories, credits = [], []
    for where, line_number, row in _lines(path):
        try:
            checked = plain(row)
            trajectory = trajectory_of(checked, f"line-{line_number}")
            credits += credits_of(checked, trajectory)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        trajectories.append(trajectory)
    if not trajectories:
        raise ValueError(f"{path}: holds no rows")
    try:
        check_unique([trajectory.id for trajectory in trajectories], "trajectory")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    ledger = Ledger(episodes=len(trajectories), steps=sum(map(len, trajectories)))
    return Imported(trajectories, credits, unknown_notes(trajectories), ledger)


def trajectory_of(row: Row, name: str) -> Trajectory:
    """The trajectory of a row; missing fields get the defaults of `importers.steps`.

    Without a word on it the success is unknown where the outcome is, and where it lies between 0 and 1.

    Args:
        row: fields of `FIELDS`.
        name: the id if the row has none.

    Raises:
        ValueError: a field is missing, unknown or of a wrong type, or its value out of range.
    """
    check_fields(row, FIELDS, ("steps",), "row")
    trajectory_id: str = row.get("id", name)
    outcome = row.get("outcome")
    return Trajectory(
        id=trajectory_id,
        task_id=row.get("task_id", trajectory_id),
        env=row.get("env", "imported"),
        split=row.get("split", "imported"),
        instruction=row.get("instruction", ""),
        initial_observation=row.get("initial_observation", ""),
        steps=tuple(_step(step, index) for index, step in enumerate(row["steps"])),
        outcome=None if outcome is None else _to_float(outcome),
        success=row.get("success", bool(outcome) if outcome in (0, 1) else None),
        ended=row.get("ended", "done"),
        policy=row.get("policy", "agent"),
        seed=row.get("seed", 0),
    )


def unknown_notes(trajectories: Sequence[Trajectory]) -> list[str]:
    """What nobody knows of these trajectories, a sentence each."""
    grounding = [step.grounded for trajectory in trajectories for step in trajectory.steps]
    counts: dict[str, list[Any]] = {
        "steps: whether the world executed the action": grounding,
        "episodes: the outcome": [trajectory.outcome for trajectory in trajectories],
        "episodes: the success": [trajectory.success for trajectory in trajectories],
    }
    return [
        f"{values.count(None)} of {len(values)} {what} is unknown"
        for what, values in counts.items()
        if None in values
    ]


def credits_of(row: Row, trajectory: Trajectory) -> list[Credit]:
    """The credits of a row: one list of numbers per source, and the rewards that its steps name.

    A step without a reward, where another has one, was paid 0.

    Raises:
        ValueError: a source has no list of finite numbers, or not one per step.
    """
    credits = []
    bases = row.get("base_values", {})
    rewards = [step.get("reward") for step in row["steps"]]
    if any(reward is not None for reward in rewards):
        paid = np.array([_to_float(reward or 0) for reward in rewards])
        credits.append(Credit(trajectory.id, LOGGED_REWARD, paid))
    for source, values in row.get("credits", {}).items():
        if not isinstance(values, list) or any(_is_not_number(value) for value in values):
            raise ValueError(f"credits of {source!r} must be a list of numbers, got {values!r:.60}")
        if len(values) != len(trajectory):
            raise ValueError(
                f"credits of {source!r} are {len(values)} numbers, there are {len(trajectory)} steps"
            )
        contributions = np.array([_to_float(value) for value in values])
        base = bases.get(source, 0)
        if _is_not_number(base):
            raise ValueError(f"base value of {source!r} must be a number, got {base!r:.60}")
        credits.append(Credit(trajectory.id, source, contributions, _to_float(base)))
    return credits


def check_fields(row: object, fields: Mapping[str, Any], needed: tuple[str, ...], what: str) -> None:
    """Raise unless `row` is an object with these fields; suggests the right name for a misspelt one.

    Raises:
        ValueError: naming the field.
    """
    if not isinstance(row, dict):
        raise ValueError(f"{what}: expected a JSON object, got {type(row).__name__}")
    for name in row:
        if name not in fields:
            close = get_close_matches(name, fields, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(fields)}"
            raise ValueError(f"{what}: unknown field {name!r}; {hint}")
    for name in needed:
        if name not in row:
            raise ValueError(f"{what}: field {name!r} is missing")
    for name, value in row.items():
        kind = fields[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{what}: field {name!r} holds {type(value).__name__} {value!r:.60}")


def _lines(path: Path) -> Iterator[tuple[str, int, Row]]:
    """Location, line number from 1, and object of every non-blank line."""
    for line_number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {line_number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{where}: broken JSON at column {error.colno}: {error.msg}") from None
            except (ValueError, RecursionError) as error:  # numbers or nesting without limit
                raise ValueError(f"{where}: {error}") from None
            yield where, line_number, row


def _step(given: Row, index: int) -> Step:
    what = f"step {index}"
    check_fields(given, STEP_FIELDS, (), what)
    if "action" not in given and "text" not in given:
        raise ValueError(f"{what}: needs an 'action' or the 'text' that the model wrote")
    thought, action = react.parse(given["text"]) if "text" in given else ("", "")
    thought, action = given.get("thought", thought), given.get("action", action)
    text = given.get("text", react.write(thought, action))
    return Step(text, thought, action.strip(), given.get("observation", ""), given.get("grounded"))


def _is_not_number(value: object) -> bool:
    return not isinstance(value, int | float) or isinstance(value, bool)


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{value!r:.20}... is too large for a number") from None

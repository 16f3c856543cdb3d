"""One row of a log, as a checked trajectory; shared by all formats."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from spa_lab import react
from spa_lab.types import Step, Trajectory

Row = dict[str, Any]
FIELDS: Mapping[str, Any] = {
    "id": str, "task_id": str, "env": str, "split": str, "instruction": str, "initial_observation": str,
    "steps": list, "outcome": (int, float), "success": (bool, type(None)), "ended": str, "policy": str,
    "seed": int, "credits": dict, "base_values": dict, "standard_errors": dict, "truth": dict, "labels": dict,
}  # fmt: skip
"""Fields of a row: name -> JSON type. `steps` is required."""
STEP_FIELDS: Mapping[str, Any] = {
    "text": str, "thought": str, "action": str, "observation": str, "grounded": bool,
    "reward": (int, float), "value": (int, float), "advantage": (int, float), "tokens": list,
    "token_numbers": dict,
}  # fmt: skip
"""Fields of a step; `action` or `text` is required."""


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
        outcome=None if outcome is None else to_float(outcome),
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


def check_fields(row: object, fields: Mapping[str, Any], needed: tuple[str, ...], what: str) -> None:
    """Raise unless `row` is an object with these fields; suggests the right name for a misspelt one.

    Raises:
        ValueError: naming the field.
    """
    if not isinstance(row, dict):
        raise ValueError(f"{what}: expected a JSON object, got {type(row).__name__}")
    for name in row if not row.keys() <= fields.keys() else ():
        if name not in fields:
            close = get_close_matches(name, fields, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(fields)}"
            raise ValueError(f"{what}: unknown field {name!r}; {hint}")
    for name in needed:
        if name not in row:
            raise ValueError(f"{what}: field {name!r} is missing")
    for name, value in row.items():
        kind = fields[name]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{what}: field {name!r} holds {type(value).__name__} {value!r:.60}")


def _step(given: Row, index: int) -> Step:
    what = f"step {index}"
    check_fields(given, STEP_FIELDS, (), what)
    if "action" not in given and "text" not in given:
        raise ValueError(f"{what}: needs an 'action' or the 'text' that the model wrote")
    thought, action = given.get("thought"), given.get("action")
    if thought is None or action is None:
        read = react.parse(given["text"]) if "text" in given else ("", "")
        thought, action = read[0] if thought is None else thought, read[1] if action is None else action
    text = given["text"] if "text" in given else react.write(thought, action)
    return Step(text, thought, action.strip(), given.get("observation", ""), given.get("grounded"))


def to_float(value: float) -> float:
    """A number of a log as a float; raises ValueError if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{value!r:.20}... is too large for a number") from None

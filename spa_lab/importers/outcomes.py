"""Outcomes of a log as numbers in [0, 1]: which field, which range, and what is said where there is none."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spa_lab.importers.adapter import Found
from spa_lab.importers.annotations import LOGGED_REWARD
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row, to_float
from spa_lab.types import Trajectory

NAMES = (
    "outcome", "reward", "final_reward", "agent_final_reward", "total_reward", "score", "success", "resolved",
    "correct", "is_correct", "passed", "return",
)  # fmt: skip
"""Fields that hold the outcome of an episode, the first that is there counts."""
TRUTHS = {"true": 1.0, "false": 0.0}
"""As in the cells of a table."""
DEPTH = 3
"""Levels of meta in which an outcome is looked for where the log's own has none of these names."""


def outcome_in(record: Mapping[str, Any]) -> tuple[str, float | None]:
    """Name and value of the field of a record that holds its outcome; "" and None without one."""
    for name in NAMES:
        value = number(record.get(name))
        if value is not None:
            return name, value
    return "", None


def number(value: Any) -> float | None:
    """A finite number, true or false, or one of them as text, as a number; None for anything else."""
    if isinstance(value, str) and value.lower() in TRUTHS:
        return TRUTHS[value.lower()]
    try:
        found = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def settle_outcomes(
    found: list[Found], ledger: Ledger, field: str | None, scale: tuple[float, float] | None
) -> None:
    """Give every row an outcome in [0, 1], or none, in place; rewards and credits are scaled alike.

    Args:
        found: the rows.
        ledger: is told what was assumed and scaled.
        field: that of the adapters, which the rows say in `outcome_field`, or one of `meta`, dotted; the
            adapters' if None.
        scale: the range that becomes [0, 1]; if None, the outcomes' own where one lies outside of [0, 1].

    Raises:
        ValueError: a row without the field, an outcome that is no finite number, a scale that is no range, an
            outcome outside of it.
    """
    for where, row, _ in found:
        chosen = row.pop("outcome_field", None)
        if field is not None and field != chosen:
            _choose(row, field, chosen, where, ledger)
        elif row.get("outcome") is None:
            _sum_rewards(row, ledger)
        if isinstance(row.get("outcome"), bool):
            row["outcome"] = float(row["outcome"])
        if "outcome" in row and number(row["outcome"]) is None:
            raise ValueError(f"{where}: expected a finite outcome, got {row['outcome']!r:.20}")
    foreign = [one for one in found if scale or not one.is_own]
    values = [one.row["outcome"] for one in foreign if "outcome" in one.row]
    if scale is None:
        low, high = min(values, default=0), max(values, default=1)
        if 0 <= low and high <= 1:
            return
        low, high = min(low, 0), max(high, 1)
        n_ends = sum(one.row.get("outcome") in (low, high) and "success" not in one.row for one in foreign)
        if n_ends:
            ledger.assumed["success: the ends of the range of the outcomes are failure and success"] += n_ends
    else:
        low, high = scale
        if not low < high:
            raise ValueError(f"scale: the low end must lie below the high end, got {low:g} and {high:g}")
    reach = f"reach from {min(values):g} to {max(values):g}" if values else "are unknown"
    ledger.notes.append(
        f"outcomes {reach}: scaled from [{low:g}, {high:g}] to [0, 1], "
        f"credits alike; the logged ones are in meta (logged_outcome)"
    )
    for where, row, _ in foreign:
        _scale(row, low, high, where)


def outcome_hints(trajectories: Sequence[Trajectory], meta: Mapping[str, Row]) -> list[str]:
    """Fields of meta that may hold the outcomes which are unknown, for `--outcome`."""
    unknown = [meta.get(trajectory.id, {}) for trajectory in trajectories if trajectory.outcome is None]
    if not unknown:
        return []
    counts = Counter(path for fields in unknown for path in _outcome_paths(fields, DEPTH))
    named = [f"{path} ({n})" for path, n in counts.most_common(3)]
    return [f"fields that may hold it, for --outcome: {', '.join(named)}"] if named else []


def _outcome_paths(fields: Row, depth: int) -> Iterator[str]:
    for name, value in fields.items():
        if name in NAMES and number(value) is not None:
            yield name
        elif isinstance(value, dict) and depth and name not in ("steps", "messages"):
            yield from (f"{name}.{path}" for path in _outcome_paths(value, depth - 1))


def _choose(row: Row, field: str, chosen: str | None, where: str, ledger: Ledger) -> None:
    """Take the outcome from a field of meta, where the one that the adapter took goes."""
    meta = row.get("meta", {})
    outcome = _looked_up(meta, field, where)
    if chosen is not None:
        row["meta"] = meta | ledger.carry({chosen: row.get("outcome")})
    row["outcome"] = outcome


def _looked_up(meta: Row, field: str, where: str) -> float:
    value: Any = meta
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    found = number(value)
    if found is None:
        there = ", ".join(meta) or "none"
        raise ValueError(f"{where}: no number in the field {field!r} for the outcome; fields: {there}")
    return found


def _sum_rewards(row: Row, ledger: Ledger) -> None:
    """The sum of the steps' rewards stands for an outcome; without rewards it is unknown."""
    row.pop("outcome", None)
    rewards = [step["reward"] for step in row["steps"] if number(step.get("reward")) is not None]
    if rewards:
        row["outcome"] = float(sum(rewards))
        ledger.assumed["no outcome in the log: the sum of its rewards"] += 1


def _scale(row: Row, low: float, high: float, where: str) -> None:
    width = high - low
    if "outcome" in row:
        logged = row["outcome"]
        if not low <= logged <= high:
            raise ValueError(f"{where}: the outcome {logged:g} lies outside of the scale [{low:g}, {high:g}]")
        row["meta"] = row.get("meta", {}) | {"logged_outcome": logged}
        row["outcome"] = (logged - low) / width
    for step in row["steps"]:
        for name, start in (("reward", 0), ("advantage", 0), ("value", low)):
            if number(step.get(name)) is not None:
                step[name] = (step[name] - start) / width
    for name in ("credits", "standard_errors"):  # in new objects: rows in memory stay as they are
        if name in row:
            row[name] = {source: _scaled(values, 0, width) for source, values in row[name].items()}
    bases = row.get("base_values", {})
    of = _sources(row) if low else bases  # a source without a base value predicts from 0 of the log
    if of:
        row["base_values"] = {source: _scaled([bases.get(source, 0)], low, width)[0] for source in of}
    for name, start in (("values", low), ("standard_error", 0)):
        if name in row.get("truth", {}):
            row["truth"] = row["truth"] | {name: _scaled(row["truth"][name], start, width)}


def _sources(row: Row) -> list[str]:
    """Sources that have a base value, 0 if the row does not say it."""
    is_paid = any(number(step.get("reward")) is not None for step in row["steps"])
    return [
        *dict.fromkeys([*row.get("credits", {}), *row.get("base_values", {}), *[LOGGED_REWARD] * is_paid])
    ]


def _scaled(values: Any, start: float, width: float) -> Any:
    """What is no list of numbers is left to be refused."""
    if not isinstance(values, list):
        return values
    return [
        (to_float(value) - start) / width if isinstance(value, int | float) else value for value in values
    ]

"""The package's own format `steps`, see `importers.steps`; other fields are kept in `meta`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from spa_lab.importers.adapter import as_text, missing, objects, record_adapter, rest
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import outcome_in
from spa_lab.importers.rows import FIELDS, STEP_FIELDS, Row, check_fields


def why_not(record: Mapping[str, Any]) -> str:
    """A list of steps with an action or a text each."""
    if said := missing(record, steps=list):
        return said
    steps = record["steps"]
    if not objects(steps) and steps:
        return "'steps' are no objects"
    acts = [step for step in steps if "action" in step or "text" in step]
    foreign = [step for step in steps if "source" in step or "role" in step]
    return "" if not steps or (acts and not foreign) else "no step has an 'action' or a 'text'"


def row_of(record: Any, ledger: Ledger) -> Row:
    """The known fields of a row, checked; others go to `meta`, unless one looks like a misspelt name."""
    if not isinstance(record, dict):
        raise ValueError(f"row: expected a JSON object, got {type(record).__name__}")
    name, outcome = outcome_in(record)
    extra = rest(record, *FIELDS, "meta", *([name] if name not in FIELDS and outcome is not None else []))
    row = {key: record[key] for key in record if key in FIELDS and record[key] is not None}
    if outcome is not None and (name == "outcome" or "outcome" not in row):
        row["outcome"] = outcome
    row |= {key: str(row[key]) for key in ("id", "task_id") if isinstance(row.get(key), int)}
    _check_names(extra, FIELDS, "row")
    check_fields(row, FIELDS, ("steps",), "row")
    meta = ledger.carry(extra) | ledger.carry(record.get("meta", {}), "meta.")
    row["steps"] = [_step(step, f"step {index}", ledger) for index, step in enumerate(row["steps"])]
    row |= {"outcome_field": name} if name else {}
    return row | ({"meta": meta} if meta else {})


def _step(given: Any, what: str, ledger: Ledger) -> Row:
    if not isinstance(given, dict):
        raise ValueError(f"{what}: expected a JSON object, got {type(given).__name__}")
    step = {key: value for key, value in given.items() if key in STEP_FIELDS and value is not None}
    for key in ("action", "observation"):
        if key in step and not isinstance(step[key], str):
            step[key] = as_text(step[key])
    if given.keys() <= STEP_FIELDS.keys():
        return step
    extra = rest(given, *STEP_FIELDS, "meta")
    _check_names(extra, STEP_FIELDS, what)
    meta = ledger.carry(extra, "step.") | ledger.carry(given.get("meta", {}), "step.meta.")
    return step | ({"meta": meta} if meta else {})


def _check_names(extra: Row, known: Mapping[str, Any], what: str) -> None:
    for name in extra:
        if close := get_close_matches(str(name), known, n=1, cutoff=0.8):
            raise ValueError(f"{what}: unknown field {name!r}; did you mean {close[0]!r}?")


ADAPTER = record_adapter("steps of this package", why_not, row_of)

"""Evaluation outputs of OpenHands: a record an instance, with the events as `history` and the verdict."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.events import episode_of_events, is_events
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """A history of events."""
    if said := missing(record, history=list):
        return said
    return "" if is_events(_flat(record["history"])) else "'history' holds no events"


def episode(record: Row, ledger: Ledger) -> Row:
    """The verdict is `resolved` in the report of the tests."""
    report = (record.get("test_result") or {}).get("report") or {}
    row = episode_of_events(_flat(record["history"]), ledger)
    row = add_fields(row, rest(record, "history", "instance_id"), ledger, also=report)
    return row | ({"id": str(record["instance_id"])} if "instance_id" in record else {})


def _flat(history: Any) -> list[Row]:
    """Older records hold pairs of an action and its observation."""
    return [event for item in history for event in (item if isinstance(item, list) else [item])]


ADAPTER = record_adapter("OpenHands evaluation output", why_not, episode)

"""mini-swe-agent: `messages`, the last one of the role "exit", and `info` with the exit status."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """Marked by its format, or by the exit status beside the messages."""
    if said := missing(record, messages=list):
        return said
    info = record.get("info")
    marked = isinstance(info, dict) and "exit_status" in info
    is_named = str(record.get("trajectory_format", "")).startswith("mini-swe-agent")
    return (
        ""
        if objects(record["messages"]) and (is_named or marked)
        else "no 'trajectory_format' or exit status"
    )


def episode(record: Row, ledger: Ledger) -> Row:
    """Commands are tool calls (version 2) or blocks of bash (version 1)."""
    info = record.get("info") or {}
    limit = "limit" in str(info.get("exit_status", "")).lower()
    row = row_of_messages(rest(record, "instance_id"), "messages", ledger)
    if "instance_id" in record:
        row["id"] = str(record["instance_id"])
    model = ((info.get("config") or {}).get("model") or {}).get("model_name")
    row |= {"policy": model} if isinstance(model, str) else {}
    return row | ({"ended": "step_limit"} if limit else {})


ADAPTER = record_adapter("mini-swe-agent", why_not, episode)

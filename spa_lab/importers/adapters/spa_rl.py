"""Explorations of the released SPA-RL, and its contributions per turn (`turn_values`)."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """A conversation with the final reward or the values of turns."""
    chat = objects(record.get("agent_conversations")) or objects(record.get("conversations"))
    marked = "agent_final_reward" in record or "turn_values" in record
    return "" if chat and marked else "no conversations with 'agent_final_reward' or 'turn_values'"


def episode(record: Row, ledger: Ledger) -> Row:
    """`turn_values` has a number for every turn of the agent, the first one ("OK") included."""
    name = "agent_conversations" if "agent_conversations" in record else "conversations"
    plain = rest(record, "turn_values")
    if "ground_truth" in plain and "agent_final_reward" not in plain:
        plain["outcome"] = plain.pop("ground_truth")
    row = row_of_messages(plain, name, ledger)
    if "turn_values" in record:
        add_credit(row, "turn_values", record["turn_values"], ledger)
    return row


def add_credit(row: Row, source: str, values: Any, ledger: Ledger) -> None:
    """The numbers as a credit, if there is one for every turn."""
    if isinstance(values, list) and len(values) == len(row["steps"]):
        row["credits"] = row.get("credits", {}) | {source: values}
    else:
        ledger.drop(source, "not one number for every turn; kept in meta")
        row["meta"] = row.get("meta", {}) | {source: values}


ADAPTER = record_adapter("SPA-RL exploration", why_not, episode)

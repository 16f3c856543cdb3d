"""Who&When: a history of several agents, with the agent and step of the decisive mistake."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import ROLES
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """A history with the mistake that was found in it."""
    said = missing(record, history=list) or ("" if "mistake_step" in record else "no 'mistake_step'")
    return said or ("" if objects(record["history"]) else "'history' holds no messages")


def episode(record: Row, ledger: Ledger) -> Row:
    """Everything after the question is a step of some agent; the mistake is a label of -1 at its step.

    A mistake that is at none of these steps stays in meta.
    """
    opening = [entry for entry in record["history"][:1] if _is_human(entry)]
    turns = record["history"][len(opening) :]
    messages = [rest(entry, "role") | {"role": "user"} for entry in opening]
    for entry in turns:
        speaker = entry.get("name") or entry.get("role") or "agent"
        messages.append(
            rest(entry, "role", "name")
            | {"role": "assistant", "agent": speaker, "logged_role": entry.get("role")}
        )
    plain = rest(record, "history", "mistake_step", "is_correct", "is_corrected", "question_ID")
    plain["outcome"] = number(record.get("is_correct", record.get("is_corrected")))
    if "question_ID" in record:
        plain["id"] = record["question_ID"]
    row = row_of_messages(plain | {"messages": messages}, "messages", ledger)
    step = number(record["mistake_step"])
    labels = [-1.0 if index + len(opening) == step else 0.0 for index in range(len(row["steps"]))]
    if any(labels):
        row["labels"] = {"mistake": labels}
    else:
        row["meta"] = row.get("meta", {}) | ledger.carry({"mistake_step": record["mistake_step"]})
    return row


def _is_human(entry: Row) -> bool:
    return ROLES.get(str(entry.get("role", "")).lower()) == "user"


ADAPTER = record_adapter("Who&When", why_not, episode)

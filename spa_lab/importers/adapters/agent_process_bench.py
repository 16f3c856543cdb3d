"""AgentProcessBench: messages with labels -1, 0, +1 by message index; which become labels of steps."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import step_indices
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """Messages and a label for each of the agent's."""
    return missing(record, messages=list, step_labels=dict) or (
        "" if objects(record["messages"]) else "no messages"
    )


def episode(record: Row, ledger: Ledger) -> Row:
    """The final label is the outcome: right (1) or not. Samples of a query share its index, the task's."""
    labels = record["step_labels"]
    indices = step_indices(record["messages"])
    plain = rest(record, "step_labels", "query_index")
    final = number(record.get("final_label"))
    plain["outcome"] = None if final is None else float(final > 0)
    source, query = record.get("data_source", "query"), record.get("query_index")
    if query is not None:
        plain |= {"task_id": f"{source}/{query}", "id": f"{source}/{query}/{record.get('sample_index', 0)}"}
    row = row_of_messages(plain, "messages", ledger)
    values = [labels.get(str(index)) for index in indices]
    known = [number(value) for value in values]
    if extra := rest(labels, *map(str, indices)):
        row["meta"] = row.get("meta", {}) | ledger.carry({"step_labels": extra})
    if known:
        row["labels"] = {"step label": known}
    return row


ADAPTER = record_adapter("AgentProcessBench", why_not, episode)

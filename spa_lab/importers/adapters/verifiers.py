"""Results of verifiers and prime-rl: `prompt` and `completion` as messages, `reward`."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """Messages under both names; the prompt may be one text."""
    if said := missing(record, prompt=(list, str), completion=(list, str)):
        return said
    return (
        ""
        if objects(record["completion"]) or record["completion"] == []
        else "'completion' holds no messages"
    )


def episode(record: Row, ledger: Ledger) -> Row:
    """Rollouts of one example share its id, so it is the task's."""
    prompt = record["prompt"]
    prompt = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    plain = rest(record, "prompt", "completion", "example_id") | {"messages": prompt + record["completion"]}
    if "example_id" in record:
        plain["id"] = record["example_id"]
    return row_of_messages(plain, "messages", ledger)


ADAPTER = record_adapter("verifiers results", why_not, episode)

"""LangSmith runs: LangChain messages under `outputs`, the first feedback as outcome."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.dialects import plain
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """A run with messages in its outputs."""
    if said := missing(record, run_type=str, inputs=dict, outputs=dict):
        return said
    return "" if objects(record["outputs"].get("messages")) else "no messages under 'outputs'"


def episode(record: Row, ledger: Ledger) -> Row:
    """The outputs repeat the inputs in a graph's state, and only answer them otherwise."""
    asked = objects(record["inputs"].get("messages"))
    told = record["outputs"]["messages"]
    repeats = [plain(message) for message in told[: len(asked)]] == [plain(message) for message in asked]
    messages = told if repeats else asked + told
    fields = rest(record, "inputs", "outputs")
    fields |= {"inputs": rest(record["inputs"], "messages"), "outputs": rest(record["outputs"], "messages")}
    feedback = record.get("feedback_stats") or {}
    for name, stats in feedback.items():
        if isinstance(stats, dict) and number(stats.get("avg")) is not None:
            fields |= {"outcome": number(stats["avg"]), "feedback": name}
            break
    return add_fields(episode_of(messages, ledger), fields, ledger)


ADAPTER = record_adapter("LangSmith runs", why_not, episode)

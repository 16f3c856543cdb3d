"""ShareGPT conversations ("from", "value"), as in the demonstrations of ETO, AgentGym and SPA-RL."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import objects, record_adapter
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

NAMES = ("conversations", "conversation", "items")


def _holder(record: Mapping[str, Any]) -> str:
    for name in NAMES:
        turns = objects(record.get(name))
        if turns and all("from" in turn and "value" in turn for turn in turns):
            return name
    return ""


def why_not(record: Mapping[str, Any]) -> str:
    """A list of turns with "from" and "value"."""
    return "" if _holder(record) else "no conversations of turns with 'from' and 'value'"


def episode(record: Row, ledger: Ledger) -> Row:
    """The turns; `item_id` of AgentGym and `game_file` of ETO stay in meta."""
    return row_of_messages(record, _holder(record), ledger)


ADAPTER = record_adapter("ShareGPT conversations (ETO, AgentGym, SPA-RL)", why_not, episode)

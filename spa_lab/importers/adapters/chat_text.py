"""Whole chats as one text with chat markers, as in the columns that supervised fine-tuning reads."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import record_adapter
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.chat_markers import is_marked, split
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_NAMES = ("text", "chat", "conversation", "transcript", "full_text")


def _holder(record: Mapping[str, Any]) -> str:
    texts = ((name, record.get(name)) for name in _NAMES)
    return next((name for name, text in texts if isinstance(text, str) and is_marked(text)), "")


def why_not(record: Mapping[str, Any]) -> str:
    """A text with the markers of Qwen, Llama 3 or Gemma."""
    return "" if _holder(record) else f"no text with chat markers under {', '.join(_NAMES)}"


def episode(record: Row, ledger: Ledger) -> Row:
    """The text split at its markers."""
    name = _holder(record)
    if not name:
        raise ValueError(why_not(record))
    return row_of_messages(record | {name: split(record[name], "user")}, name, ledger)


ADAPTER = record_adapter("chats as text with markers", why_not, episode)

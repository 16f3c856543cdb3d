"""OpenAI chat messages, with or without tool calls: a record with a list of messages, or one bare list."""

from collections.abc import Iterator, Mapping
from typing import Any

from spa_lab.importers.adapter import Adapter, Located, objects, record_adapter
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row

NAMES = ("messages", "conversation", "conversations", "chat", "dialog", "trajectory", "traj", "history")
"""Fields that hold messages, the first that does counts."""

_LANGCHAIN = ("human", "ai", "system", "tool", "function")
"""Types of LangChain's messages, which have no role."""


def holder(record: Mapping[str, Any]) -> str:
    """Name of the field with the messages; empty without one."""
    for name in NAMES:
        messages = objects(record.get(name))
        if messages and all("role" in message or message.get("type") in _LANGCHAIN for message in messages):
            return name
    return ""


def why_not(record: Mapping[str, Any]) -> str:
    """A list of messages that have a role."""
    return "" if holder(record) else f"no list of messages with 'role' under {', '.join(NAMES)}"


def episode(record: Row, ledger: Ledger) -> Row:
    """The messages of a record, its outcome, and its other fields."""
    return row_of_messages(record, holder(record), ledger)


def _is_bare(document: Document) -> bool:
    """Whether the records are the messages of one episode."""
    messages = objects(document.records)
    return bool(messages) and all("role" in message and "content" in message for message in messages)


def _why_not(document: Document) -> str:
    return "" if _is_bare(document) else _PER_RECORD.why_not(document)


def _episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    if _is_bare(document):
        yield document.name, episode_of(document.records, ledger)
    else:
        yield from _PER_RECORD.episodes(document, ledger)


_PER_RECORD = record_adapter("OpenAI chat messages", why_not, episode)
ADAPTER = Adapter(_PER_RECORD.title, _why_not, _episodes)

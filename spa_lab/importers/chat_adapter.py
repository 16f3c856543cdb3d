"""Adapters of chats: a record with a list of messages, or one bare list, in the dialect of one framework."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, objects, record_adapter
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.dialects import is_message
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row

NAMES = (
    "messages", "conversation", "conversations", "chat", "dialog", "trajectory", "traj", "history",
    "contents", "events", "messages_and_choices",
)  # fmt: skip
"""Fields that hold messages, the first that does counts."""
_SAYING = ("content", "parts", "tool_calls", "data", "kwargs", "message")
"""Fields of which a message without a record around it has one."""


def _any_message(message: Row) -> bool:
    return True


def _as_it_is(entries: list[Row], ledger: Ledger) -> Iterable[Row]:
    return entries


@dataclass(frozen=True)
class _Dialect:
    """What makes a list of entries one of this dialect, and how it is read."""

    title: str
    is_marked: Callable[[Row], bool]
    lacking: str
    convert: Callable[[list[Row], Ledger], Iterable[Row]]
    is_entry: Callable[[Row], bool]
    what: str
    names: Sequence[str]

    def holder(self, record: Mapping[str, Any]) -> str:
        """Name of the field with the entries; empty without one."""
        lists = ((name, _objects_in(record.get(name))) for name in self.names)
        return next((name for name, found in lists if found and all(map(self.is_entry, found))), "")

    def why_not_record(self, record: Mapping[str, Any]) -> str:
        name = self.holder(record)
        if not name:
            is_general = self.is_entry is is_message and self.is_marked is _any_message
            where = f" under {', '.join(self.names)}" if is_general or self.names is not NAMES else ""
            return f"no list of {self.what}{where}"
        return "" if any(map(self.is_marked, _objects_in(record[name]))) else self.lacking

    def episode(self, record: Row, ledger: Ledger) -> Row:
        name = self.holder(record)
        if not name:
            raise ValueError(self.why_not_record(record))
        messages = list(self.convert(_objects_in(record[name]), ledger))
        return row_of_messages({**record, name: messages}, name, ledger)

    def is_bare(self, document: Document) -> bool:
        """Whether the records are the entries of one episode."""
        entries = objects(document.records)
        says = self.is_entry is not is_message or all(any(key in one for key in _SAYING) for one in entries)
        return bool(entries) and says and all(map(self.is_entry, entries))

    def adapter(self) -> Adapter:
        per_record = record_adapter(self.title, self.why_not_record, self.episode)

        def why_not(document: Document) -> str:
            if self.is_bare(document):
                return "" if any(map(self.is_marked, document.records)) else self.lacking
            return per_record.why_not(document)

        def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
            if not self.is_bare(document):
                yield from per_record.episodes(document, ledger)
                return
            try:
                yield document.name, episode_of(self.convert(document.records, ledger), ledger)
            except NoEpisode as error:
                ledger.drop("messages", str(error))

        return Adapter(self.title, why_not, episodes)


def chat_adapter(
    title: str,
    is_marked: Callable[[Row], bool] = _any_message,
    lacking: str = "",
    *,
    convert: Callable[[list[Row], Ledger], Iterable[Row]] = _as_it_is,
    is_entry: Callable[[Row], bool] = is_message,
    what: str = "messages with 'role'",
    names: Sequence[str] = NAMES,
) -> Adapter:
    """An adapter of lists of messages.

    Args:
        title: as in `Adapter`.
        is_marked: whether a message has the mark of the dialect; one of a list must.
        lacking: what is said where none has.
        convert: makes messages that `importers.messages` reads of the entries; counts what it leaves out.
        is_entry: whether an object belongs into such a list.
        what: what such objects are, for the message where there are none.
        names: fields of a record that may hold the list.
    """
    return _Dialect(title, is_marked, lacking, convert, is_entry, what, names).adapter()


def _objects_in(value: Any) -> list[Row]:
    """A list of objects, also as JSON text, as in columns of tables."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return objects(value)

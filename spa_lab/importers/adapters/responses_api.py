"""OpenAI's Responses API: a response with its input, or a list of items (as the Agents SDK keeps them)."""

from collections.abc import Iterator, Mapping
from typing import Any

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.responses import is_call, is_reply, messages_of
from spa_lab.importers.rows import Row

_NAMES = ("input", "items", "output", "messages")
"""Fields that hold items, in the order in which they were said."""


def _are_items(value: Any) -> bool:
    """Messages and items of which one has a type that only this interface has."""
    items = objects(value)
    kinds = {str(item.get("type", "message")) for item in items}
    own = {kind for kind in kinds if is_call(kind) or is_reply(kind) or kind == "reasoning"}
    texts = [part.get("type") for item in items for part in objects(item.get("content"))]
    said = all("role" in item or item.get("type") != "message" for item in items)
    return said and (bool(own) or "output_text" in texts) and kinds - own <= {"message", "item_reference"}


def _why_not_record(record: Mapping[str, Any]) -> str:
    good = any(_are_items(record.get(name)) for name in _NAMES)
    return "" if good else f"no items (function_call, reasoning, ...) under {', '.join(_NAMES)}"


def _episode(record: Row, ledger: Ledger) -> Row:
    """The items of the input, then those of the output."""
    items: list[Row] = []
    for name in _NAMES:
        given = record.get(name)
        items += [{"role": "user", "content": given}] if isinstance(given, str) else objects(given)
    return add_fields(episode_of(messages_of(items, ledger), ledger), rest(record, *_NAMES), ledger)


_PER_RECORD = record_adapter("OpenAI Responses", _why_not_record, _episode)


def _why_not(document: Document) -> str:
    return "" if _are_items(document.records) else _PER_RECORD.why_not(document)


def _episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    if not _are_items(document.records):
        yield from _PER_RECORD.episodes(document, ledger)
        return
    try:
        yield document.name, episode_of(messages_of(document.records, ledger), ledger)
    except NoEpisode as error:
        ledger.drop("items", str(error))


ADAPTER = Adapter(_PER_RECORD.title, _why_not, _episodes)

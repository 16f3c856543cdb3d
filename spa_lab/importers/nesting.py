"""Episodes that lie one level deeper: a list or a table in one object, a field of each record."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from spa_lab.importers.adapter import objects, rest
from spa_lab.importers.documents import Document
from spa_lab.importers.rows import Row


def inner_documents(document: Document) -> Iterator[tuple[Document, Row]]:
    """What the document may hold, and the fields around it; tried where it fits no format itself."""
    records = document.records
    if document.is_single and isinstance(records[0], dict):
        yield from _in_object(document, records[0])
    elif records and all(objects(record) for record in records):
        wrapped = [{"messages": record} for record in records]
        yield _of(document, wrapped, "lists"), {}
    common = set.intersection(*map(set, records)) if objects(records) else set()
    for name in (name for name in records[0] if name in common) if common else ():
        if all(isinstance(record[name], dict) for record in records):
            yield _of(document, [_merged(record, name) for record in records], f"in {name!r}"), {}


def _in_object(document: Document, record: Row) -> Iterator[tuple[Document, Row]]:
    for name, value in record.items():
        if objects(value):
            yield _of(document, value, f"list {name!r}"), rest(record, name)
    if objects(list(record.values())):
        named = [{"id": name} | value for name, value in record.items()]
        yield _of(document, named, "by id"), {}


def _merged(record: Row, name: str) -> Row:
    """The record with the fields of one of its objects as its own; of two that share a name both are kept."""
    inner: dict[str, Any] = record[name]
    outer = {f"outer {key}" if key in inner else key: value for key, value in rest(record, name).items()}
    return outer | inner


def _of(document: Document, records: list[Any], how: str) -> Document:
    return replace(document, records=records, form=f"{document.form}, {how}", lines=_lines(document, records))


def _lines(document: Document, records: list[Any]) -> Any:
    return document.lines if len(document.lines) == len(records) else ()

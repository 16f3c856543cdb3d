"""JSON lines: one header line that says what the file holds, then one object a line.

ASCII, because model text may hold what UTF-8 or line splitting cannot represent; floats are written exactly.
Reading is strict: an unknown schema, a file of another kind and a broken line are errors that name file and
line. Files of schema 1 have no header; `store.schema1` reads them.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from spa_lab.store import schema1
from spa_lab.store.files import decoded, disk, replacing

SCHEMA = 2
"""Version of every file that a run folder holds."""

Record = dict[str, Any]
_T = TypeVar("_T")


def write_lines(path: Path, header: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> None:
    """Replace `path` by a header line and one line per record.

    Args:
        path: the file.
        header: `holds`, the kind of the records, and what else describes them; `schema` is added.
        records: plain JSON objects.

    Raises:
        StoreError: the disk refused.
        ValueError: a value has no JSON form.
    """
    with replacing(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
        for record in chain([{"schema": SCHEMA, **header}], records):  # one at a time: files can be large
            file.write(f"{dump(record)}\n")


def read_header(path: Path) -> Record | None:
    """The header of a file, without `schema`; None for a file of schema 1. Reads the first line only.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: the first line is no header (names file and line).
    """
    with disk(path, "read"), path.open("rb") as file:
        line = file.readline()
    return _header(decoded(line, path), path)


def read_lines(path: Path, holds: str, decode: Callable[[Record], _T]) -> list[_T]:
    """The records of a file, decoded, in order.

    Args:
        path: a file of schema 2 or 1.
        holds: kind of the records, as the header must name it.
        decode: makes an item of a record; its ValueErrors are raised with file and line in front.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: broken JSON, an unknown schema, records of another kind, or what `decode` refuses.
    """
    with disk(path, "read"), path.open("rb") as file:
        header = _header(decoded(file.readline(), path).removesuffix("\n"), path)
        if header is None:
            file.seek(0)
            return _decoded(file, 1, path, lambda record: decode(schema1.record_of(record)))
        if header["holds"] != holds:
            raise ValueError(f"{path}, line 1: the file holds {header['holds']}, {holds} expected")
        return _decoded(file, 2, path, decode)


def parse(text: str, where: str) -> Record:
    """A JSON object; raises ValueError that starts with `where`."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: truncated or broken JSON at column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, thousands of brackets
        raise ValueError(f"{where}: JSON that cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, found {type(record).__name__}")
    return record


def load(text: str, where: str) -> Record:
    """A JSON object of this schema, `schema` included; raises ValueError that starts with `where`."""
    record = parse(text, where)
    check_schema(record, where, (SCHEMA,))
    return record


def check_schema(record: Record, where: str, known: Sequence[int]) -> None:
    """Raises ValueError if the record's `schema` is none of `known`."""
    if record.get("schema") not in known:
        expected = " or ".join(map(str, known))
        raise ValueError(f"{where}: schema {record.get('schema')!r} found, {expected} expected")


def dump(record: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON in ASCII; raises ValueError where a value has no JSON form."""
    try:
        return json.dumps(record, allow_nan=False, indent=indent)
    except TypeError as error:
        raise ValueError(f"no JSON form: {error}") from None


def _header(line: str, path: Path) -> Record | None:
    """The first line as a header, or None if it is a record of schema 1 or the file is empty."""
    if not line:
        return None  # an empty list of schema 1: schema 2 always writes a header
    where = f"{path}, line 1"
    record = parse(line, where)
    check_schema(record, where, (SCHEMA, schema1.SCHEMA))
    if record["schema"] == schema1.SCHEMA:
        return None
    if not isinstance(record.get("holds"), str):
        raise ValueError(f"{where}: no header: 'holds' is {record.get('holds')!r:.60}")
    return {key: value for key, value in record.items() if key != "schema"}


def _decoded(lines: Iterable[bytes], first: int, path: Path, decode: Callable[[Record], _T]) -> list[_T]:
    items = []
    for line_number, line in enumerate(lines, start=first):
        where = f"{path}, line {line_number}"
        record = parse(decoded(line, where).removesuffix("\n"), where)
        try:
            items.append(decode(record))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{where}: {error}") from error
    return items

"""Text that is no JSON: tables in CSV, and transcripts of ReAct."""

import csv
import io
import re
from collections import Counter
from typing import Any, NamedTuple

_NAME = r'"?(?:Unnamed: \d+|[A-Za-z_][\w .()/\[\]%-]*)"?'
_HEADER = re.compile(rf'(?:{_NAME}|"")?([,;\t]){_NAME}(?:\1{_NAME})*')
"""Names of columns, and in its group what separates them; pandas writes its index without a name."""
_UNNAMED = "unnamed"
_MARKED = re.compile(r"^[ \t>*]*(?:Action|Act)[ \t]*\d*[ \t]*\**:", re.MULTILINE)


class Plain(NamedTuple):
    """The records of a text."""

    form: str
    records: list[Any]
    lines: tuple[int, ...] = ()
    """Line on which each record ends, from 1; empty for a transcript."""
    notes: tuple[str, ...] = ()
    """What is missing; a sentence each."""


def records_of(name: str, text: str) -> Plain | None:
    """The rows of a table with a header, or a transcript as one record; None if the text is neither.

    A blank cell is the empty text.

    Raises:
        ValueError: a row of a table has more fields than the header (names the line), or two columns have one
            name.
    """
    start = text.lstrip(" \r\n")  # a tab may follow an empty name
    if start[:1] in "{[":  # JSON that is broken
        return None
    header = start.partition("\n")[0].rstrip("\r")
    columns = _HEADER.fullmatch(header)
    if columns and start.strip() != header.strip():
        return _table(name, start, columns[1])
    return Plain("text", [{"text": text}]) if _MARKED.search(text) else None


def _table(name: str, text: str, delimiter: str) -> Plain:
    records, lines, short = [], [], []
    limit = csv.field_size_limit(len(text) + 1)  # a field may be as long as the file
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
        reader.fieldnames = [column or _UNNAMED for column in reader.fieldnames or ()]
        names = Counter(reader.fieldnames)
        if again := [column for column, n in names.items() if n > 1]:
            raise ValueError(f"{name}: {names[again[0]]} columns named {again[0]!r}")
        for row in reader:
            if None in row:
                raise ValueError(f"{name}, line {reader.line_num}: more fields than the header has")
            if None in row.values():
                short.append(reader.line_num)
            records.append({column: value or "" for column, value in row.items()})
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: broken CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)
    first = f"{len(short)} of {len(lines)} rows, the first on line {min(short, default=0)}"
    note = f"{first}, have fewer fields than the header: their other cells are blank"
    return Plain("CSV", records, tuple(lines), (note,) if short else ())

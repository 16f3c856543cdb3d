"""What people have, as documents: JSON, JSON lines, CSV, gzip, zip, parquet, folders, rows in memory.

The form is read from the content, never from the name of a file.
"""

import gzip
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from spa_lab.importers.plain_text import records_of
from spa_lab.store.files import StoreError, disk

SUFFIXES = frozenset(
    {".json", ".jsonl", ".ndjson", ".traj", ".gz", ".eval", ".zip", ".parquet", ".arrow", ".csv", ".tsv"}
)
"""Files that are read in a folder; a file that is named itself may be called anything."""
_ARROW = (b"ARROW1", b"\xff\xff\xff\xff")
"""Starts of a file and of a stream of Arrow, as `Dataset.save_to_disk` writes."""
MAX_UNPACKED = 4 * 2**30
"""Bytes that a compressed file may unpack to."""
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile,
    RuntimeError,  # a member with a password, or compressed in a way that is not known
)  # fmt: skip
"""What unpacking may raise."""


@dataclass(frozen=True)
class Document:
    """The records of one file."""

    name: str
    form: str
    """What the content is: "JSON", "JSON list", "JSON lines", "gzip, JSON", "rows in memory", ..."""
    records: list[Any]
    """One JSON value each; a file that is one JSON object has one record."""
    lines: Sequence[int] = ()
    """Line of each record, from 1; empty unless the form is JSON lines."""
    path: Path | None = None
    notes: tuple[str, ...] = ()
    """What could not be read; a sentence each."""
    remarks: tuple[str, ...] = ()
    """How the records were changed; a sentence each."""

    @property
    def is_single(self) -> bool:
        """Whether the file is one JSON object, or one text."""
        return self.form.endswith(("JSON", "text"))

    def where(self, index: int) -> str:
        """The place of a record, for error messages."""
        if self.lines:
            return f"{self.name}, line {self.lines[index]}"
        return self.name if self.is_single else f"{self.name}, record {index}"


def documents(what: Any) -> Iterator[Document | ValueError]:
    """The documents of a path, several paths, a folder, "-" (standard input), or rows in memory.

    Args:
        what: path, paths, rows (mappings), or a table with `to_dict("records")` or `to_list()`.

    Yields:
        A document a file. A file that cannot be read is an error object: in a folder it is skipped.

    Raises:
        StoreError: there is no such file.
        ValueError: rows of another type.
    """
    if isinstance(what, str | Path):
        yield from _of_path(Path(what))
    elif isinstance(what, Mapping):
        yield Document("record in memory", "JSON", [dict(what)])
    elif isinstance(what, Sequence) and what and all(isinstance(one, str | Path) for one in what):
        for one in what:
            yield from _of_path(Path(one))
    else:
        yield Document("rows in memory", "rows in memory", _rows(what))


def _rows(what: Any) -> list[Any]:
    if hasattr(what, "to_dict") and hasattr(what, "columns"):  # a DataFrame
        known = what.notna().to_dict("records")
        what = [
            {name: value for name, value in row.items() if there[name]}  # an empty cell is NaN, NaT or NA
            for row, there in zip(what.to_dict("records"), known, strict=True)
        ]
    elif hasattr(what, "to_list") and hasattr(what, "column_names"):  # a Hugging Face Dataset
        what = what.to_list()
    rows = list(what) if isinstance(what, Sequence) else None
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError(
            f"expected paths, a list of dicts or a table, got {type(what).__name__} {what!r:.60}"
        )
    return [_without_arrays(dict(row)) for row in rows]


def _without_arrays(value: Any) -> Any:
    """Arrays as lists, as which pandas reads the lists of a parquet file, at any depth."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, dict):
        return {key: _without_arrays(one) for key, one in value.items()}
    return [_without_arrays(one) for one in value] if isinstance(value, list) else value


def _of_path(path: Path) -> Iterator[Document | ValueError]:
    if str(path) == "-":
        yield from _of_bytes("standard input", sys.stdin.buffer.read(), None)
        return
    if not path.exists():
        raise StoreError(path, "there is no such file or folder")
    files = [path] if not path.is_dir() else sorted(_files_in(path))
    if not files:
        yield ValueError(f"{path}: no files named *{', *'.join(sorted(SUFFIXES))} in the folder")
    for file in files:
        yield from _of_bytes(str(file), _content(file), file)


def _content(file: Path) -> bytes:
    with disk(file, "read"):
        return file.read_bytes()


def _files_in(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if _is_log(path.relative_to(folder)) and path.is_file():
            yield path


def _is_log(path: PurePath) -> bool:
    """Whether a file of a folder or an archive is read; hidden ones, as macOS adds to archives, are not."""
    return path.suffix in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def _of_bytes(name: str, content: bytes, path: Path | None) -> Sequence[Document | ValueError]:
    """A list, not a generator, which would keep the content while its documents are read."""
    if not content.startswith(b"PK\x03\x04"):
        return [_read_or_error(lambda: _document(name, content, path), name)]
    documents: list[Document | ValueError] = []
    try:
        documents.extend(_of_zip(name, content, path))
    except _BROKEN as error:
        documents.append(ValueError(f"{name}: broken or unknown compression: {error}"))
    except ValueError as error:
        documents.append(error)
    return documents


def _read_or_error(read: Callable[[], Document], name: str) -> Document | ValueError:
    """A document, or why it cannot be read; so that those after it are read."""
    try:
        return read()
    except _BROKEN as error:
        return ValueError(f"{name}: broken or unknown compression: {error}")
    except ValueError as error:
        return error


def _document(name: str, content: bytes, path: Path | None, packed: str = "") -> Document:
    """One file that is no archive of several; `packed` is what it was taken from."""
    if content.startswith((b"PAR1", *_ARROW)):
        form = "parquet" if content.startswith(b"PAR1") else "Arrow"
        return Document(name, packed + form, _columnar_rows(name, content, form), path=path)
    if content.startswith(b"\x1f\x8b"):
        unpacked = _unpack(gzip.GzipFile(fileobj=io.BytesIO(content)), name)
        return _of_text(name, unpacked, path, f"{packed}gzip, ")
    return _of_text(name, content, path, packed)


def _of_zip(name: str, content: bytes, path: Path | None) -> Iterator[Document | ValueError]:
    """The members of an archive; of an Inspect log (`.eval`) the header with its samples, as one record."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED:
            raise ValueError(f"{name}: unpacks to more than {MAX_UNPACKED} bytes")
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
        if "header.json" in names:
            wanted = sorted(member for member in names if member.startswith("samples/"))
            header, *samples = (_member(archive, name, member) for member in ["header.json", *wanted])
            found = [sample for sample in samples if isinstance(sample, Document)]
            yield from (sample for sample in samples if isinstance(sample, ValueError))
            if isinstance(header, ValueError):
                yield header
            elif not (header.is_single and isinstance(header.records[0], dict)):
                raise ValueError(f"{name}/header.json: expected a JSON object")
            else:
                records = [record for sample in found for record in sample.records]
                yield Document(name, "zip, JSON", [header.records[0] | {"samples": records}], path=path)
            return
        members = [member for member in names if _is_log(PurePath(member))]
        if not members:
            raise ValueError(f"{name}: a zip file without *{', *'.join(sorted(SUFFIXES))}")
        for member in members:
            yield _member(archive, name, member)


def _member(archive: zipfile.ZipFile, name: str, member: str) -> Document | ValueError:
    """One file of an archive."""
    place = f"{name}/{member}"
    return _read_or_error(lambda: _document(place, archive.read(member), None, "zip, "), place)


def _unpack(file: gzip.GzipFile, name: str) -> bytes:
    content = file.read(MAX_UNPACKED + 1)
    if len(content) > MAX_UNPACKED:
        raise ValueError(f"{name}: unpacks to more than {MAX_UNPACKED} bytes")
    return content


def _columnar_rows(name: str, content: bytes, form: str) -> list[Any]:
    try:
        import pyarrow  # type: ignore
        from pyarrow import ipc, parquet
    except ImportError:
        raise ValueError(
            f"{name}: a file in {form}; reading it needs pyarrow: pip install 'spa-lab[parquet]'"
        ) from None
    try:
        if form == "parquet":
            table = parquet.read_table(io.BytesIO(content))
        else:
            is_stream = content.startswith(_ARROW[1])
            table = (ipc.open_stream if is_stream else ipc.open_file)(io.BytesIO(content)).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{name}: broken {form}: {error}") from None
    rows: list[Any] = table.to_pylist()
    return rows


def _of_text(name: str, content: bytes, path: Path | None, packed: str = "") -> Document:
    """JSON or JSON lines, whichever the content is; a last line that was cut off is left out and noted."""
    text = _decoded(name, content)
    first = next(_lines(text), None)
    if first is None:
        raise ValueError(f"{name}: the file is empty")
    alone = len(list(islice(_lines(text), 2))) == 1
    whole, failure = _parsed(text) if alone or _parsed(first[1])[1] else (None, "")
    if whole is not None and not failure:
        records = whole if isinstance(whole, list) else [whole]
        form = "JSON list" if isinstance(whole, list) else "JSON"
        return Document(name, packed + form, records, path=path)
    records, numbers, notes = [], [], []
    broken: tuple[int, str] | None = None
    for number, line in _lines(text):
        if broken is None:
            record, reason = _parsed(line)
            if not reason:
                records.append(record)
                numbers.append(number)
                continue
            broken = number, reason
            if records:  # the last line may be cut off
                continue
        if not records and (plain := records_of(name, text)):
            return Document(name, packed + plain.form, plain.records, plain.lines, path, plain.notes)
        tried = f"as one JSON value: {failure}; " if failure else ""
        raise ValueError(f"{name}: {tried}as JSON lines: line {broken[0]}: {broken[1]}")
    if broken is not None:
        notes.append(f"line {broken[0]}, the last one, is cut off")
    return Document(name, f"{packed}JSON lines", records, numbers, path, tuple(notes))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number from 1 and text of every line that is not blank; a list of them would double the memory."""
    start = number = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        line = text[start:end]
        if line.strip():
            yield number, line
        start = end + 1


def _decoded(name: str, content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: neither text (not UTF-8, byte {error.start} of {len(content)}) nor gzip, zip or parquet"
        ) from None


def _parsed(text: str) -> tuple[Any, str]:
    """The JSON value, or why it is none."""
    try:
        return json.loads(text), ""
    except json.JSONDecodeError as error:
        return None, f"broken JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:  # numbers or nesting without limit
        return None, str(error)

"""Reads a catalogue in WebShop's three file formats, plain or gzipped, one product at a time.

| file | content |
|---|---|
| `items_shuffle*.json` | a list of products |
| `items_ins_v2*.json` | asin → labels, for some with an instruction made from them |
| `items_human_ins.json` | asin → instructions written by people |
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from spa_lab.envs.webshop.product import Product, is_kept, read_product, text_list

_DECODER = json.JSONDecoder()
_CHUNK = 1 << 20
_LONGEST_RECORD = 1 << 26
"""Characters; a longer record means that the file is damaged."""


def read_products(path: Path, labels: Mapping[str, Any]) -> Iterator[Product]:
    """The products of an `items_shuffle*.json`, in order, without those that the original skips.

    It skips the asin "nan", asins of more than ten characters, and all but the first product of an asin.

    Args:
        path: the file.
        labels: from `read_labels`.

    Raises:
        ValueError: the file or one of its products cannot be read; names both.
    """
    seen: set[str] = set()
    for index, record in enumerate(read_list(path)):
        if not is_kept(record) or (isinstance(record, dict) and record.get("asin") in seen):
            continue
        where = f"{path.name}: entry {index}"
        asin = record.get("asin") if isinstance(record, dict) else None
        entry = labels.get(asin, {}) if isinstance(asin, str) else {}
        product = read_product(record, entry.get("attributes"), where)
        seen.add(product.asin)
        yield product


def read_labels(path: Path) -> dict[str, dict[str, Any]]:
    """The content of an `items_ins_v2*.json`.

    Raises:
        ValueError: it cannot be read, or an entry has another form; names both.
    """
    labels = _read_object(path)
    for asin, entry in labels.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{path.name}: {asin!r} must be an object, got {type(entry).__name__}")
        if "attributes" in entry:
            text_list(entry["attributes"], "attributes", f"{path.name}: {asin!r}")
    return labels


def read_instructions(path: Path) -> dict[str, Any]:
    """The content of an `items_human_ins.json`; `human_goals` checks its entries.

    Raises:
        ValueError: it cannot be read as a JSON object.
    """
    return _read_object(path)


def read_list(path: Path) -> Iterator[Any]:
    """The entries of a JSON list, read in chunks: the file may be larger than the memory.

    Raises:
        ValueError: the file is missing, truncated or no JSON list; names the file and the entry.
    """
    return (entry for _, entry in _read_pieces(path, "[]"))


def read_entries(path: Path) -> Iterator[tuple[str, Any]]:
    """The (key, value) pairs of a JSON object, read in chunks.

    Raises:
        ValueError: the file is missing, truncated or no JSON object; names the file and the entry.
    """
    return _read_pieces(path, "{}")


def _read_pieces(path: Path, brackets: str) -> Iterator[tuple[str, Any]]:
    count = 0
    try:
        with _open(path) as file:
            for pair in _pairs(iter(lambda: file.read(_CHUNK), ""), brackets):
                yield pair
                count += 1
    except (OSError, EOFError, zlib.error, RecursionError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read after {count} entries: {error}") from error


def _pairs(source: Iterator[str], brackets: str) -> Iterator[tuple[str, Any]]:
    """(key, value) of each entry; "" as keys of a list."""
    text = more = next(source, "")
    while more and _skip(text, 0) == len(text):
        text = more = next(source, "")
    start = _skip(text, 0) + 1
    if text[start - 1 : start] != brackets[0]:
        raise ValueError(f"expected a JSON {'list' if brackets == '[]' else 'object'}")
    separator = ""
    while True:
        start = _skip(text, start)
        if text[start : start + 1] == brackets[1]:
            return
        try:
            if separator and text[start : start + 1] != separator:
                raise ValueError("expected ',' between entries")
            key, entry, end = _pair(text, _skip(text, start + len(separator)), brackets)
        except ValueError:
            more = next(source, "")
            if not more or len(text) - start > _LONGEST_RECORD:
                raise
            text, start = text[start:] + more, 0
            continue
        yield key, entry
        start, separator = end, ","


def _pair(text: str, start: int, brackets: str) -> tuple[str, Any, int]:
    """Key, value and end of the entry at `start`; ValueError if the text ends within the entry."""
    key = ""
    if brackets == "{}":
        key, start = _DECODER.raw_decode(text, start)
        start = _skip(text, start)
        if not isinstance(key, str) or text[start : start + 1] != ":":
            raise ValueError("expected a string key and ':' before each value")
        start = _skip(text, start + 1)
    entry, end = _DECODER.raw_decode(text, start)
    if end == len(text):  # the next chunk may continue a number
        raise ValueError("unexpected end of the file")
    return key, entry, end


def _skip(text: str, start: int) -> int:
    while text[start : start + 1] in (" ", "\n", "\t", "\r"):
        start += 1
    return start


def _read_object(path: Path) -> dict[str, Any]:
    try:
        with _open(path) as file:
            content = json.load(file)
    except (OSError, EOFError, zlib.error, RecursionError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")

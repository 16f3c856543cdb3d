"""The interface of a format: whether a document has it, and its episodes as rows of the format `steps`.

An adapter is one small file in `importers.adapters` with one entry in its table. From outside the package a
function `module:function` does: it takes one record and returns a row, a list of rows, or None to skip it.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

Located = tuple[str, Row]
"""Place in the log, for error messages, and a row of the format `steps`."""

MALFORMED = (TypeError, KeyError, AttributeError, IndexError, RecursionError)
"""What reading a document may raise that only resembles the format."""

BLANK = "empty, as of an episode that failed before its first step"
"""Why a record without steps is left out."""


class Found(NamedTuple):
    """A row that was read."""

    where: str
    row: Row
    is_own: bool
    """Whether the package's own format was asked for by name: outcomes lie in [0, 1], ids are unique."""


class NoEpisode(ValueError):
    """A record without a step of the agent; it is left out and counted."""


@dataclass(frozen=True)
class Adapter:
    """One format of logs."""

    title: str
    """What it is called in messages: "ATIF trajectory"."""
    why_not: Callable[[Document], str]
    """Empty if the document has this format, else the reason in a few words."""
    episodes: Callable[[Document, Ledger], Iterator[Located]]
    """The rows of a document; a row that is bad raises ValueError.

    Besides the fields of `importers.steps` a row and its steps may have `meta` (an object), a row the name of
    the field that its outcome is from (`outcome_field`), and the outcome may be missing or lie in any range.
    """


def record_adapter(
    title: str,
    why_not: Callable[[Mapping[str, Any]], str],
    episode: Callable[[Row, Ledger], Row | list[Row] | None],
) -> Adapter:
    """An adapter of a format in which every record holds episodes.

    Args:
        title: as in `Adapter`.
        why_not: as in `Adapter`, for one record.
        episode: the row or rows of a record; None if it holds no episode.
    """

    def reason(document: Document) -> str:
        for index, record in enumerate(document.records[:20]):
            if not isinstance(record, dict):
                return f"record {index} is no object"
            if (said := why_not(record)) and not _is_blank(record, document.records[:20], why_not):
                return said if index == 0 else f"record {index}: {said}"
        return "" if document.records else "no records"

    def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
        for index, record in enumerate(document.records):
            where = document.where(index)
            try:
                if not isinstance(record, dict):
                    raise ValueError(f"expected a JSON object, got {type(record).__name__}")
                made = episode(record, ledger)
            except NoEpisode as error:
                ledger.drop("record", str(error))
                continue
            except (ValueError, *MALFORMED) as error:
                if isinstance(record, dict) and _is_blank(record, document.records, why_not):
                    ledger.drop("record", BLANK)
                    continue
                if isinstance(error, ValueError):
                    raise ValueError(f"{where}: {error}") from error
                raise ValueError(f"{where}: not as in a log of this format: {error!r:.200}") from error
            if made is None:
                ledger.drop("record", "holds no episode")
            for row in made if isinstance(made, list) else [made] if made is not None else []:
                yield where, row

    return Adapter(title, reason, episodes)


def _is_blank(record: Row, records: Sequence[Any], why_not: Callable[[Mapping[str, Any]], str]) -> bool:
    """Whether only empty fields keep a record from this format, as of an episode that failed early.

    It fits with the values of one that fits in the place of its own empty ones.
    """
    if not why_not(record):
        return False
    like = next((other for other in records if isinstance(other, dict) and not why_not(other)), None)
    return like is not None and not why_not(_filled(record, like))


def _filled(record: Row, like: Row) -> Row:
    """The record with another one's values in the place of its empty ones, inner objects included."""
    filled = {}
    for name, value in record.items():
        other = like.get(name)
        if value is None or (isinstance(value, list | dict | str) and not value):
            filled[name] = other
        elif isinstance(value, dict) and isinstance(other, dict):
            filled[name] = _filled(value, other)
        else:
            filled[name] = value
    return filled


def missing(record: Mapping[str, Any], **fields: type | tuple[type, ...]) -> str:
    """The reason why a record does not have these fields of these types; empty if it does."""
    for name, kind in fields.items():
        if name not in record:
            return f"no {name!r}"
        if not isinstance(record[name], kind):
            return f"{name!r} is {type(record[name]).__name__}"
    return ""


def objects(value: Any) -> list[dict[str, Any]]:
    """A list of objects, or an empty list if the value is anything else."""
    good = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return value if good else []


def as_text(value: Any) -> str:
    """A text as it is, nothing (NaN in a table) as the empty text, anything else (an object) as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    )


def rest(record: Mapping[str, Any], *used: str) -> Row:
    """The fields of a record that the adapter does not read."""
    return {name: value for name, value in record.items() if name not in used}

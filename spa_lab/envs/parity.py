"""Replays of an original engine's recordings: reading the files, and reporting what differs."""

import gzip
import json
import textwrap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

SHOWN = 5
"""Mismatches that a report shows."""
_COLUMN = 56
_LINES = 12


@dataclass(frozen=True)
class Mismatch:
    """A difference at one step of an episode."""

    where: str
    expected: str
    ours: str

    def render(self) -> str:
        """Both sides in two columns."""
        left, right = _wrapped(self.expected), _wrapped(self.ours)
        rows = [f"  {'expected':<{_COLUMN}} | ours"]
        rows += [f"  {a:<{_COLUMN}} | {b}" for a, b in zip_longest(left, right, fillvalue="")]
        return "\n".join((self.where, *rows))


@dataclass(frozen=True)
class ParityReport:
    """The result of a replay."""

    episodes: int
    """Episodes that were replayed."""
    steps: int
    """Steps in them."""
    mismatches: int
    """Openings and steps at which anything differed."""
    not_replayed: tuple[str, ...]
    """For each episode that was not replayed: its id and why."""
    first: tuple[Mismatch, ...]
    """The differences of the first mismatches."""
    notes: tuple[str, ...] = ()
    """What else was compared, one line each."""

    @property
    def passed(self) -> bool:
        """Something was replayed and nothing differed."""
        return self.episodes > 0 and self.mismatches == 0

    def render(self) -> str:
        """The report as text; its last line holds the four counts."""
        parts = [mismatch.render() for mismatch in self.first]
        parts += [f"not replayed: {reason}" for reason in self.not_replayed[:SHOWN]]
        parts += self.notes
        parts.append(
            f"{self.episodes} episodes, {self.steps} steps, {self.mismatches} mismatches,"
            f" {len(self.not_replayed)} not replayed"
        )
        return "\n".join(parts)


def recorded_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line number, object) for each line of a gzip file of JSON lines.

    Raises:
        ValueError: The file is damaged, or a line is not an object; names both.
    """
    n_lines = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for n_lines, line in enumerate(file, start=1):
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError(f"expected an object, got {type(record).__name__}")
                yield f"{path.name}:{n_lines}", record
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(f"{path}: cannot be read after {n_lines} lines: {error}") from error


def recorded_in(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """`recorded_lines` of all `*.jsonl.gz` files of a folder, by name.

    Raises:
        ValueError: There is no such file, or one is damaged.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise ValueError(f"{folder}: no *.jsonl.gz files to replay")
    for path in paths:
        yield from recorded_lines(path)


def field_of(record: dict[str, Any], key: str, kind: type, where: str) -> Any:
    """The field `key` of a record.

    Raises:
        ValueError: It is missing or not a `kind`; names `where`.
    """
    if not isinstance(record.get(key), kind):
        raise ValueError(f"{where}: {key!r} must be a {kind.__name__}, got {type(record.get(key)).__name__}")
    return record[key]


def _wrapped(words: str) -> list[str]:
    lines = [part for line in words.split("\n") for part in textwrap.wrap(line, _COLUMN) or [""]]
    return lines if len(lines) <= _LINES else [*lines[:_LINES], "..."]

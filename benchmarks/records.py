"""What every benchmark gives: records, which are printed, and saved as CSV.

Columns of the CSV, a row for each way of doing the same:

    part         part of `python -m benchmarks`
    setting      what was done, "name=value" separated by spaces, e.g. "episodes=32 steps=20"
    way          how it was done; the first way of a setting is the one that others are compared with
    unit         what is counted, e.g. "tokens"
    n            how many of it, one number for each round, separated by spaces
    seconds      time of each round, separated by spaces; CPU time, or wall time where several processes work
    ratios       time for one unit, divided by the first way's in the same round, separated by spaces
    per_second   median over the rounds of n / seconds
    ratio        median of the ratios
    ratio_min    smallest ratio
    ratio_max    largest ratio
    found        what else came out, as in `setting`
"""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spa_lab.store.files import read_text, write_text

COLUMNS = (
    "part", "setting", "way", "unit", "n", "seconds", "ratios",
    "per_second", "ratio", "ratio_min", "ratio_max", "found",
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One way of doing something, timed in one or more rounds."""

    part: str
    setting: Mapping[str, str]
    """Names and values without spaces and "="."""
    way: str
    unit: str
    n: tuple[float, ...]
    """Units done in each round."""
    seconds: tuple[float, ...]
    """Time of each round."""
    ratios: tuple[float, ...] = ()
    """Time for one unit, divided by the first way's in the same round; () without a comparison."""
    found: Mapping[str, str] = field(default_factory=dict)
    """What else came out, as in `setting`."""

    @property
    def rates(self) -> tuple[float, ...]:
        """Units per second of each round; 0 where the clock did not move."""
        return tuple(n / seconds if seconds else 0.0 for n, seconds in zip(self.n, self.seconds, strict=True))

    @property
    def per_second(self) -> float:
        """Median of the rates."""
        return statistics.median(self.rates)


def compared(
    part: str, setting: Mapping[str, object], unit: str, rounds: Sequence[Mapping[str, tuple[float, float]]]
) -> list[Record]:
    """Records of ways that were timed in turn.

    Args:
        part: of the benchmarks.
        setting: what was done.
        unit: what is counted.
        rounds: of each round the units done and the seconds, by way; the first way is what others are
            compared with.

    Returns:
        One record for each way, in the order of the rounds.
    """
    first, *others = rounds[0]
    records = []
    for way in (first, *others):
        n, seconds = zip(*(timings[way] for timings in rounds), strict=True)
        ratios = tuple(_ratio(timings[way], timings[first]) for timings in rounds) if others else ()
        records.append(Record(part, as_text(setting), way, unit, n, seconds, ratios))
    return records


def rated(part: str, setting: Mapping[str, object], unit: str, n: float, per_second: float) -> Record:
    """The record of something that was timed once, without a comparison."""
    return Record(part, as_text(setting), "", unit, (n,), (n / per_second,))


def as_text(facts: Mapping[str, object]) -> dict[str, str]:
    """Names and values as they are saved.

    Raises:
        ValueError: a name or a value has a space or "=".
    """
    texts = {name: f"{fact:.6g}" if isinstance(fact, float) else str(fact) for name, fact in facts.items()}
    for name, text in texts.items():
        if set(f"{name}{text}") & set(" =\n"):
            raise ValueError(f"{name!r}: {text!r}: no spaces and no '=' in a setting")
    return texts


def described(records: Sequence[Record], *, after: Record | None = None) -> str:
    """Records in words: a line for each setting, and one below it for each way.

    The setting is left out where it is that of the record before; `after` is the one before the first.
    """
    lines: list[str] = []
    before = after
    for record in records:
        if before is None or (record.part, record.setting) != (before.part, before.setting):
            lines.append(f"{record.part}: {', '.join(f'{k} {v}' for k, v in record.setting.items())}")
        lines.append(f"  {_in_words(record)}")
        before = record
    return "\n".join(lines)


def save(records: Sequence[Record], path: Path) -> None:
    """Write records as CSV, completely or not at all; an existing file is replaced.

    Raises:
        StoreError: the disk refused.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_row, records))
    write_text(path, text.getvalue())


def load(path: Path) -> list[Record]:
    """The records of a file that `save` wrote.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: it is not such a file.
    """
    rows = csv.DictReader(io.StringIO(read_text(path)))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}, got {rows.fieldnames}")
    return [
        Record(
            row["part"], _facts(row["setting"]), row["way"], row["unit"],
            _numbers(row["n"]), _numbers(row["seconds"]), _numbers(row["ratios"]), _facts(row["found"]),
        )
        for row in rows
    ]  # fmt: skip


def _ratio(own: tuple[float, float], first: tuple[float, float]) -> float:
    """Time for one unit, relative to the first way's; nan where the first way's clock did not move."""
    (n, seconds), (n_first, seconds_first) = own, first
    return (seconds / n) / (seconds_first / n_first) if seconds_first else float("nan")


def _in_words(record: Record) -> str:
    name = f"{record.way}: " if record.way else ""
    words = f"{name}{record.per_second:,.5g} {record.unit}/s"
    words += f" ({statistics.median(record.n):,.0f} in {statistics.median(record.seconds):.3g} s)"
    if record.ratios and set(record.ratios) != {1.0}:
        words += (
            f", {statistics.median(record.ratios):.2f} times the first way's time for each "
            f"(median of {len(record.ratios)} paired rounds, "
            f"{min(record.ratios):.2f} to {max(record.ratios):.2f})"
        )
    return words + "".join(f", {name.replace('_', ' ')} {value}" for name, value in record.found.items())


def _row(record: Record) -> dict[str, str]:
    ratios = record.ratios
    return {
        "part": record.part,
        "setting": " ".join(f"{name}={value}" for name, value in record.setting.items()),
        "way": record.way,
        "unit": record.unit,
        "n": _texts(record.n),
        "seconds": _texts(record.seconds),
        "ratios": _texts(ratios),
        "per_second": f"{record.per_second:.6g}",
        "ratio": f"{statistics.median(ratios):.6g}" if ratios else "",
        "ratio_min": f"{min(ratios):.6g}" if ratios else "",
        "ratio_max": f"{max(ratios):.6g}" if ratios else "",
        "found": " ".join(f"{name}={value}" for name, value in record.found.items()),
    }


def _texts(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:.9g}" for number in numbers)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split()))


def _facts(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split())

"""The fuzz of the importers, on a few files, and that it would notice a crash and a hang."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fuzz_importers


@pytest.mark.parametrize("log", sorted(fuzz_importers.LOGS.iterdir()), ids=lambda path: path.name)
def test_mutated_logs_are_imported_or_refused(log: Path, tmp_path: Path) -> None:
    content, path = log.read_bytes(), tmp_path / log.name
    counts: Counter[str] = Counter()
    for number in range(12):
        rng = random.Random(f"{log.name}/{number}")
        path.write_bytes(fuzz_importers.MUTATIONS[number % len(fuzz_importers.MUTATIONS)](content, rng))
        counts[fuzz_importers._read(path)] += 1
    assert set(counts) <= {"imported", "refused"}, counts


def test_the_unchanged_logs_are_imported() -> None:
    assert {fuzz_importers._read(path) for path in fuzz_importers.LOGS.iterdir()} == {"imported"}


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), TimeoutError()])
def test_what_a_user_must_not_see_is_noticed(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(fuzz_importers, "read_log", fail)
    assert fuzz_importers._read(Path("x")) == type(error).__name__

"""Records of the benchmarks: ratios, text and CSV."""

from pathlib import Path

import pytest

from benchmarks.records import COLUMNS, as_text, compared, described, load, rated, save
from benchmarks.timing import interleaved

ROUNDS = [
    {"ours": (100, 1.0), "theirs": (100, 4.0)},
    {"ours": (100, 2.0), "theirs": (50, 3.0)},
    {"ours": (100, 1.0), "theirs": (100, 2.0)},
]


def test_ratios_are_of_the_time_for_a_unit_within_a_round() -> None:
    ours, theirs = compared("rollouts", {"episodes": 4}, "tokens", ROUNDS)
    assert ours.ratios == (1.0, 1.0, 1.0)
    assert theirs.ratios == (4.0, 3.0, 2.0)
    assert (ours.per_second, theirs.per_second) == (100.0, 25.0)
    text = described([ours, theirs])
    assert text.startswith("rollouts: episodes 4\n  ours: 100 tokens/s (100 in 1 s)\n")
    assert "3.00 times the first way's time for each (median of 3 paired rounds, 2.00 to 4.00)" in text


def test_saved_records_are_read_back(tmp_path: Path) -> None:
    records = [
        *compared("rollouts", {"episodes": 4, "share": 0.25}, "tokens", ROUNDS),
        rated("worlds", {"world": "toy"}, "steps", 50, 200.0),
    ]
    save(records, tmp_path / "records.csv")
    assert load(tmp_path / "records.csv") == records
    lines = (tmp_path / "records.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2] == "rollouts,episodes=4 share=0.25,theirs,tokens,100 50 100,4 3 2,4 3 2,25,3,2,4,"


def test_what_cannot_be_saved_or_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no spaces"):
        as_text({"world": "two words"})
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other\.csv: expected the columns part"):
        load(tmp_path / "other.csv")


def test_ways_run_in_turn() -> None:
    ran: list[str] = []
    ways = {name: lambda name=name: ran.append(name) for name in "ab"}
    clock = iter([0.0, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0, 6.0])
    rounds = list(interleaved(ways, rounds=2, clock=lambda: next(clock)))
    assert ran == ["a", "b", "a", "b"]
    assert [[way.seconds for way in timed.values()] for timed in rounds] == [[1.0, 2.0], [1.0, 2.0]]

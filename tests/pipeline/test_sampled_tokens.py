"""Tokens of explorations: kept wave by wave, merged, and read back for given trajectories."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spa_lab.agent.codec import TokenRow
from spa_lab.pipeline.sampled_tokens import merge_waves, remove_waves, rows_of, save_wave
from spa_lab.store import Run
from spa_lab.types import Trajectory

ROWS = [TokenRow("a", (5, 6, 7, 8), (-1, 0, 0, 1)), TokenRow("b", (5, 9, 9), (-1, 0, -1))]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", {}, seed=0)


def test_what_was_sampled_comes_back(run: Run, make_trajectory: Callable[..., Trajectory]) -> None:
    first, second, third = (make_trajectory(id=name) for name in "abc")
    assert rows_of(run, [first]) is None
    save_wave(run, 1, ROWS[:1])
    save_wave(run, 0, ROWS[1:])
    save_wave(run, 0, ROWS[1:])  # a wave that was played twice after a kill
    for _ in range(2):  # the second time after a kill
        merge_waves(run)
        assert rows_of(run, [second, first]) == [ROWS[1], ROWS[0]]
    remove_waves(run)
    assert [path.name for path in (run.path / "tokens").iterdir()] == ["explore.jsonl"]
    assert run.tokens() == [], "they are no numbers of tokens"
    with pytest.raises(ValueError, match=r"explore.jsonl: no tokens of trajectory 'c'"):
        rows_of(run, [third])


def test_a_damaged_file_is_named(run: Run, make_trajectory: Callable[..., Trajectory]) -> None:
    save_wave(run, 0, ROWS)
    merge_waves(run)
    file = run.path / "tokens" / "explore.jsonl"
    good = file.read_text()
    for old, new, message in (
        ('"ids": [5, ', '"ids": [', "'a': 3 tokens, but steps of 4"),
        ("ids", "i", "not the tokens"),
    ):
        file.write_text(good.replace(old, new, 1))
        with pytest.raises(ValueError, match=rf"explore.jsonl, line 2: {message}"):
            rows_of(run, [make_trajectory(id="a")])

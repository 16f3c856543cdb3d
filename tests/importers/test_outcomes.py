"""Outcomes of a log: the field that they are from, and what a scale does to credits."""

from typing import Any

import pytest

from spa_lab.importers import ImportOptions, read_log

MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "Action: a"}]


@pytest.mark.parametrize("row", [{"messages": MESSAGES}, {"steps": [{"action": "a"}]}])
def test_the_outcome_may_be_the_field_that_was_found_or_another(row: dict[str, Any]) -> None:
    row = row | {"id": "x", "reward": 1.0, "score": 0.25}
    imported = read_log([row], ImportOptions(outcome="reward"))
    assert imported.trajectories[0].outcome == 1.0 and imported.meta == {"x": {"score": 0.25}}
    imported = read_log([row], ImportOptions(outcome="score"))
    assert imported.trajectories[0].outcome == 0.25
    assert imported.meta == {"x": {"score": 0.25, "reward": 1.0}}
    assert imported.ledger.carried == {"score": 1, "reward": 1}

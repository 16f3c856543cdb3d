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


@pytest.mark.parametrize(
    ("fields", "rewards", "source"),
    [
        ({"credits": {"s": [-0.3, -0.5]}, "base_values": {"s": -0.2}}, (None, None), "s"),
        ({"credits": {"s": [-0.5, -0.5]}}, (None, None), "s"),
        ({}, (-0.25, -0.75), "logged reward"),
    ],
)
def test_a_prediction_is_exact_in_any_scale(fields: Any, rewards: tuple[Any, Any], source: str) -> None:
    steps = [{"action": "x"} | ({} if paid is None else {"reward": paid}) for paid in rewards]
    other = {"id": "b", "outcome": 3.0, "steps": [{"action": "x"}]}
    for scale in (None, (-2.0, 3.0)):
        row = {"id": "a", "steps": steps, "outcome": -1.0} | fields
        imported = read_log([row, other], ImportOptions(scale=scale))
        (credit,) = imported.credits
        assert credit.source == source
        assert credit.predicted_outcome == pytest.approx(imported.trajectories[0].outcome)

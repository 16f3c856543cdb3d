import numpy as np
import pytest

from spa_lab.view.tables.training import training_table


def test_curves_are_means_over_neighbours_and_seeds() -> None:
    runs = {0: [{"loss": 1.0}, {"loss": None}, {"loss": 3.0}], 5: [{"loss": 3.0}, {"loss": 5.0}]}
    table = training_table({"clone": runs, "other": {0: [{"x": True}]}}, ["loss", "x"])
    # the second update is undefined in one seed, and only one seed has a third
    assert table.to_dict("records") == [
        {
            "metric": "loss",
            "stage": "clone",
            "update": 0.0,
            "value": 2.0,
            "low": 1.0,
            "high": 3.0,
            "n_seeds": 2,
        }
    ]
    long = training_table({"clone": {0: [{"loss": float(i)} for i in range(120)]}}, ["loss"])
    assert len(long) == 60 and long["update"].tolist()[:2] == [0.5, 2.5]
    np.testing.assert_allclose(long["value"], long["update"])
    with pytest.raises(ValueError, match="'clone' has a seed without rows"):
        training_table({"clone": {0: [{"loss": 1.0}], 1: []}}, ["loss"])


def test_no_critic_has_no_loss() -> None:
    stages = {"RLOO": {0: [{"value": 0.0, "kl": 0.0}]}, "PPO": {0: [{"value": 0.0}, {"value": 0.2}]}}
    table = training_table(stages, ["value", "kl"])
    assert table.groupby("metric")["stage"].unique().map(list).to_dict() == {"value": ["PPO"], "kl": ["RLOO"]}

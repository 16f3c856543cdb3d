"""The scoreboard against labels: every metric by hand, counts, intervals and refusals."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spa_lab.credit.label_scores import label_scoreboard, render_labels
from spa_lab.types import Credit, Labels, Trajectory

NAN = np.nan
LABELS = {"a": [1.0, -1.0, NAN, -1.0], "b": [0.0, 1.0, 0.0, NAN], "c": [-1.0, 1.0, 1.0, 1.0]}


@pytest.fixture
def trajectories(make_trajectory: Callable[..., Trajectory]) -> list[Trajectory]:
    """Four steps each; a and b are of one task."""
    tasks = {"a": "t", "b": "t", "c": "u"}
    return [make_trajectory(1.0, [True] * 4, id=name, task_id=task) for name, task in tasks.items()]


def _board(trajectories: list[Trajectory], by_source: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    credits = [
        Credit(name, source, np.array(values))
        for source, of_source in by_source.items()
        for name, values in of_source.items()
    ]
    labels = [Labels(name, "human", np.array(values)) for name, values in LABELS.items()]
    return label_scoreboard(trajectories, credits, labels, rng=np.random.default_rng(0), resamples=200)


def test_by_hand(trajectories: list[Trajectory]) -> None:
    """a: harmful 1 and 3 against 0; c: harmful 0 against three others."""
    scores = {"a": [0.0, -1.0, -9.0, 1.0], "b": [0.0, 0.0, 1.0, 0.0], "c": [0.0, 0.0, 1.0, 2.0]}
    table = _board(trajectories, {"s": scores}).set_index("metric")
    harm = table.loc["harm_auc"]
    assert harm["value"] == (1 + 0 + 0.5 + 1 + 1) / 5
    assert (harm["n_steps"], harm["n_trajectories"], harm["n_tasks"]) == (7, 2, 2)
    first = table.loc["first_error"]
    assert first["value"] == (1 + 1 / 2) / 2 and first["chance"] == (1 / 3 + 1 / 4) / 2
    pairs = table.loc["pair_accuracy"]
    # a: (0, 1) right, (0, 3) wrong; b: (0, 1) tied, (1, 2) wrong; c: (0, 1) tied, (0, 2) and (0, 3) right
    assert pairs["value"] == (1 + 0 + 0.5 + 0 + 0.5 + 1 + 1) / 7
    assert (pairs["n_steps"], pairs["n_trajectories"]) == (10, 3)


def test_the_labels_themselves_are_right_and_their_negative_is_wrong(trajectories: list[Trajectory]) -> None:
    right = {name: [0.0 if np.isnan(v) else v for v in values] for name, values in LABELS.items()}
    wrong = {name: [-v for v in values] for name, values in right.items()}
    table = _board(trajectories, {"right": right, "wrong": wrong})
    values = table.pivot(index="source", columns="metric", values="value")
    assert values.loc["right", ["harm_auc", "pair_accuracy"]].tolist() == [1.0, 1.0]
    assert values.loc["wrong"].tolist() == [0.0, 0.0, 0.0]
    assert values.loc["right", "first_error"] == (1 / 2 + 1) / 2, "a has two equal harmful steps"


def test_a_source_is_scored_where_it_gives_credit(trajectories: list[Trajectory]) -> None:
    table = _board(trajectories, {"s": {"c": [0.0, 1.0, 1.0, 1.0]}})
    assert set(table["n_trajectories"]) == {1} and table["low"].isna().all(), "one task has no interval"
    text = render_labels(table)
    assert text.startswith("labels: human; 1 trajectories of 1 tasks") and "1.00 n=4, chance" in text


def test_constant_credit_is_chance(trajectories: list[Trajectory]) -> None:
    table = _board(trajectories, {"s": {name: [0.0] * 4 for name in LABELS}})
    assert (table["value"] == table["chance"]).all()
    assert table["low"].isna().all(), "too few tasks"


def test_intervals_are_over_tasks_and_need_five(trajectories: list[Trajectory]) -> None:
    episodes = [
        replace(trajectories[0], id=f"{n}/{name}", task_id=f"{n}/{name}") for n in range(3) for name in "ab"
    ]
    labels = [Labels(t.id, "human", np.array(LABELS["a"])) for t in episodes]
    given = np.nan_to_num(np.array(LABELS["a"]))
    right = [Credit(t.id, "s", given * (1 if t.id.endswith("a") else -1)) for t in episodes]
    rng = np.random.default_rng(0)
    table = label_scoreboard(episodes, right, labels, rng=rng).set_index("metric")
    row = table.loc["pair_accuracy"]
    assert 0 <= row["low"] < row["value"] == 0.5 < row["high"] <= 1
    alike = label_scoreboard(episodes[::2], right[::2], labels[::2], rng=rng)
    assert alike["low"].isna().all()
    same = [Credit(t.id, "s", given) for t in episodes]
    agreed = label_scoreboard(episodes, same, labels, rng=rng)
    assert set(agreed["n_tasks"]) == {6} and agreed["low"].isna().all(), "all resamples are the same"


def test_refusals(trajectories: list[Trajectory]) -> None:
    rng = np.random.default_rng(0)
    label = Labels("a", "human", np.array(LABELS["a"]))
    with pytest.raises(ValueError, match="no trajectory has both credit and labels: 0 credits, 1 labels"):
        label_scoreboard(trajectories, [], [label], rng=rng)
    with pytest.raises(ValueError, match="duplicate labels of 'a' by 'human'"):
        label_scoreboard(trajectories, [], [label, label], rng=rng)
    with pytest.raises(ValueError, match=r"labels of 'z' by 'human': .* not among the 3 given"):
        label_scoreboard(trajectories, [], [Labels("z", "human", np.ones(4))], rng=rng)
    with pytest.raises(ValueError, match="credit of 'a' by 's' has 2 steps, the trajectory has 4"):
        label_scoreboard(trajectories, [Credit("a", "s", np.ones(2))], [label], rng=rng)

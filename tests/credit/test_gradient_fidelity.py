"""Advantages before training: against closed forms, and in probe worlds whose values are exact."""

import numpy as np
import pandas as pd
import pytest

from spa_lab.credit.gradient_fidelity import FIRST, METRICS, SECOND, Steps, TaskGradients, gradient_table
from spa_lab.envs.probes import probe_environment
from spa_lab.truth.exact import exact_values, play, scripted_action_probs

TASKS, GROUP, HALF, SLIPS = 60, 4, 2, 0.3


def _table(steps: Steps, advantages: dict, gradients: TaskGradients, **more: object) -> pd.DataFrame:
    given = {"rng": np.random.default_rng(0), "resamples": 300} | more
    return gradient_table(steps, advantages, gradients, **given).set_index(["advantage", "outcome", "metric"])


@pytest.fixture(scope="module")
def normal() -> tuple[Steps, dict, TaskGradients]:
    """D of variance 1, A = D / 2 plus noise of variance 1, halves with errors of variance 4 / h = 2.

    One step an episode; the score is D / 2 along the first of 12 coordinates, plus noise.
    """
    rng = np.random.default_rng(3)
    n = TASKS * GROUP
    progress, noise = rng.normal(size=(2, n))
    error = rng.normal(size=(2, n)) * np.sqrt(4 / HALF)
    advantages = {"half": progress / 2 + noise, "only noise": noise}
    score = rng.normal(size=(n, 12)) / np.sqrt(12)
    score[:, 0] += 0.5 * progress
    values = np.stack([*advantages.values(), progress + error[0], progress + error[1]], axis=1)  # (n, K)
    gradient = values[:, :, None] * score[:, None, :]  # (n, K, 12)
    products = np.einsum("nac,nbc->nab", gradient, gradient).reshape(TASKS, GROUP, 4, 4).mean(axis=1)
    means = gradient.reshape(TASKS, GROUP, 4, 12).mean(axis=1)
    task = np.repeat(np.arange(TASKS), GROUP)
    steps = Steps(task, progress > 0, values[:, 2], values[:, 3], HALF)
    return steps, advantages, TaskGradients([*advantages, FIRST, SECOND], products, means)


def test_closed_forms(normal: tuple[Steps, dict, TaskGradients]) -> None:
    table = _table(*normal)
    expected = {
        ("half", "correlation"): 0.5 / np.sqrt(1.25), ("half", "second_moment"): 1.25, ("half", "noise"): 1.0,
        ("half", "share"): 0.2, ("half", "episodes"): 5.0, ("only noise", "correlation"): 0.0,
        ("half", "gradient_scale"): 0.5, ("half", "gradient_cosine"): 1.0,
        ("monte_carlo_4", "correlation"): np.sqrt(0.5), ("monte_carlo_4", "episodes"): 2.0,
        ("monte_carlo_16", "second_moment"): 1.25, ("exact", "correlation"): 1.0, ("exact", "episodes"): 1.0,
    }  # fmt: skip
    for (name, metric), value in expected.items():
        row = table.loc[name, "both", metric]
        assert row["low"] - 1e-9 <= value <= row["high"] + 1e-9, (name, metric, row.to_dict(), value)
    assert table.loc["half", "both", "correlation"]["resolved"]
    assert not table.loc["only noise", "both", "correlation"]["resolved"]
    assert not table.loc["only noise", "both", "gradient_snr"]["resolved"]
    assert set(table.index.get_level_values("metric")) == set(METRICS)
    assert set(table.index.get_level_values("outcome")) == {"both", "failure", "success"}


def test_an_advantage_that_points_the_other_way_is_not_efficient(
    normal: tuple[Steps, dict, TaskGradients],
) -> None:
    """-D has all of the signal and no use; pure noise has no resolved share."""
    steps, advantages, gradients = normal
    turned = TaskGradients(gradients.names, gradients.products, gradients.means * [[[-1], [1], [1], [1]]])
    table = _table(steps, {**advantages, "half": -advantages["half"]}, turned)
    share = table.loc["half", "both", "share"]
    assert share["high"] < 0 and share["resolved"]
    for metric in ("episodes", "gradient_episodes"):
        assert np.isnan(table.loc["half", "both", metric]["value"])
        assert not table.loc["half", "both", metric]["resolved"]
    for metric in ("share", "episodes"):
        assert not table.loc["only noise", "both", metric]["resolved"]


def test_an_unbiased_advantage_needs_no_resolved_signal(normal: tuple[Steps, dict, TaskGradients]) -> None:
    """Its efficiency is a ratio of second moments; a scale that excludes 1 says that it is not unbiased."""
    steps, advantages, gradients = normal
    table = _table(steps, advantages, gradients, unbiased={"half"})
    assert table.loc["half", "both", "gradient_scale"]["high"] < 1
    q = gradients.products.mean(axis=0)
    truth = gradients.means[:, 2:].mean(axis=1)  # (M, k)
    signal = (np.sum(truth.sum(axis=0) ** 2) - np.sum(truth**2)) / (TASKS * (TASKS - 1))
    expected = (q[0, 0] - signal) / (q[2, 3] - signal)
    assert table.loc["half", "both", "gradient_episodes"]["value"] == pytest.approx(expected)
    assert table.loc["monte_carlo_4", "both", "gradient_noise"]["value"] == pytest.approx(
        1 + (q[2, 2] + q[3, 3] - 2 * q[2, 3]) * HALF / 2 / 4 / q[2, 3]
    )


@pytest.fixture(scope="module")
def probe() -> tuple[Steps, dict, TaskGradients, float, np.ndarray]:
    """The key world with an expert that slips; one logit for each step index says whether it slips there."""
    world = probe_environment("key")
    rng = np.random.default_rng(5)
    texts = [f"Thought: {thought}\nAction: {action}" for thought, action in
             (("I need the key.", "take key"), ("I go to the door.", "go on"))]  # fmt: skip
    tasks = world.tasks("train", 3)
    policies = [scripted_action_probs(world, task, texts, SLIPS) for task in tasks]
    played, index = [], []
    for g in range(TASKS):
        for m in range(GROUP):
            which = g % 3
            played.append(
                play(policies[which], world, tasks[which], texts, policy="slips", seed=GROUP * g + m)
            )
            index.append(g)
    exact = [
        exact_values(policies[i // GROUP % 3], world, [trajectory], tasks, texts, policy="slips")[0]
        for i, trajectory in enumerate(played)
    ]
    outcome = np.array([trajectory.outcome for trajectory in played]).reshape(TASKS, GROUP)
    rloo = ((outcome - outcome.mean(axis=1, keepdims=True)) * GROUP / (GROUP - 1)).ravel()
    rows, gradient = [], np.zeros((len(played), 3, world.step_limit))
    for i, (values, trajectory) in enumerate(zip(exact, played, strict=True)):
        halves = [np.diff([*rng.binomial(HALF, values.values[:-1]) / HALF, trajectory.outcome]) for _ in "12"]
        slipped = values.action_probs[np.arange(len(trajectory)), values.taken] < 0.5
        score = slipped - SLIPS
        for t in range(len(trajectory)):
            rows.append(
                (index[i], trajectory.success, rloo[i], halves[0][t], halves[1][t],
                 np.diff(values.values)[t])
            )  # fmt: skip
            gradient[i, :, t] = np.array([rloo[i], halves[0][t], halves[1][t]]) * score[t]
    data = np.array(rows, dtype=np.float64).T
    steps = Steps(data[0].astype(np.int64), data[1] > 0, data[3], data[4], HALF)
    products = np.einsum("nac,nbc->nab", gradient, gradient).reshape(TASKS, GROUP, 3, 3).mean(axis=1)
    means = gradient.reshape(TASKS, GROUP, 3, -1).mean(axis=1)
    sample = TaskGradients(["rloo", FIRST, SECOND], products, means)
    return steps, {"rloo": data[2]}, sample, float(np.mean(data[5] ** 2)), data[5]


def test_probe_world_with_exact_values(
    probe: tuple[Steps, dict, TaskGradients, float, np.ndarray],
) -> None:
    """Two continuations a half find the numbers that exact values give, and RLOO has no bias."""
    steps, advantages, gradients, truth, progress = probe
    table = _table(steps, advantages, gradients)
    assert table.loc["exact", "both", "second_moment"]["low"] <= truth
    assert truth <= table.loc["exact", "both", "second_moment"]["high"]
    exact_correlation = np.corrcoef(advantages["rloo"], progress)[0, 1]
    row = table.loc["rloo", "both", "correlation"]
    assert row["low"] <= exact_correlation <= row["high"] and abs(row["value"] - exact_correlation) < 0.1
    for metric in ("gradient_scale", "gradient_cosine"):
        row = table.loc["rloo", "both", metric]
        assert row["low"] <= 1 <= row["high"], row
    assert table.loc["rloo", "both", "gradient_snr"]["resolved"]
    known = _table(steps, advantages, gradients, unbiased={"rloo"}).loc["rloo", "both", "gradient_episodes"]
    assert known["low"] > 1.5
    estimated = table.loc["rloo", "both", "gradient_episodes"]
    assert estimated["low"] < known["value"] < estimated["high"]


def test_what_does_not_belong_together_is_named(normal: tuple[Steps, dict, TaskGradients]) -> None:
    steps, advantages, gradients = normal
    with pytest.raises(ValueError, match="advantage 'other': 2 of 240 steps, gradients: half, only noise"):
        _table(steps, {"other": np.zeros(2)}, gradients)
    few = TaskGradients(gradients.names, gradients.products[:3], gradients.means[:3])
    with pytest.raises(ValueError, match=r"at least 4 tasks .* got 3 tasks and steps of task 59"):
        _table(steps, advantages, few)

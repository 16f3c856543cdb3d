"""Return predictors: their prefixes, their losses by hand, and that they find the decisive step."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.learn.return_predictor import (
    PredictorConfig,
    ReturnPredictor,
    fit_predictor,
    prefix_ends,
)
from spa_lab.types import Trajectory


@pytest.fixture(scope="module")
def policy(make_fork_policy: Callable[..., Policy]) -> Policy:
    return make_fork_policy()


def test_prefix_ends(policy: Policy, forks: list[Trajectory]) -> None:
    batch = policy.codec.encode(forks[:1], limit=policy.context)
    before, ends = prefix_ends(batch, "history")[0], prefix_ends(batch, "step")[0]
    step = batch.step[0].tolist()
    assert before.nonzero().squeeze(1).tolist() == [step.index(t) - 1 for t in range(4)]
    opening, *last = ends.nonzero().squeeze(1).tolist()
    assert opening == step.index(0) - 1
    assert [step[i] for i in last] == [0, 1, 2, 3]
    assert batch.ids[0][last].tolist() == [policy.codec.end_id] * 4


@pytest.mark.parametrize(
    ("output", "expected"),
    [("value", (0 + 1 + 16) / 3), ("increment", (0 + 4 + 16) / 3)],  # prefixes 1, 2 | 4, outcomes 1 and 0
)
def test_losses_by_hand(
    policy: Policy, make_trajectory: Callable[..., Trajectory], output: str, expected: float
) -> None:
    config = PredictorConfig(output=output)  # type: ignore[arg-type]
    predictor = ReturnPredictor(policy.model, policy.codec, config, seed=0)
    trajectories = [make_trajectory(1.0, [True] * 2), make_trajectory(0.0, [True])]
    loss = predictor.loss(torch.tensor([1.0, 2.0, 4.0]), trajectories)
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("input", ["history", "step"])
@pytest.mark.parametrize("output", ["value", "increment"])
def test_the_deciding_step_is_found(policy: Policy, forks: list[Trajectory], input: str, output: str) -> None:
    config = PredictorConfig(input=input, output=output, epochs=20, lr=5e-3, batch_tokens=400)  # type: ignore[arg-type]
    losses: list[float] = []
    predictor = fit_predictor(
        policy, forks, config, rng=random.Random(0), on_update=lambda metrics: losses.append(metrics["loss"])
    )
    assert losses[-1] < losses[0]
    won, lost = predictor.values(forks[:2])
    assert len(won) == len(lost) == (4 if input == "history" else 5)
    decided = 2  # the prefix after the second step, in both inputs
    np.testing.assert_allclose(won[:decided], lost[:decided], atol=1e-6)
    assert (won[decided:] > 0.6).all() and (lost[decided:] < 0.4).all()
    np.testing.assert_allclose(predictor.predict(forks[:2]), [won[-1], lost[-1]])


def test_batches_do_not_change_what_is_said(policy: Policy, forks: list[Trajectory]) -> None:
    predictor = ReturnPredictor(
        policy.model, policy.codec, PredictorConfig(batch_tokens=10_000), seed=0
    ).eval()
    short = [replace(fork, steps=fork.steps[: 1 + i]) for i, fork in enumerate(forks[:4])]
    together = predictor.values(short)
    for values, trajectory in zip(together, short, strict=True):
        np.testing.assert_allclose(values, predictor.values([trajectory])[0], atol=1e-6)


def test_bad_settings() -> None:
    for settings in ({"epochs": 0}, {"lr": 0.0}, {"width": 0}):
        with pytest.raises(ValueError, match="needs epochs"):
            PredictorConfig(**settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"input must be one of .*'history'.*, got 'steps'"):
        PredictorConfig(input="steps")  # type: ignore[arg-type]

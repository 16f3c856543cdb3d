"""Return readers: where they read, their losses by hand, and that they find the step that decides."""

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
    mean_values,
    places,
    reader_loss,
)
from spa_lab.types import Step, Trajectory

TEXTS = ("Action: left", "Action: right", "Action: wait", "noted", "You see a door.")


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(*TEXTS, hidden=32, layers=2)


@pytest.fixture(scope="module")
def forks() -> list[Trajectory]:
    """Four steps; the second decides, "right" wins."""

    def one(number: int) -> Trajectory:
        won = number % 2 == 0
        actions = ("wait", "right" if won else "left", "wait", "wait")
        steps = tuple(Step(f"Action: {action}", "", action, "noted", True) for action in actions)
        name = f"t{number}"
        return Trajectory(
            name, "f", "fork", "train", "", "You see a door.", steps, float(won), won, "done", "x", 0
        )

    return [one(number) for number in range(32)]


def test_places(policy: Policy, forks: list[Trajectory]) -> None:
    batch = policy.codec.encode(forks[:1], limit=policy.context)
    before, ends = places(batch, "history")[0], places(batch, "step")[0]
    step = batch.step[0].tolist()
    assert before.nonzero().squeeze(1).tolist() == [step.index(t) - 1 for t in range(4)]
    opening, *last = ends.nonzero().squeeze(1).tolist()
    assert opening == step.index(0) - 1
    assert [step[i] for i in last] == [0, 1, 2, 3]
    assert batch.ids[0][last].tolist() == [policy.codec.end_id] * 4


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # places 1, 2 | 4 against outcomes 1 and 0
        ({"says": "value"}, (0 + 1 + 16) / 3),
        ({"says": "value", "fits": "last"}, (1 + 16) / 2),
        ({"says": "increment"}, (0 + 4 + 16) / 3),
        ({"says": "increment", "fits": "last"}, (4 + 16) / 2),
        ({"says": "increment", "fits": "last", "spread": 0.5}, (4 + 16) / 2 + 0.5 * (1 + 4 + 16) / 3),
        ({"says": "increment", "fits": "subset"}, (4 + 16) / 2),  # one increment: the subset is all there is
    ],
)
def test_losses_by_hand(settings: dict, expected: float) -> None:
    said = torch.tensor([1.0, 2.0, 4.0])
    loss = reader_loss(said, [2, 1], [1.0, 0.0], PredictorConfig(**settings), random.Random(0))
    assert float(loss) == pytest.approx(expected)


def test_subsets_are_unbiased() -> None:
    """On average the scaled half is the whole: 1 + (1 + 2 + 3 + 6) - 13 = 0."""
    said, config = torch.tensor([1.0, 1.0, 2.0, 3.0, 6.0]), PredictorConfig(says="increment", fits="subset")
    rng = random.Random(0)
    losses = [float(reader_loss(said, [5], [13.0], config, rng)) for _ in range(300)]
    pairs = [2 * (a + b) - 12 for a, b in ((1, 2), (1, 3), (1, 6), (2, 3), (2, 6), (3, 6))]
    assert np.mean(losses) == pytest.approx(np.mean(np.square(pairs)), rel=0.15)


@pytest.mark.parametrize("reads", ["history", "step"])
@pytest.mark.parametrize("says", ["value", "increment"])
def test_the_deciding_step_is_found(policy: Policy, forks: list[Trajectory], reads: str, says: str) -> None:
    config = PredictorConfig(reads=reads, says=says, epochs=20, lr=5e-3, batch_tokens=400)  # type: ignore[arg-type]
    losses: list[float] = []
    reader = fit_predictor(
        policy, forks, config, rng=random.Random(0), on_update=lambda metrics: losses.append(metrics["loss"])
    )
    assert losses[-1] < losses[0]
    won, lost = reader.values(forks[:2])
    assert len(won) == len(lost) == (4 if reads == "history" else 5)
    decided = 2  # the place after the second step, in both ways of counting
    np.testing.assert_allclose(won[:decided], lost[:decided], atol=1e-6)
    assert (won[decided:] > 0.6).all() and (lost[decided:] < 0.4).all()
    np.testing.assert_allclose(reader.predict(forks[:2]), [won[-1], lost[-1]])


def test_batches_do_not_change_what_is_said(policy: Policy, forks: list[Trajectory]) -> None:
    reader = ReturnPredictor(policy.model, policy.codec, PredictorConfig(batch_tokens=10_000), seed=0).eval()
    short = [replace(one, steps=one.steps[: 1 + i]) for i, one in enumerate(forks[:4])]
    together = reader.values(short)
    for own, one in zip(together, short, strict=True):
        np.testing.assert_allclose(own, reader.values([one])[0], atol=1e-6)


def test_ensemble(policy: Policy, forks: list[Trajectory]) -> None:
    one, two = (
        ReturnPredictor(policy.model, policy.codec, PredictorConfig(), seed=seed).eval() for seed in (0, 1)
    )
    (mean,) = mean_values([one, two])(forks[:1])
    np.testing.assert_allclose(mean, (one.values(forks[:1])[0] + two.values(forks[:1])[0]) / 2)
    other = ReturnPredictor(policy.model, policy.codec, PredictorConfig(reads="step"), seed=0)
    with pytest.raises(ValueError, match="same places"):
        mean_values([one, other])


def test_bad_settings() -> None:
    for settings in ({"epochs": 0}, {"lr": 0.0}, {"spread": -1.0}):
        with pytest.raises(ValueError, match="needs epochs"):
            PredictorConfig(**settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of increments"):
        PredictorConfig(says="value", spread=0.1)

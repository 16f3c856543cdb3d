"""Cloning learns what the expert wrote: not the observations, and not the mistakes put in."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from spa_lab.agent.codec import ContextTooLong, TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.cloning import CloneConfig
from spa_lab.envs.base import Demonstration
from spa_lab.learn.cloning import clone, clone_loss, fit_language
from spa_lab.types import Trajectory
from tests.learn.states import KeptStates

ONE_BATCH = CloneConfig(epochs=1, batch_tokens=10_000)


@pytest.fixture
def policy(make_policy: Callable[..., Policy]) -> Policy:
    texts = ["Thought: think ", "\nAction: act ", "You see a door.", "reply "]
    return make_policy(*texts, layers=2, spread=0.3)


@pytest.fixture
def demonstrations(make_trajectory: Callable[..., Trajectory]) -> list[Demonstration]:
    """Three episodes; the mistakes put in are steps 1 and 2."""
    marks = [(True, False, True), (True, True, False, True), (True,)]
    return [
        Demonstration(make_trajectory(grounded=[True] * len(mark), id=f"d{i}"), mark)
        for i, mark in enumerate(marks)
    ]


@torch.no_grad()
def _slow(
    policy: Policy, rows: Sequence[TokenRow], chosen: Callable[[int, int], bool]
) -> tuple[float, float, int]:
    """Mean loss, share of right guesses and number of tokens, one token and one forward pass at a time."""
    losses, hits = [], []
    for i, row in enumerate(rows):
        for column, (token, step) in enumerate(zip(row.ids, row.step, strict=True)):
            if column and chosen(i, step):
                logits = policy.model(torch.tensor([row.ids[:column]])).logits[0, -1].double()
                losses.append(float(logits.exp().sum().log() - logits[token]))
                hits.append(int(logits.argmax()) == token)
    return sum(losses) / len(losses), sum(hits) / len(hits), len(losses)


def _rows(policy: Policy, demonstrations: Sequence[Demonstration]) -> list[TokenRow]:
    return [policy.codec.row(demo.trajectory) for demo in demonstrations]


def test_the_loss_is_the_mean_over_supervised_tokens(
    policy: Policy, demonstrations: list[Demonstration]
) -> None:
    rows = _rows(policy, demonstrations)
    batch = policy.codec.batch(rows, limit=policy.context)
    parts = clone_loss(policy.model, batch, batch.action_mask)
    loss, accuracy, n_tokens = _slow(policy, rows, lambda i, step: step >= 0)
    assert float(parts.loss.detach()) == pytest.approx(loss, abs=1e-5)
    assert float(parts.accuracy) == pytest.approx(accuracy)
    assert parts.n_tokens == n_tokens


def test_no_gradient_from_what_the_world_said(policy: Policy, demonstrations: list[Demonstration]) -> None:
    """Only places that predict a supervised token are pulled at, by the loss at that place."""
    batch = policy.codec.batch(_rows(policy, demonstrations), limit=policy.context)
    kept: list[torch.Tensor] = []
    hook = policy.model.base_model.register_forward_hook(
        lambda module, inputs, output: kept.append(output.last_hidden_state)
    )
    supervised = batch.action_mask & (batch.step != 1)
    parts = clone_loss(policy.model, batch, supervised)
    hook.remove()
    (gradient,) = torch.autograd.grad(parts.loss, kept)
    predicts = torch.nn.functional.pad(supervised[:, 1:], (0, 1))
    assert torch.equal(gradient.abs().sum(-1) > 0, predicts)


def _first_update(policy: Policy, demonstrations: Sequence[Demonstration]) -> dict[str, float]:
    """What the first update reported: taken before any weight moved."""
    seen: list[dict[str, float]] = []
    twin = copy_policy(policy, name="twin")
    clone(twin, demonstrations, ONE_BATCH, rng=random.Random(0), on_update=seen.append)
    return seen[0]


def test_mistakes_put_in_are_not_learnt(policy: Policy, demonstrations: list[Demonstration]) -> None:
    rows = _rows(policy, demonstrations)
    expected, accuracy, _ = _slow(
        policy, rows, lambda i, step: step >= 0 and demonstrations[i].supervised[step]
    )
    metrics = _first_update(policy, demonstrations)
    assert metrics["loss"] == pytest.approx(expected, abs=1e-5)
    assert metrics["accuracy"] == pytest.approx(accuracy)
    everything = [replace(demo, supervised=(True,) * len(demo.trajectory)) for demo in demonstrations]
    assert _first_update(policy, everything)["loss"] != pytest.approx(expected, abs=1e-3)


def test_all_tokens_but_the_first_can_be_supervised(
    policy: Policy, demonstrations: list[Demonstration]
) -> None:
    """As pretraining does: the world's words and the template's too."""
    rows = _rows(policy, demonstrations)
    expected, _, n_tokens = _slow(policy, rows, lambda i, step: True)
    assert n_tokens == sum(len(row.ids) - 1 for row in rows)
    seen: list[dict[str, float]] = []
    fit_language(policy, rows, lambda i, step: True, ONE_BATCH, rng=random.Random(0), on_update=seen.append)
    assert seen[0]["loss"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("muon_lr", [None, 0.02])
def test_it_learns_by_heart(
    policy: Policy, demonstrations: list[Demonstration], muon_lr: float | None
) -> None:
    config = CloneConfig(epochs=40, lr=0.02, muon_lr=muon_lr, batch_tokens=60)
    seen: list[dict[str, float]] = []
    clone(policy, demonstrations, config, rng=random.Random(0), on_update=seen.append)
    assert seen[-1]["loss"] < 0.1 < 2.0 < seen[0]["loss"]
    assert seen[-1]["accuracy"] > 0.95
    assert not policy.model.training
    progress = [metrics["progress"] for metrics in seen]
    assert progress == pytest.approx([(i + 1) / len(seen) for i in range(len(seen))])
    assert len(seen) > 40, "more than one batch in each epoch"


def test_the_same_seed_gives_the_same_weights(policy: Policy, demonstrations: list[Demonstration]) -> None:
    config = CloneConfig(epochs=2, batch_tokens=60)
    weights = []
    for seed in (1, 1, 2):
        twin = copy_policy(policy, name="twin")
        clone(twin, demonstrations, config, rng=random.Random(seed))
        weights.append(torch.cat([p.detach().flatten() for p in twin.model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("muon_lr", [None, 0.02])
def test_interrupted_cloning_continues_bit_for_bit(
    policy: Policy, demonstrations: list[Demonstration], muon_lr: float | None
) -> None:
    config = CloneConfig(epochs=3, batch_tokens=60, muon_lr=muon_lr)

    def weights(checkpoint: KeptStates) -> torch.Tensor:
        twin = copy_policy(policy, name="twin")
        clone(twin, demonstrations, config, rng=random.Random(0), checkpoint=checkpoint)
        return torch.cat([p.detach().flatten() for p in twin.model.parameters()])

    checkpoint = KeptStates()
    whole = weights(checkpoint)
    assert torch.equal(weights(KeptStates(checkpoint.states[:1])), whole)


def test_rows_without_anything_to_learn_are_left_out(
    policy: Policy, demonstrations: list[Demonstration]
) -> None:
    """In a batch of their own they would have no loss: the mean over no token."""
    first, *others = demonstrations
    others = [replace(demo, supervised=(False,) * len(demo.trajectory)) for demo in others]
    seen: list[dict[str, float]] = []
    alone = replace(ONE_BATCH, epochs=2, batch_tokens=1)
    clone(policy, [*others, first], alone, rng=random.Random(0), on_update=seen.append)
    assert [metrics["progress"] for metrics in seen] == [0.5, 1.0]
    assert all(math.isfinite(metrics["loss"]) for metrics in seen)


def test_nothing_to_learn_at_all_is_refused(policy: Policy, demonstrations: list[Demonstration]) -> None:
    mistakes = [replace(demo, supervised=(False,) * len(demo.trajectory)) for demo in demonstrations]
    with pytest.raises(ValueError, match="none of 3 rows has a supervised token"):
        clone(policy, mistakes, ONE_BATCH, rng=random.Random(0))
    batch = policy.codec.batch(_rows(policy, demonstrations), limit=policy.context)
    with pytest.raises(ValueError, match="none of 3 rows has a supervised token"):
        clone_loss(policy.model, batch, torch.zeros_like(batch.attention))


def test_too_long_is_refused_by_name_before_anything_is_trained(
    policy: Policy, demonstrations: list[Demonstration]
) -> None:
    """Batches of one episode, of which the middle one alone is too long."""
    n = [len(row.ids) for row in _rows(policy, demonstrations)]
    policy.model.config.max_position_embeddings = n[0]
    seen: list[dict[str, float]] = []
    message = (
        rf"1 of 3 .* too long: 'd1' needs {n[1]} tokens, limit is {n[0]} \(--prompt.context, at most {n[0]}\)"
    )
    with pytest.raises(ContextTooLong, match=message):
        clone(
            policy,
            demonstrations,
            replace(ONE_BATCH, batch_tokens=1),
            rng=random.Random(0),
            on_update=seen.append,
        )
    assert not seen


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"batch_tokens": 0}, {"lr": 0.0}])
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        CloneConfig(**bad)


def test_marks_for_every_step(trajectory: Trajectory) -> None:
    with pytest.raises(ValueError, match="'t1': 2 marks for 3 steps"):
        Demonstration(trajectory, (True, False))

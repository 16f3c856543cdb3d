"""Adapters: they begin as nothing, they alone learn, and they are gone from what is saved."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from spa_lab.agent.lora import add_lora, has_lora, merged
from spa_lab.agent.models import copy_policy, load_policy, save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.learn.estimator import ProgressEstimator, fit_estimator
from spa_lab.learn.return_predictor import PredictorConfig, ReturnPredictor
from spa_lab.types import Trajectory

pytest.importorskip("peft")


@pytest.fixture
def plain(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(layers=2, spread=0.3)


@pytest.fixture
def policy(plain: Policy) -> Policy:
    """With adapters that say something."""
    policy = copy_policy(plain, name="lora")
    add_lora(policy.model, rank=2, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator))
    return policy


@torch.no_grad()
def _logits(policy: Policy) -> torch.Tensor:
    return policy.model(torch.tensor([[5, 6, 7, 8]])).logits


def test_fresh_adapters_change_nothing_and_alone_learn(plain: Policy) -> None:
    policy = copy_policy(plain, name="lora")
    state = torch.random.get_rng_state()
    add_lora(policy.model, rank=2, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert has_lora(policy.model) and not has_lora(plain.model)
    torch.testing.assert_close(_logits(policy), _logits(plain))
    learning = [name for name, weight in policy.model.named_parameters() if weight.requires_grad]
    assert len(learning) == 2 * 2 * 2  # two layers, queries and values, two factors
    assert all("lora_" in name and ("q_proj" in name or "v_proj" in name) for name in learning)


@pytest.mark.parametrize("learns", [True, False])
def test_below_a_head_adapters_alone_learn(policy: Policy, learns: bool) -> None:
    estimator = ProgressEstimator(
        copy_policy(policy, name="e").model, policy.codec, EstimatorConfig(train_backbone=learns), seed=0
    )
    reader = ReturnPredictor(
        copy_policy(policy, name="r").model, policy.codec, PredictorConfig(train_backbone=learns), seed=0
    )
    adapters = [name for name, _ in policy.model.named_parameters() if ".lora_" in name]
    for backbone in (estimator.backbone, reader.backbone):
        learning = [name for name, weight in backbone.named_parameters() if weight.requires_grad]
        assert learning == (adapters if learns else [])


def test_fitting_below_a_head_leaves_what_the_adapters_sit_on(
    policy: Policy, make_trajectory: Callable[..., Trajectory]
) -> None:
    before = {name: weight.clone() for name, weight in policy.model.named_parameters()}
    trajectories = [make_trajectory(float(i), id=f"t{i}") for i in range(2)]
    fitted = fit_estimator(policy, trajectories, EstimatorConfig(epochs=1), rng=random.Random(0))
    for name, weight in fitted.backbone.named_parameters():
        assert torch.equal(weight, before[name]) is (".lora_" not in name), name


def test_adapters_are_drawn_from_their_seed(plain: Policy) -> None:
    drawn = []
    for seed in (1, 1, 2):
        twin = copy_policy(plain, name="lora")
        add_lora(twin.model, rank=2, seed=seed)
        drawn.append(
            torch.cat([w.detach().flatten() for n, w in twin.model.named_parameters() if "lora_A" in n])
        )
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_merging_keeps_what_is_said(policy: Policy, plain: Policy) -> None:
    before = _logits(policy)
    assert not torch.allclose(before, _logits(plain), atol=1e-2)
    worked_in = Policy("merged", merged(policy.model), policy.codec)
    assert not has_lora(worked_in.model)
    assert set(worked_in.model.state_dict()) == set(plain.model.state_dict())
    torch.testing.assert_close(_logits(worked_in), before)
    assert has_lora(policy.model)
    torch.testing.assert_close(_logits(policy), before, rtol=0, atol=0)


def test_what_is_saved_needs_no_adapters(policy: Policy, tmp_path: Path) -> None:
    save_policy(policy, tmp_path)
    loaded = load_policy(tmp_path, name="again")
    assert not has_lora(loaded.model)
    torch.testing.assert_close(_logits(loaded), _logits(policy))


def test_a_copy_has_adapters_of_its_own(policy: Policy) -> None:
    before = _logits(policy)
    twin = copy_policy(policy, name="twin")
    torch.testing.assert_close(_logits(twin), before, rtol=0, atol=0)
    with torch.no_grad():
        for name, weight in twin.model.named_parameters():
            if "lora_B" in name:
                weight.zero_()
    torch.testing.assert_close(_logits(policy), before, rtol=0, atol=0)
    assert not torch.allclose(_logits(twin), before, atol=1e-2)

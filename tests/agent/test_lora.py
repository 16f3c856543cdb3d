"""Adapters: they begin as nothing, they alone learn and are saved, in float32, and share what is below."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spa_lab.agent import models
from spa_lab.agent.lora import ADAPTER_CONFIG, add_lora, has_lora, merged
from spa_lab.agent.models import copy_policy, export_policy, load_codec, load_policy, save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.envs.base import Demonstration
from spa_lab.learn.cloning import clone
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
    _say_something(policy)
    return policy


def _say_something(policy: Policy) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator))


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


def _saved(plain: Policy, folder: Path, dtype: torch.dtype) -> Policy:
    """The model of `plain` in a folder and loaded from it, as every base is."""
    save_policy(plain, folder, dtype=dtype)
    return load_policy(folder, name="base", dtype="bfloat16" if dtype == torch.bfloat16 else "auto")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # in peft
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_adapters_are_saved_alone_and_come_back(plain: Policy, tmp_path: Path, dtype: torch.dtype) -> None:
    """In float32, bit for bit, on their base; by our loader and by peft's."""
    from peft import PeftModel

    base = _saved(plain, tmp_path / "base", dtype)
    policy = copy_policy(base, name="lora")
    add_lora(policy.model, rank=2, seed=0)
    _say_something(policy)
    save_policy(policy, tmp_path / "lora")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "lora").iterdir()}
    assert "adapter_model.safetensors" in sizes and "model.safetensors" not in sizes
    for loaded in (
        load_policy(tmp_path / "lora", name="again", dtype=base.model.dtype.__str__().removeprefix("torch.")),
        load_policy(tmp_path / "lora", name="again", base=base),
    ):
        adapters = {name: w for name, w in loaded.model.named_parameters() if ".lora_" in name}
        assert {weight.dtype for weight in adapters.values()} == {torch.float32}
        for name, weight in policy.model.named_parameters():
            assert torch.equal(loaded.model.get_parameter(name), weight), name
            assert loaded.model.get_parameter(name).requires_grad == (".lora_" in name)
        assert loaded.model.dtype == dtype
        assert torch.equal(_logits(loaded), _logits(policy)) and not torch.equal(
            _logits(base), _logits(policy)
        )
    theirs = PeftModel.from_pretrained(copy_policy(base, name="x").model, str(tmp_path / "lora"))
    torch.testing.assert_close(_logits(replace(base, model=theirs)), _logits(policy), rtol=0, atol=0)


def test_adapters_without_a_tokenizer_use_that_of_their_base(plain: Policy, tmp_path: Path) -> None:
    """As other trainers save them."""
    base = _saved(plain, tmp_path / "base", torch.float32)
    policy = copy_policy(base, name="lora")
    add_lora(policy.model, rank=2, seed=0)
    save_policy(policy, tmp_path / "lora")
    for file in [path for path in (tmp_path / "lora").iterdir() if not path.name.startswith("adapter")]:
        file.unlink()
    text = "go to drawer 1"
    expected = policy.codec.tokenizer.encode(text)
    for codec in (
        load_policy(tmp_path / "lora", name="again").codec,
        load_policy(tmp_path / "lora", name="again", base=base).codec,
        load_codec(tmp_path / "lora", base=tmp_path / "base"),
    ):
        assert codec.tokenizer.encode(text) == expected
        assert codec.stop_ids == policy.codec.stop_ids


def test_adapters_of_other_trainers_are_read_without_their_dropout(plain: Policy, tmp_path: Path) -> None:
    policy = copy_policy(_saved(plain, tmp_path / "base", torch.float32), name="lora")
    add_lora(policy.model, rank=2, seed=0)
    _say_something(policy)
    save_policy(policy, tmp_path / "lora")
    config = tmp_path / "lora" / ADAPTER_CONFIG
    facts = json.loads(config.read_text(encoding="utf-8")) | {"lora_dropout": 0.5}
    config.write_text(json.dumps(facts), encoding="utf-8")
    loaded = load_policy(tmp_path / "lora", name="again")
    loaded.model.train()
    torch.testing.assert_close(_logits(loaded), _logits(policy))


def test_adapters_name_a_fetched_base(plain: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = _saved(plain, tmp_path / "models" / "toy", torch.float32)
    policy = copy_policy(base, name="lora")
    add_lora(policy.model, rank=2, seed=0)
    _say_something(policy)
    save_policy(policy, tmp_path / "lora")
    config = tmp_path / "lora" / ADAPTER_CONFIG
    facts = json.loads(config.read_text(encoding="utf-8")) | {"base_model_name_or_path": "fetched:toy"}
    config.write_text(json.dumps(facts), encoding="utf-8")
    monkeypatch.setattr(models, "fetched_folder", lambda name: tmp_path / "models" / name)
    assert torch.equal(_logits(load_policy(tmp_path / "lora", name="again")), _logits(policy))


def test_adapters_on_one_base_share_it(plain: Policy, tmp_path: Path) -> None:
    """The clone, its reference, the estimator's backbone and the policy under training: one copy below."""
    base = _saved(plain, tmp_path / "base", torch.bfloat16)
    first = copy_policy(base, name="lora")
    add_lora(first.model, rank=2, seed=0)
    save_policy(first, tmp_path / "lora")
    policies = [load_policy(tmp_path / "lora", name=str(i), base=base) for i in range(2)]
    policies += [copy_policy(policy, name="copy") for policy in policies]
    reference = copy_policy(policies[0], name="reference")
    reference.model.requires_grad_(False)
    models = [base.model, reference.model, *(policy.model for policy in policies)]
    storages = {w.untyped_storage().data_ptr(): w.nbytes for m in models for w in m.parameters()}
    adapters = sum(w.nbytes for name, w in policies[0].model.named_parameters() if ".lora_" in name)
    assert sum(storages.values()) == sum(w.nbytes for w in base.model.parameters()) + 5 * adapters
    learning = {name for name, w in policies[0].model.named_parameters() if w.requires_grad}
    assert learning == {name for name, _ in policies[0].model.named_parameters() if ".lora_" in name}
    _say_something(policies[0])
    assert torch.equal(_logits(policies[1]), _logits(reference))
    assert not torch.equal(_logits(policies[0]), _logits(reference))


def test_in_bfloat16_adapters_learn_all_the_same(
    plain: Policy, tmp_path: Path, make_trajectory: Callable[..., Trajectory]
) -> None:
    """An update of 1e-5 is lost in bfloat16 for most weights; in float32 every weight of A moves."""
    policy = copy_policy(_saved(plain, tmp_path / "base", torch.bfloat16), name="lora")
    add_lora(policy.model, rank=2, seed=0)
    _say_something(policy)
    before = {name: weight.clone() for name, weight in policy.model.named_parameters()}
    demonstrations = [Demonstration(make_trajectory(id=f"t{i}"), (True,) * 3) for i in range(4)]
    config = CloneConfig(epochs=20, lr=1e-5, muon_lr=None, batch_tokens=10_000)
    clone(policy, demonstrations, config, rng=random.Random(0))
    moved = [w != before[name] for name, w in policy.model.named_parameters() if ".lora_A." in name]
    assert float(torch.cat([part.flatten() for part in moved]).float().mean()) > 0.99
    assert all(
        torch.equal(w, before[name]) for name, w in policy.model.named_parameters() if ".lora_" not in name
    )


def test_adapters_of_another_model_are_refused(
    policy: Policy, make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    save_policy(make_policy(layers=1), tmp_path / "base")
    save_policy(policy, tmp_path / "lora")
    with pytest.raises(ValueError, match=r"adapter_model.safetensors: adapters that do not fit .*base"):
        load_policy(tmp_path / "lora", name="x", base=load_policy(tmp_path / "base", name="base"))
    (tmp_path / "lora" / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"adapter_model.safetensors: adapters that do not fit"):
        load_policy(tmp_path / "lora", name="x", base=load_policy(tmp_path / "base", name="base"))


def test_what_is_exported_needs_no_adapters(plain: Policy, tmp_path: Path) -> None:
    """In float32, whatever the base is stored in."""
    policy = copy_policy(_saved(plain, tmp_path / "base", torch.bfloat16), name="lora")
    add_lora(policy.model, rank=2, seed=0)
    _say_something(policy)
    export_policy(policy, tmp_path / "export")
    loaded = load_policy(tmp_path / "export", name="again")
    assert not has_lora(loaded.model) and loaded.model.dtype == torch.float32
    torch.testing.assert_close(_logits(loaded), _logits(policy).float(), rtol=0.1, atol=0.1)


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

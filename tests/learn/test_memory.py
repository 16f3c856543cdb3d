"""Memory of one update at the shape of Llama-3.2-3B, on tensors without numbers: seconds on a CPU.

The functions are those of training. Every storage that is alive is counted, from the weights to the moments
of the optimiser; the attention kernel is the fused one.
"""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM

from spa_lab.agent.codec import TokenBatch
from spa_lab.agent.lora import add_lora
from spa_lab.agent.models import checkpoint_activations, copy_policy
from spa_lab.agent.rollout import Policy
from spa_lab.learn.cloning import clone_loss
from spa_lab.learn.critic import Critic
from spa_lab.learn.optimizer import Optimizer
from spa_lab.learn.policy_gradient import Objective, minibatch_loss
from spa_lab.learn.update_batch import UpdateBatch
from spa_lab.types import Trajectory

pytest.importorskip("peft")

GIB = 2**30
LIMIT = 24.0
"""GiB: a card for gamers."""


class Storages(TorchDispatchMode):
    """Bytes of all storages that are alive, and the most that were."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0
        for module in modules:
            self._see(list(module.parameters()))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return True  # asked once: do the positions of each row begin at 0?
        result = func(*args, **(kwargs or {}))
        self._see(tree_leaves(result))
        return result

    def _see(self, values: list[Any]) -> None:
        for value in values:
            if not isinstance(value, torch.Tensor):
                continue
            storage = value.untyped_storage()
            key = storage._cdata
            if key not in self.sizes:
                self.sizes[key] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention as an accelerator computes it; without numbers torch would multiply out all pairs."""
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any) -> torch.Tensor:
        assert options.pop("attn_mask", None) is None and options.pop("dropout_p", 0.0) == 0.0
        repeats = query.shape[1] // key.shape[1]
        heads = (query, key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1))
        return flash(*heads, 0.0, True, scale=options.get("scale"))[0]

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attend)


@pytest.fixture
def policy(make_policy: Callable[..., Policy], fused: None) -> Iterator[Policy]:
    """Llama-3.2-3B in bfloat16 with adapters and checkpointing, as the preset `paper` has it."""
    shape = LlamaConfig(
        vocab_size=128_256, hidden_size=3072, intermediate_size=8192, num_hidden_layers=28,
        num_attention_heads=24, num_key_value_heads=8, head_dim=128, max_position_embeddings=131_072,
        tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(shape).bfloat16()
        checkpoint_activations(model)
        add_lora(model, rank=8, seed=0)
    assert 3.2e9 < sum(weight.numel() for weight in model.parameters()) < 3.3e9
    yield replace(make_policy(), model=model.train())


def _batch(rows: int, length: int, share: float) -> TokenBatch:
    """Rows of one length, of which the policy wrote the last part."""
    ids = torch.zeros(rows, length, dtype=torch.long)
    step = torch.full_like(ids, -1)
    step[:, length - int(length * share) :] = 0
    return TokenBatch(ids, torch.ones_like(ids, dtype=torch.bool), step, ("t",) * rows)


def _step(optimizer: Optimizer) -> None:
    """An update without the norm's value, which tensors without numbers do not have."""
    nn.utils.clip_grad_norm_(optimizer.parameters, 1.0)
    for part in optimizer.parts:
        part.step()


@pytest.mark.parametrize(("rows", "length"), [(8, 2048), (1, 16_384)])
def test_cloning_fits(policy: Policy, rows: int, length: int) -> None:
    assert 6.0 < _cloning(policy, rows, length) < LIMIT


def test_without_recomputed_activations_it_would_not(policy: Policy) -> None:
    for module in policy.model.modules():
        if hasattr(module, "gradient_checkpointing"):
            module.gradient_checkpointing = False
    assert _cloning(policy, 8, 2048) > LIMIT


def _cloning(policy: Policy, rows: int, length: int) -> float:
    """GiB at the peak of an update."""
    optimizer = Optimizer(policy.model, lr=1e-4)
    batch = _batch(rows, length, 0.31)
    with Storages([policy.model]) as storages:
        clone_loss(policy.model, batch, batch.action_mask).loss.backward()
        _step(optimizer)
    return storages.peak / GIB


@pytest.mark.parametrize(("rows", "length", "share"), [(8, 2048, 0.45), (1, 16_384, 0.7)])
def test_ppo_fits(policy: Policy, trajectory: Trajectory, rows: int, length: int, share: float) -> None:
    """With the reference and an estimator's backbone in memory, which share all but their adapters."""
    frozen = [copy_policy(policy, name=name).model for name in ("reference", "estimator")]
    critic = Critic(policy, seed=0)
    modules = [policy.model, critic.head, *frozen]
    optimizer = Optimizer(nn.ModuleList(modules[:2]), lr=1e-5)
    tokens = _batch(rows, length, share)
    numbers = torch.zeros(rows, length)
    batch = UpdateBatch(
        (trajectory,) * rows, (length,) * rows, tokens.ids, tokens.step, numbers, numbers, numbers,
        returns=numbers,
    )  # fmt: skip
    with Storages(modules) as storages:
        assert storages.now / GIB < 6.2, "one copy of the weights below the adapters"
        minibatch_loss(policy, batch, Objective(), critic=critic, temperature=1.0).loss.backward()
        _step(optimizer)
    assert 6.0 < storages.peak / GIB < LIMIT, storages.peak / GIB

"""One forward pass over packed tokens: written out for small Llamas, by transformers for other models."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from spa_lab.agent.slots import Pass

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

_ATTENTION = "spa_lab_slots"
_SMALL = 200_000_000
"""Parameters up to which joined projections, which are copies of weights, save time at little memory."""
_MODULES = ("torch.nn.", "transformers.models.llama.", "transformers.activations")


class Forward(Protocol):
    """Reads the tokens of a pass."""

    def __call__(self, current: Pass, *, last_only: bool = True) -> Tensor:
        """(n_last, d) hidden states after the tokens of all tails, or (N, d) after all tokens as packed."""


def forward_of(model: "PreTrainedModel") -> Forward:
    """The fastest exact forward pass of `model`, which must be in eval mode and not change meanwhile."""
    return LlamaForward(model) if is_small_llama(model) else TransformersForward(model)


def is_small_llama(model: "PreTrainedModel") -> bool:
    """Whether `model` is a Llama of at most 200 million parameters without adapters, hooks, other layers."""
    return (
        type(model).__name__ == "LlamaForCausalLM"
        and not getattr(model.config, "sliding_window", None)
        and model.num_parameters() <= _SMALL
        and all(
            type(module).__module__.startswith(_MODULES)
            and not module._forward_hooks
            and not module._forward_pre_hooks
            for module in model.modules()
        )
    )


class LlamaForward:
    """A Llama written out: the same arithmetic as in transformers, in fewer and larger products.

    Projections of the same input are one matrix product, and of the last layer only what is asked for is
    computed. Checked against transformers in `tests/agent/test_forward.py`.
    """

    def __init__(self, model: "PreTrainedModel") -> None:
        self.embed = model.get_input_embeddings()
        base: Any = model.base_model
        self.rotary, self.norm = base.rotary_emb, base.norm
        self.layers = [_Layer(layer) for layer in base.layers]

    def __call__(self, current: Pass, *, last_only: bool = True) -> Tensor:
        """As `Forward`."""
        hidden = self.embed(current.ids)  # (N, d)
        cos, sin = self.rotary(hidden[None], position_ids=current.positions[None])  # (1, N, head size)
        cos, sin = cos[0, :, None], sin[0, :, None]
        for i, layer in enumerate(self.layers):
            hidden = layer(hidden, cos, sin, current, last_only=last_only and i + 1 == len(self.layers))
        return _rms(hidden, self.norm)


class _Layer:
    def __init__(self, layer: "LlamaDecoderLayer") -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.index, self.scale, self.size = int(attention.layer_idx), attention.scaling, attention.head_dim
        self.first_norm, self.second_norm = layer.input_layernorm, layer.post_attention_layernorm
        self.qkv = _joined(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out, self.gate_up, self.down = (
            attention.o_proj,
            _joined(mlp.gate_proj, mlp.up_proj),
            mlp.down_proj,
        )
        self.act = mlp.act_fn
        self.heads = attention.q_proj.out_features // self.size
        self.groups = attention.k_proj.out_features // self.size

    def __call__(self, hidden: Tensor, cos: Tensor, sin: Tensor, current: Pass, *, last_only: bool) -> Tensor:
        projected = functional.linear(_rms(hidden, self.first_norm), *self.qkv).unflatten(1, (-1, self.size))
        queries_keys, values = projected.split([self.heads + self.groups, self.groups], dim=1)
        first, second = queries_keys.chunk(2, dim=-1)
        rotated = torch.cat([-second, first], dim=-1)
        queries_keys = queries_keys * cos + rotated * sin
        queries, keys = queries_keys.split([self.heads, self.groups], dim=1)
        attended = current.attend(self.index, queries, keys, values, scale=self.scale, last_only=last_only)
        if last_only:
            hidden = hidden[: current.n_last]
        hidden = hidden + self.out(attended.flatten(1))
        gate, up = functional.linear(_rms(hidden, self.second_norm), *self.gate_up).chunk(2, dim=-1)
        return hidden + self.down(self.act(gate) * up)


class TransformersForward:
    """Any decoder whose attention goes through transformers' attention interface.

    Raises:
        ValueError: when called, if the attention cannot be replaced, has terms that `Pass.attend` has not, or
            has a window that is shorter than what must be read.
    """

    def __init__(self, model: "PreTrainedModel") -> None:
        self.model = model
        self.window = getattr(model.config, "sliding_window", None)

    def __call__(self, current: Pass, *, last_only: bool = True) -> Tensor:
        """As `Forward`."""
        if self.window is not None and current.needed > self.window:
            raise ValueError(
                f"the model's attention window is {self.window} tokens, {current.needed} are needed"
            )
        with _replaced_attention(self.model):
            output = self.model.base_model(
                input_ids=current.ids[None],  # (1, N)
                attention_mask=torch.ones(
                    1, 1, 1, 1, dtype=torch.bool, device=current.ids.device
                ),  # passed on unchanged
                position_ids=current.positions[None],
                use_cache=False,
                current_pass=current,
            )
        if current.attended != self.model.config.num_hidden_layers:  # tokens were read without their history
            raise ValueError(f"{type(self.model).__name__}: its attention cannot be replaced")
        hidden: Tensor = output.last_hidden_state[0]  # (N, d)
        return hidden[: current.n_last] if last_only else hidden


def _rms(hidden: Tensor, norm: Any) -> Tensor:
    return functional.rms_norm(hidden, hidden.shape[-1:], norm.weight, norm.variance_epsilon)


def _joined(*layers: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of one linear layer that gives the outputs of several."""
    bias = None if layers[0].bias is None else torch.cat([layer.bias.detach() for layer in layers])
    return torch.cat([layer.weight.detach() for layer in layers]), bias


@contextmanager
def _replaced_attention(model: "PreTrainedModel") -> Iterator[None]:
    from transformers import AttentionInterface

    AttentionInterface.register(_ATTENTION, _attend)
    original = model.config._attn_implementation
    model.config._attn_implementation = _ATTENTION
    try:
        yield
    finally:
        model.config._attn_implementation = original


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    current_pass: Pass,
    scaling: float | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention of packed tokens: queries (1, heads, N, size), keys and values (1, groups, N, size)."""
    if unknown := [name for name in ("s_aux", "position_bias") if others.get(name) is not None]:
        raise ValueError(f"attention with {', '.join(unknown)} is not supported")
    out = current_pass.attend(
        int(module.layer_idx),  # type: ignore[arg-type]  # attention modules store an int
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        scale=query.shape[-1] ** -0.5 if scaling is None else scaling,
        softcap=softcap,
    )
    return out[None], None  # (1, N, heads, size)

"""Initial weights that copy: what stood behind a token before is expected behind it again.

A page of arbitrary product codes can only be read by a circuit of two layers that small transformers find
late or not at all: a head that looks one token back, and one that looks for what it has noted (Olsson et al.
2022, "In-context learning and induction heads"). Here the first layers begin as that circuit. Training keeps,
bends or drops it like any other weights.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_BIG = 16.0
"""Embeddings are so many times as large as usual, and the final norm as many times as small: the first
updates would otherwise wipe out what tells one token from another."""
_COMMON = 0.7
"""Of the length of an embedding, the part that all tokens share, for heads that look at positions only."""
_SHARE = 0.57
"""Of the norm of a normed embedding, about what that part makes up."""
_SHARE_LATER = 0.47
"""As `_SHARE`, in the second layer, where the note has come in."""
_SHARP = 8.0
"""How sharply the first layer's head looks one token back."""
_PITCHES = (1.0, 0.9, 0.6)
"""Weights of its fastest rotations: slower ones tell neighbours apart badly."""
_NOTED = 2.1
"""Strength of the note that a token keeps of the one before, against an embedding."""
_MATCH = 4.0
"""How sharply the second layer's head looks for a note of its own token."""
_SLOW = 0.01
"""Radians a token: only rotations slower than this compare tokens that stand far apart."""
_COPY = 16.0
"""Strength of what it copies, against an embedding."""


@torch.no_grad()
def begin_copying(model: "LlamaForCausalLM", *, back: int, seed: int) -> None:
    """Turn the first key-value head of each of the first two layers of a fresh model into the circuit.

    The second head of the second layer copies what stands `back` tokens before.

    Args:
        model: at least two layers of two key-value heads, tied embeddings, default rotations.
        back: how far the product that a list was read up to lies behind the verdict upon it; tokens.
        seed: draws the directions in which tokens are noted.
    """
    config = model.config
    width = config.hidden_size
    head = width // config.num_attention_heads
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(width, width, generator=rng))[0]
    common, own, noted = basis[:, 0], basis[:, 1 : 1 + head], basis[:, 1 + head : 1 + 2 * head]
    size = config.initializer_range * _BIG
    table = model.model.embed_tokens.weight
    table *= _BIG
    model.model.norm.weight /= _BIG
    table -= torch.outer(table @ common, common)
    table += common * size * math.sqrt(width) * _COMMON
    pitches = model.model.rotary_emb.inv_freq.cpu()
    query, key = _looking_back(pitches, 1, common, _SHARE)
    _set_head(model, 0, 0, query=query, key=key, value=own.T, output=noted * size * _NOTED)
    slow = [i for i, pitch in enumerate(pitches) if pitch < _SLOW]
    places = [*slow, *(head // 2 + i for i in slow)]
    query, key = torch.zeros(head, width), torch.zeros(head, width)
    query[places], key[places] = own.T[: len(places)] * _MATCH, noted.T[: len(places)] * _MATCH
    _set_head(model, 1, 0, query=query, key=key, value=own.T, output=own * size * _COPY)
    query, key = _looking_back(pitches, back, common, _SHARE_LATER)
    _set_head(model, 1, 1, query=query, key=key, value=own.T, output=own * size * _COPY)


def _looking_back(pitches: Tensor, far: int, common: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Query and key weights, (d, D) each, that fit best where the key stands `far` tokens before the query.

    They read the direction `common` (D,) alone, which makes up `share` of every normed state.
    """
    weights = torch.zeros(len(pitches))
    weights[: len(_PITCHES)] = torch.tensor(_PITCHES) * _SHARP
    query = torch.cat([weights, torch.zeros(len(pitches))])
    key = torch.cat([weights * (far * pitches).cos(), weights * (far * pitches).sin()])
    scale = math.sqrt(len(common)) * share
    return torch.outer(query / scale, common), torch.outer(key / scale, common)


def _set_head(
    model: "LlamaForCausalLM",
    layer: int,
    number: int,
    *,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
) -> None:
    """Set a key-value head of a layer, (d, D) each, and all its query heads alike, output (D, d)."""
    attention = model.model.layers[layer].self_attn
    sharing = model.config.num_attention_heads // (model.config.num_key_value_heads or 1)
    d = len(key)
    attention.k_proj.weight[number * d : (number + 1) * d] = key
    attention.v_proj.weight[number * d : (number + 1) * d] = value
    for place in range(number * sharing * d, (number + 1) * sharing * d, d):
        attention.q_proj.weight[place : place + d] = query
        attention.o_proj.weight[:, place : place + d] = output / sharing

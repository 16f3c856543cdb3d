"""Initial weights of an induction circuit: what followed a token before is predicted to follow it again.

Reading arbitrary product codes off a page takes a two-layer circuit that small transformers learn late or not
at all: a previous-token head, and a head that looks for its own token among what the first one stored (Olsson
et al. 2022, "In-context learning and induction heads"). Here the first layers start as that circuit. Training
keeps, changes or removes it like any other weights.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_EMBEDDING_SCALE = 16.0
"""Embeddings are larger than usual by this factor, and the final norm smaller: the first updates would
otherwise erase what distinguishes the tokens."""
_SHARED_LENGTH = 0.7
"""Share of an embedding's length along a direction common to all tokens, for heads that use position only."""
_SHARED_NORM = 0.57
"""About the share of a normalised embedding's norm along that direction."""
_SHARED_NORM_LAYER_2 = 0.47
"""As `_SHARED_NORM`, in the second layer, after the first one has added the stored token."""
_PREVIOUS_SHARPNESS = 8.0
"""Sharpness of the attention of the previous-token head."""
_FAST_ROTATIONS = (1.0, 0.9, 0.6)
"""Weights of that head's fastest rotations: slower ones distinguish neighbours badly."""
_STORED_STRENGTH = 2.1
"""Strength of the stored previous token relative to an embedding."""
_MATCH_SHARPNESS = 4.0
"""Sharpness with which the second layer's head matches its own token with stored ones."""
_SLOW_ROTATION = 0.01
"""Radians per token: only rotations slower than this compare tokens far apart."""
_COPY_STRENGTH = 16.0
"""Strength of the copied token relative to an embedding."""


@torch.no_grad()
def begin_copying(model: "LlamaForCausalLM", *, back: int, seed: int) -> None:
    """Make the first key-value head of each of the first two layers of a fresh model the induction circuit.

    The second head of the second layer copies the token `back` positions before.

    Args:
        model: at least two layers of two key-value heads, tied embeddings, default rotations.
        back: distance in tokens from the verdict on a list to the product that it refers to.
        seed: draws the directions in which tokens are stored.
    """
    config = model.config
    width = config.hidden_size
    head = width // config.num_attention_heads
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(width, width, generator=rng))[0]  # (D, D) orthonormal columns
    common, token, stored = basis[:, 0], basis[:, 1 : 1 + head], basis[:, 1 + head : 1 + 2 * head]
    size = config.initializer_range * _EMBEDDING_SCALE
    table = model.model.embed_tokens.weight  # (V, D)
    table *= _EMBEDDING_SCALE
    model.model.norm.weight /= _EMBEDDING_SCALE
    table -= torch.outer(table @ common, common)
    table += common * size * math.sqrt(width) * _SHARED_LENGTH
    frequencies = model.model.rotary_emb.inv_freq.cpu()
    query, key = _looking_back(frequencies, 1, common, _SHARED_NORM)
    _set_head(model, 0, 0, query=query, key=key, value=token.T, output=stored * size * _STORED_STRENGTH)
    slow = [i for i, frequency in enumerate(frequencies) if frequency < _SLOW_ROTATION]
    rows = [*slow, *(head // 2 + i for i in slow)]
    query, key = torch.zeros(head, width), torch.zeros(head, width)
    query[rows], key[rows] = token.T[: len(rows)] * _MATCH_SHARPNESS, stored.T[: len(rows)] * _MATCH_SHARPNESS
    copied = token * size * _COPY_STRENGTH
    _set_head(model, 1, 0, query=query, key=key, value=token.T, output=copied)
    query, key = _looking_back(frequencies, back, common, _SHARED_NORM_LAYER_2)
    _set_head(model, 1, 1, query=query, key=key, value=token.T, output=copied)


def _looking_back(frequencies: Tensor, distance: int, common: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Query and key weights, (d, D) each, that match best if the key is `distance` tokens before the query.

    They read only the direction `common` (D,), which makes up `share` of every normalised state.
    """
    weights = torch.zeros(len(frequencies))
    weights[: len(_FAST_ROTATIONS)] = torch.tensor(_FAST_ROTATIONS) * _PREVIOUS_SHARPNESS
    query = torch.cat([weights, torch.zeros(len(frequencies))])
    angles = distance * frequencies
    key = torch.cat([weights * angles.cos(), weights * angles.sin()])
    scale = math.sqrt(len(common)) * share
    return torch.outer(query / scale, common), torch.outer(key / scale, common)


def _set_head(
    model: "LlamaForCausalLM",
    layer: int,
    head: int,
    *,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
) -> None:
    """Set a key-value head of a layer, (d, D) each, and all its query heads alike, output (D, d)."""
    attention = model.model.layers[layer].self_attn
    n_queries = model.config.num_attention_heads // (model.config.num_key_value_heads or 1)
    d = len(key)
    attention.k_proj.weight[head * d : (head + 1) * d] = key
    attention.v_proj.weight[head * d : (head + 1) * d] = value
    for start in range(head * n_queries * d, (head + 1) * n_queries * d, d):
        attention.q_proj.weight[start : start + d] = query
        attention.o_proj.weight[:, start : start + d] = output / n_queries

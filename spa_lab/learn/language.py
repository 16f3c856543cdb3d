"""What a causal language model says about given tokens: log-probabilities and hidden states.

Rows are padded on the right and attention is causal, so padding can never be attended to and no
attention mask is needed: that is the fast path of every attention kernel.
"""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from spa_lab.agent.head import logits_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


LOGITS_AT_ONCE = 2**26
"""Logits in memory at a time: 256 MiB in float32. More of them are made in chunks, and again in the backward
pass. With a vocabulary of 128,256 these are 523 tokens; models of a few hundred words never get there."""


class Reading(NamedTuple):
    """What a language model says about n given tokens."""

    logprobs: Tensor
    """(n,) natural log-probability of each token."""
    hits: Tensor
    """(n,) bool: the token was the most likely one."""
    entropy: Tensor
    """(n,) entropy of the distribution that it was drawn from, nats; 0 if not asked for."""


def hidden_states(model: "PreTrainedModel", ids: Tensor) -> Tensor:
    """(B, L, d) last hidden layer for right-padded `ids` (B, L) int64; values at padding mean nothing."""
    return model.base_model(input_ids=ids.to(model.device), use_cache=False).last_hidden_state


def before_written(hidden: Tensor, mask: Tensor) -> Tensor:
    """(n, d) hidden state from which each of the n tokens in `mask` (B, L) bool was predicted, in row order.

    The token in column l is predicted from column l - 1; column 0 is predicted from nothing.
    """
    row, column = mask[:, 1:].nonzero(as_tuple=True)
    index = row * mask.shape[1] + column  # (n,) into B * L
    return hidden.flatten(0, 1).index_select(0, index.to(hidden.device))  # (B, L, d) -> (n, d)


def read_tokens(
    model: "PreTrainedModel",
    features: Tensor,
    tokens: Tensor,
    *,
    temperature: float = 1.0,
    with_entropy: bool = False,
) -> Reading:
    """What `model` says about n tokens when it samples at `temperature`, with bounded memory.

    Args:
        model: a causal language model.
        features: (n, d) hidden states before the tokens.
        tokens: (n,) int64 token ids, on the device of `features`.
        temperature: > 0.
        with_entropy: compute the entropies.
    """

    def read(features: Tensor, tokens: Tensor) -> Reading:
        logits = logits_of(model, features)  # (n, V)
        hits = logits.argmax(dim=-1) == tokens
        if temperature != 1.0:
            logits = logits / temperature
        logprobs = torch.log_softmax(logits, dim=-1).gather(1, tokens[:, None]).squeeze(1)
        entropy = _entropy(logits) if with_entropy else torch.zeros_like(logprobs)
        return Reading(logprobs, hits, entropy)

    size = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    if len(tokens) <= size:
        return read(features, tokens)
    chunks = zip(features.split(size), tokens.split(size), strict=True)
    if torch.is_grad_enabled():
        readings = [
            checkpoint(read, *chunk, use_reentrant=False, preserve_rng_state=False) for chunk in chunks
        ]
    else:
        readings = [read(*chunk) for chunk in chunks]
    return Reading(*(torch.cat(parts) for parts in zip(*readings, strict=True)))


def logprobs_under(model: "PreTrainedModel", ids: Tensor, mask: Tensor, *, temperature: float) -> Tensor:
    """(n,) natural log-probability of the n tokens in `mask` when `model` samples at `temperature`."""
    check_predictable(mask)
    features = before_written(hidden_states(model, ids), mask)
    return read_tokens(model, features, ids[mask].to(features.device), temperature=temperature).logprobs


def check_predictable(mask: Tensor) -> None:
    """Check that `mask` (B, L) bool selects no first token of a row, which nothing predicts.

    Raises:
        ValueError: it does.
    """
    if bool(mask[:, 0].any()):
        raise ValueError(
            f"{int(mask[:, 0].sum())} of {len(mask)} rows select their first token, which nothing predicts"
        )


def _entropy(logits: Tensor) -> Tensor:
    """(n,) entropy in nats of the distributions with `logits` (n, V)."""
    log_probs = torch.log_softmax(logits, dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)  # (n, V) -> (n,)


def trainable_parameters(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """Named parameters with a gradient, in the model's order."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]

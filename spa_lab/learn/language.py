"""What a causal language model says about given tokens: log-probabilities and hidden states.

Rows are padded on the right and attention is causal, so padding can never be attended to and no
attention mask is needed: that is the fast path of every attention kernel.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def hidden_states(model: "PreTrainedModel", ids: Tensor) -> Tensor:
    """(B, L, d) last hidden layer for right-padded `ids` (B, L) int64; values at padding mean nothing."""
    return model.base_model(input_ids=ids.to(model.device), use_cache=False).last_hidden_state


def before_written(hidden: Tensor, mask: Tensor) -> Tensor:
    """(n, d) hidden state from which each of the n tokens in `mask` (B, L) bool was predicted, in row order.

    The token in column l is predicted from column l - 1; column 0 is predicted from nothing.
    """
    return hidden[:, :-1][mask[:, 1:]]  # (B, L, d) -> (n, d)


def logits_of(model: "PreTrainedModel", features: Tensor) -> Tensor:
    """(n, V) float32 logits of the language model's head for `features` (n, d)."""
    return model.get_output_embeddings()(features).float()


def written_logits(model: "PreTrainedModel", hidden: Tensor, mask: Tensor) -> Tensor:
    """(n, V) float32 logits that predicted each of the n tokens in `mask` (B, L) bool, in row order.

    Raises:
        ValueError: `mask` has a token in column 0.
    """
    if bool(mask[:, 0].any()):
        raise ValueError(
            f"{int(mask[:, 0].sum())} of {len(mask)} rows select their first token, which nothing predicts"
        )
    return logits_of(model, before_written(hidden, mask))


def written_logprobs(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """(n,) natural log-probability of the n tokens in `mask`, from their `written_logits`."""
    written = ids[mask][:, None].to(logits.device)  # (B, L) -> (n, 1)
    return torch.log_softmax(logits, dim=-1).gather(1, written).squeeze(1)  # (n, V) -> (n, 1) -> (n,)


def logprobs_under(model: "PreTrainedModel", ids: Tensor, mask: Tensor, *, temperature: float) -> Tensor:
    """(n,) natural log-probability of the n tokens in `mask` when `model` samples at `temperature`."""
    logits = written_logits(model, hidden_states(model, ids), mask)
    return written_logprobs(logits / temperature, ids, mask)


def trainable_parameters(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """Named parameters with a gradient, in the model's order."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]

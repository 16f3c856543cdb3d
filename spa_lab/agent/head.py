"""The output head of a language model: hidden states → logits, as the model itself makes them."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CHECKED_TOKENS = 8
_TOLERANCE, _ROUNDINGS = 1e-3, 8
"""Largest difference of logits that `check_head` allows, relative to the largest logit, and in roundings of
the model's precision."""


def logits_of(model: "PreTrainedModel", hidden: Tensor) -> Tensor:
    """(n, V) float32 logits of the next token after hidden states (n, d).

    Some models change what their head gives: Granite divides it, Cohere multiplies it, Gemma bounds it.
    """
    logits: Tensor = model.get_output_embeddings()(hidden).float()
    config = model.config
    if (divisor := getattr(config, "logits_scaling", None)) is not None:
        logits = logits / divisor
    if (factor := getattr(config, "logit_scale", None)) is not None:
        logits = logits * factor
    if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
        logits = cap * torch.tanh(logits / cap)
    return logits


@torch.inference_mode()
def check_head(model: "PreTrainedModel", name: str) -> None:
    """Check on a few tokens that `logits_of` gives the model's own logits; reads nothing on "meta".

    Raises:
        ValueError: it does not; says how far they are apart.
    """
    if model.device.type == "meta":
        return
    n = min(_CHECKED_TOKENS, int(model.config.get_text_config().vocab_size))
    ids = torch.arange(n, device=model.device)[None]  # (1, L)
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]
    own = model(input_ids=ids, use_cache=False).logits[0]  # (L, V)
    tolerance = max(_TOLERANCE, _ROUNDINGS * torch.finfo(own.dtype).eps)
    largest, apart = (float(x.abs().max()) for x in (own, own.float() - logits_of(model, hidden)))
    if apart > tolerance * largest:
        raise ValueError(
            f"{name}: {type(model).__name__} makes its logits, which reach {largest:.3g}, in an unknown way; "
            f"those of its head differ by up to {apart:.3g}"
        )

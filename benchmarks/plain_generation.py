"""The plain implementation: `model.generate`, which reads the whole text again unless it is given a cache."""

from collections.abc import Collection, Sequence

import torch
from transformers import DynamicCache, GenerationConfig

from spa_lab.agent.rollout import Policy


@torch.inference_mode()
def generate_step(
    policy: Policy,
    texts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    temperature: float,
    cache: DynamicCache | None = None,
) -> list[tuple[int, ...]]:
    """One step of B episodes.

    Args:
        policy: its model must be in eval mode.
        texts: B sequences of token ids, the episodes so far.
        max_new_tokens: longest step.
        temperature: 0 is greedy; else sampling draws from torch's global generator.
        cache: of the texts at the step before, extended in place; None: everything is read.

    Returns:
        B sequences of token ids, up to and including the first one that ends a step.
    """
    codec, device = policy.codec, policy.model.device
    longest = max(map(len, texts))
    padding = [longest - len(text) for text in texts]
    ids = torch.tensor([[codec.pad_id] * pad + list(text) for pad, text in zip(padding, texts, strict=True)])
    mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding])
    sampling = {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        eos_token_id=sorted(codec.stop_ids),
        pad_token_id=codec.pad_id,
        **sampling,
    )
    out = policy.model.generate(  # type: ignore[operator]
        ids.to(device), attention_mask=mask.to(device), generation_config=settings, past_key_values=cache
    )
    return [_until_stop(row, codec.stop_ids) for row in out[:, longest:].tolist()]


def _until_stop(row: Sequence[int], stops: Collection[int]) -> tuple[int, ...]:
    after = next((i + 1 for i, token in enumerate(row) if token in stops), len(row))
    return tuple(row[:after])

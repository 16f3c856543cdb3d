"""Next-token distributions of a policy, and sampling from them with given uniform numbers.

A policy can be restricted to a finite list of step texts (`AllowedTexts`). Each token is then drawn only from
those that continue an allowed text, with probabilities renormalised over these tokens. The probability of a
text is the product of its tokens' probabilities, and the allowed texts share all of the probability: V and Q
become finite sums (`truth.exact`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spa_lab.agent.codec import Codec


@dataclass(frozen=True)
class AllowedTexts:
    """The texts that a policy may write in a step, the same at every step."""

    texts: tuple[str, ...]
    """Step texts in ReAct form, e.g. "Action: go left"."""
    token_ids: tuple[tuple[int, ...], ...]
    """Token ids of each text, end-of-turn token included."""

    @classmethod
    def of(cls, texts: Sequence[str], codec: Codec) -> "AllowedTexts":
        """Encode a list of distinct texts.

        Raises:
            ValueError: the list is empty, or contains a text twice.
        """
        if not texts or len(set(texts)) != len(texts):
            raise ValueError(f"allowed texts must be distinct and at least one, got {list(texts)}")
        return cls(tuple(texts), tuple((*codec.text_ids(text), codec.end_id) for text in texts))

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest text, end-of-turn token included."""
        return max(map(len, self.token_ids))

    def next_tokens(self, written: Sequence[int]) -> list[int]:
        """Token ids that may follow `written` within a step, sorted; empty if `written` starts no text."""
        n, start = len(written), tuple(written)
        return sorted({ids[n] for ids in self.token_ids if len(ids) > n and ids[:n] == start})


def next_token_log_probs(
    logits: Tensor,
    *,
    temperature: float,
    allowed: AllowedTexts | None = None,
    written: Sequence[Sequence[int]] = (),
) -> Tensor:
    """Log-probabilities of the next token of B rows.

    Args:
        logits: (B, V), any float type.
        temperature: > 0 divides the logits; 0 gives probability 1 to the most likely token.
        allowed: the only texts that may be written, or None for any text.
        written: B sequences of token ids that each row has already written in its current step; read only
            if `allowed` is given.

    Returns:
        (B, V) float64 natural log-probabilities; -inf for forbidden tokens. On the device of the logits, or
        on the CPU if that is a Mac's, which has no float64.
    """
    logits = logits.float()
    if logits.device.type == "mps":
        logits = logits.cpu()
    if allowed is not None:
        mask = torch.zeros_like(logits, dtype=torch.bool)  # (B, V)
        for row, token_ids in enumerate(written):
            mask[row, allowed.next_tokens(token_ids)] = True
        logits = logits.masked_fill(~mask, -torch.inf)
    if temperature == 0:
        greedy = torch.full_like(logits, -torch.inf, dtype=torch.float64)
        return greedy.scatter_(1, logits.argmax(dim=-1, keepdim=True), 0.0)
    return torch.log_softmax(logits / temperature, dim=-1).double()


def sample_tokens(log_probs: Tensor, uniforms: Tensor) -> Tensor:
    """Sample by inverting the cumulative distribution: one token for each uniform number.

    The caller draws the uniforms, one generator per row or branch, so that a sample does not depend on what
    else is in the batch.

    Args:
        log_probs: (B, V) float64, see `next_token_log_probs`.
        uniforms: (B, S) float64 in [0, 1), on any device.

    Returns:
        (B, S) int64 token ids.
    """
    cumulative = log_probs.exp().cumsum(dim=-1)  # (B, V)
    # the sum may miss 1 by rounding; scaling keeps every token reachable and the index in range
    targets = uniforms.to(cumulative.device) * cumulative[:, -1:]
    token_ids = torch.searchsorted(cumulative, targets, right=True)
    return token_ids.clamp_(max=log_probs.shape[1] - 1)

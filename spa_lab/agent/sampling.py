"""How a policy chooses its next token: temperature, and, where asked, a finite list of actions.

With a menu the policy can write nothing but the listed texts: at each token only those that continue a
listed text keep their chance, and what is left is scaled to 1. The chance of a text is then the product of
its tokens' chances, and the texts of a menu share all of it: V and Q become finite sums.
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
    """Step texts in the ReAct form, e.g. "Action: go left"."""
    tokens: tuple[tuple[int, ...], ...]
    """Token ids of each, end-of-turn token included."""

    @classmethod
    def of(cls, texts: Sequence[str], codec: Codec) -> "AllowedTexts":
        """A menu of distinct texts.

        Raises:
            ValueError: no text, or one that is there twice.
        """
        if not texts or len(set(texts)) != len(texts):
            raise ValueError(f"a menu needs distinct texts, got {list(texts)}")
        return cls(tuple(texts), tuple((*codec.text_ids(text), codec.end_id) for text in texts))

    @property
    def longest(self) -> int:
        """Tokens of the longest text, end-of-turn token included."""
        return max(map(len, self.tokens))

    def following(self, written: Sequence[int]) -> list[int]:
        """Tokens that may come after `written` within a step, sorted; empty after anything unlisted."""
        n = len(written)
        start = tuple(written)
        return sorted({ids[n] for ids in self.tokens if len(ids) > n and ids[:n] == start})


def next_token_log_probs(
    logits: Tensor, written: Sequence[Sequence[int]], *, temperature: float, menu: AllowedTexts | None
) -> Tensor:
    """(n, V) float64 natural log-probability of each next token; -inf where the menu forbids it.

    Args:
        logits: (n, V) of any float type.
        written: what each row has already written in its step; only the menu asks.
        temperature: > 0 divides the logits; 0 leaves chance 1 to the likeliest token.
        menu: the only texts, or None for any text.
    """
    logits = logits.float()
    if menu is not None:
        allowed = torch.zeros_like(logits, dtype=torch.bool)
        for row, past in enumerate(written):
            allowed[row, menu.following(past)] = True
        logits = logits.masked_fill(~allowed, -torch.inf)
    if temperature == 0:
        best = torch.full_like(logits, -torch.inf, dtype=torch.float64)
        return best.scatter_(1, logits.argmax(dim=-1, keepdim=True), 0.0)
    return torch.log_softmax(logits / temperature, dim=-1).double()


def draw(log_chance: Tensor, numbers: Sequence[Sequence[float]]) -> list[list[int]]:
    """Tokens by inversion: each uniform number in [0, 1) picks one, as in `Session.write`.

    Args:
        log_chance: (n, V) float64.
        numbers: n rows of at least one number; rows may differ in length.

    Returns:
        For each number its token.
    """
    total = log_chance.exp().cumsum(dim=-1)
    most = max(map(len, numbers))
    wanted = torch.tensor([[*row, *[0.0] * (most - len(row))] for row in numbers], dtype=torch.float64)
    # the sum may fall short of 1 by rounding; scaling keeps the last token reachable and in range
    at = torch.searchsorted(total, wanted.to(total.device) * total[:, -1:], right=True)
    found = at.clamp_(max=total.shape[1] - 1).tolist()
    return [tokens[: len(row)] for tokens, row in zip(found, numbers, strict=True)]

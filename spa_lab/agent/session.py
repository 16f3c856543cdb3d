"""Batched generation that keeps the key-value cache over all steps of many episodes.

A session holds B rows, each an episode of its own length. `extend` feeds tokens, `write` lets the policy
write one step, `keep` drops, repeats or reorders rows. Knows nothing of environments.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spa_lab.agent.sampling import next_token_log_probs, sample_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_MAX_UNUSED_SHARE = 0.25
"""Share of unused cache columns above which compacting the cache costs less than attending over them."""


@dataclass(frozen=True)
class Written:
    """What one row wrote in one step."""

    ids: tuple[int, ...]
    """Token ids, end-of-turn token included unless the row reached `max_new_tokens`."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each token at the sampling temperature (at temperature 1 if greedy)."""
    ended: bool
    """The row wrote its end-of-turn token by itself."""


class Session:
    """B episodes being written by one causal language model.

    Args:
        model: in eval mode; any decoder with full attention, or with a window that the episodes fit into.
        end_ids: the tokens that end a step.
        pad_id: fed where a row has no token; never attended to.

    `extend` and `write` raise a ValueError if the model's attention window is too short: a window counts
    cache columns, unused ones included, so what a row sees would depend on the other rows.
    """

    def __init__(self, model: "PreTrainedModel", *, end_ids: Collection[int], pad_id: int) -> None:
        from spa_lab.agent.cache import RowCache  # imports transformers, which takes a second

        self.model = model
        self.end_ids = end_ids
        self.pad_id = pad_id
        self.window = getattr(model.config, "sliding_window", None)
        self.cache = RowCache(model.config.num_hidden_layers)
        self.mask = torch.zeros(0, 0, dtype=torch.bool, device=model.device)
        """(B, L) bool: cache columns that a row uses."""
        self.logits = torch.zeros(0)
        """(B, V): logits of the next token."""

    @torch.inference_mode()
    def extend(self, rows: Sequence[Sequence[int]]) -> None:
        """Feed row i the token ids `rows[i]` (at least one each); sets `logits` (B, V) of the next token."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.pad_id, dtype=torch.long)
        real = torch.zeros(len(rows), longest, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
            real[i, : len(row)] = True
        hidden = self._forward(ids.to(self.model.device), real.to(self.model.device))  # (B, n, d)
        last = torch.tensor([len(row) - 1 for row in rows], device=hidden.device)
        self.logits = self._head(hidden[torch.arange(len(rows), device=hidden.device), last])

    @torch.inference_mode()
    def write(
        self, rngs: Sequence[random.Random], *, temperature: float, max_new_tokens: int
    ) -> list[Written]:
        """Let every row write one step; greedy at temperature 0.

        Row i draws one uniform number per token from `rngs[i]`, so its text does not depend on the other
        rows. The last token of a row has not been fed yet: begin the next `extend` with it.
        """
        ids: list[list[int]] = [[] for _ in rngs]
        logprobs: list[list[float]] = [[] for _ in rngs]
        open_rows = list(range(len(rngs)))
        for position in range(max_new_tokens):
            tokens, token_logprobs = self._choose(open_rows, rngs, temperature)
            for row, token, logprob in zip(open_rows, tokens, token_logprobs, strict=True):
                ids[row].append(token)
                logprobs[row].append(logprob)
            open_rows = [row for row in open_rows if ids[row][-1] not in self.end_ids]
            if not open_rows or position + 1 == max_new_tokens:
                break
            self._feed_open(open_rows, [ids[row][-1] for row in open_rows], len(rngs))
        return [
            Written(tuple(i), tuple(p), i[-1] in self.end_ids) for i, p in zip(ids, logprobs, strict=True)
        ]

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows in this order; a row that is named twice becomes two rows with the same past."""
        unused = 1.0 - self.mask.float().mean().item()
        if list(rows) == list(range(len(self.mask))) and unused < _MAX_UNUSED_SHARE:
            return
        index = torch.tensor(rows, dtype=torch.long, device=self.mask.device)
        mask = self.mask[index]
        columns = compaction_order(mask)
        self.cache.rearrange(index, columns)
        self.mask = mask.gather(1, columns)
        self.logits = self.logits[index]

    def _choose(
        self, open_rows: list[int], rngs: Sequence[random.Random], temperature: float
    ) -> tuple[list[int], list[float]]:
        """The next token of each open row and its log-probability."""
        log_probs = next_token_log_probs(self.logits[open_rows], temperature=temperature or 1.0)  # (n, V)
        if temperature == 0:
            tokens = log_probs.argmax(dim=-1, keepdim=True)
        else:
            uniforms = torch.tensor([[rngs[row].random()] for row in open_rows], dtype=torch.float64)
            tokens = sample_tokens(log_probs, uniforms)
        token_logprobs = log_probs.gather(1, tokens)  # (n, 1), as `tokens`
        return tokens.squeeze(1).tolist(), token_logprobs.squeeze(1).tolist()

    def _feed_open(self, open_rows: list[int], tokens: list[int], n_rows: int) -> None:
        ids = torch.full((n_rows, 1), self.pad_id, dtype=torch.long)
        real = torch.zeros(n_rows, 1, dtype=torch.bool)
        ids[open_rows, 0] = torch.tensor(tokens, dtype=torch.long)
        real[open_rows] = True
        hidden = self._forward(ids.to(self.model.device), real.to(self.model.device))
        self.logits = self._head(hidden[:, 0])

    def _forward(self, ids: Tensor, real: Tensor) -> Tensor:
        """(B, n, d) hidden states of n new columns; columns that are not `real` stay unused."""
        if self.mask.shape[0] == 0:
            self.mask = real.new_zeros(len(real), 0)
        lengths = self.mask.sum(1, keepdim=True)  # (B, 1)
        positions = (lengths + real.long().cumsum(1) - 1).clamp(min=0)  # (B, n)
        self.mask = torch.cat([self.mask, real], dim=1)
        if self.window is not None and self.mask.shape[1] > self.window:
            raise ValueError(
                f"the model's attention window is {self.window} tokens, {self.mask.shape[1]} are needed"
            )
        output = self.model.base_model(
            input_ids=ids,
            attention_mask=self.mask.long(),
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        return output.last_hidden_state

    def _head(self, hidden: Tensor) -> Tensor:
        return self.model.get_output_embeddings()(hidden)


def compaction_order(mask: Tensor) -> Tensor:
    """(B, n) int64: the used columns of each row of `mask` (B, L) bool in order; n = most used by any row."""
    order = torch.argsort(~mask, dim=1, stable=True)
    return order[:, : int(mask.sum(1).max())]

"""Batched generation that keeps the key-value cache over all steps of many episodes.

A session holds B rows, each an episode at its own length. `extend` feeds tokens, `write` lets the
policy write one step, `keep` drops, repeats or reorders rows (a repeated row is a branch that shares
its past for free). Knows nothing of worlds.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from spa_lab.agent.cache import RowCache, closing_order

_HOLES_WORTH_CLOSING = 0.25
"""Share of unused columns from which on closing them costs less than attending over them."""


@dataclass(frozen=True)
class Written:
    """What one row wrote in one step."""

    ids: tuple[int, ...]
    """Token ids, end-of-turn token included unless the row ran into the limit."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each token at the temperature it was drawn at (greedy: 1)."""
    ended: bool
    """The row wrote its end-of-turn token by itself."""


class Session:
    """B episodes being written by one causal language model.

    Args:
        model: in eval mode; any decoder with full attention, or with a window that the episodes fit into.
        end_id: the end-of-turn token.
        pad_id: fed where a row has nothing to say; never attended to.

    `extend` and `write` raise a ValueError where the model's attention window is too short: a window counts
    columns, holes included, so that a row would forget according to its neighbours.
    """

    def __init__(self, model: PreTrainedModel, *, end_id: int, pad_id: int) -> None:
        self.model = model
        self.end_id = end_id
        self.pad_id = pad_id
        self.window = getattr(model.config, "sliding_window", None)
        self.cache = RowCache(model.config)
        self.mask = torch.zeros(0, 0, dtype=torch.bool, device=model.device)
        self.logits = torch.zeros(0)

    @torch.inference_mode()
    def extend(self, rows: Sequence[Sequence[int]]) -> None:
        """Feed row i its tokens `rows[i]` (at least one each); sets `logits` (B, V) of what comes next."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.pad_id, dtype=torch.long)
        real = torch.zeros(len(rows), longest, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
            real[i, : len(row)] = True
        hidden = self._forward(ids.to(self.model.device), real.to(self.model.device))
        last = torch.tensor([len(row) - 1 for row in rows], device=hidden.device)
        self.logits = self._head(hidden[torch.arange(len(rows), device=hidden.device), last])

    @torch.inference_mode()
    def write(
        self, rngs: Sequence[random.Random], *, temperature: float, max_new_tokens: int
    ) -> list[Written]:
        """Let every row write one step; greedy at temperature 0.

        Row i draws one uniform number per token from `rngs[i]`, so its text does not depend on which
        rows it shares a batch with. The last token of a row is not fed yet: begin the next `extend`
        with it.
        """
        ids: list[list[int]] = [[] for _ in rngs]
        logprobs: list[list[float]] = [[] for _ in rngs]
        open_rows = list(range(len(rngs)))
        for position in range(max_new_tokens):
            chosen, logprob = self._choose(open_rows, rngs, temperature)
            for row, token, value in zip(open_rows, chosen, logprob, strict=True):
                ids[row].append(token)
                logprobs[row].append(value)
            open_rows = [row for row in open_rows if ids[row][-1] != self.end_id]
            if not open_rows or position + 1 == max_new_tokens:
                break
            self._feed_open(open_rows, [ids[row][-1] for row in open_rows], len(rngs))
        return [Written(tuple(i), tuple(p), i[-1] == self.end_id) for i, p in zip(ids, logprobs, strict=True)]

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows in this order; a row named twice becomes two branches."""
        holes = 1.0 - self.mask.float().mean().item()
        if list(rows) == list(range(len(self.mask))) and holes < _HOLES_WORTH_CLOSING:
            return
        index = torch.tensor(rows, dtype=torch.long, device=self.mask.device)
        mask = self.mask[index]
        columns = closing_order(mask)
        self.cache.rearrange(index, columns)
        self.mask = mask.gather(1, columns)
        self.logits = self.logits[index]

    def _choose(
        self, open_rows: list[int], rngs: Sequence[random.Random], temperature: float
    ) -> tuple[list[int], list[float]]:
        logits = self.logits[open_rows].float()
        logprobs = torch.log_softmax(logits if temperature == 0 else logits / temperature, dim=-1)
        if temperature == 0:
            chosen = logprobs.argmax(dim=-1)
        else:
            total = logprobs.double().exp().cumsum(dim=-1)
            draws = torch.tensor(
                [[rngs[row].random()] for row in open_rows], dtype=torch.float64, device=total.device
            )
            # the sum may fall short of 1 by rounding; scaling keeps the last token reachable and in range
            chosen = (
                torch.searchsorted(total, draws * total[:, -1:], right=True)
                .squeeze(1)
                .clamp_(max=total.shape[1] - 1)
            )
        picked = logprobs.gather(1, chosen[:, None]).squeeze(1)
        return chosen.tolist(), picked.tolist()

    def _feed_open(self, open_rows: list[int], tokens: list[int], n_rows: int) -> None:
        ids = torch.full((n_rows, 1), self.pad_id, dtype=torch.long)
        real = torch.zeros(n_rows, 1, dtype=torch.bool)
        ids[open_rows, 0] = torch.tensor(tokens, dtype=torch.long)
        real[open_rows] = True
        hidden = self._forward(ids.to(self.model.device), real.to(self.model.device))
        self.logits = self._head(hidden[:, 0])

    def _forward(self, ids: Tensor, real: Tensor) -> Tensor:
        """(B, n, d) hidden states of n new columns; columns that are not `real` become holes."""
        if self.mask.shape[0] == 0:
            self.mask = real.new_zeros(len(real), 0)
        lengths = self.mask.sum(1, keepdim=True)
        positions = (lengths + real.long().cumsum(1) - 1).clamp(min=0)
        self.mask = torch.cat([self.mask, real], dim=1)
        if self.window is not None and self.mask.shape[1] > self.window:
            raise ValueError(f"the model sees {self.window} tokens back, {self.mask.shape[1]} are needed")
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

"""A key-value cache whose rows are independent episodes of different lengths.

Buffers are allocated once and written in place; columns that a row does not use are holes, which the
session masks out. Rows can be dropped or repeated, and holes closed, because rotary positions are
baked into the keys. Knows nothing of text or tokens.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin


class _BufferLayer(CacheLayerMixin):
    """Keys and values of one layer, each (B, heads, capacity, head size); `used` columns are filled."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.used = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Start with room for twice the first block."""
        self.keys, self.values = self._room(key_states, 2), self._room(value_states, 2)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append (B, heads, n, head size) columns; returns all filled columns."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.used + key_states.shape[2]
        if end > self.keys.shape[2]:
            self._grow(end)
        self.keys[:, :, self.used : end] = key_states
        self.values[:, :, self.used : end] = value_states
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def rearrange(self, rows: Tensor, columns: Tensor) -> None:
        """Keep `rows` (B',) and, of each, `columns` (B', n), in that order."""
        self.keys = self._gather(self.keys, rows, columns)
        self.values = self._gather(self.values, rows, columns)
        self.used = columns.shape[1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(key length, offset) for the attention mask of the next `query_length` tokens."""
        return self.used + query_length, 0

    def get_seq_length(self) -> int:
        """Filled columns."""
        return self.used

    def get_max_length(self) -> int:
        """-1: the buffers grow when they must."""
        return -1

    def _grow(self, needed: int) -> None:
        factor = max(2.0, needed / self.used)
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = self._room(old[:, :, : self.used], factor)
            new[:, :, : self.used] = old[:, :, : self.used]
            setattr(self, name, new)

    @staticmethod
    def _room(like: Tensor, factor: float) -> Tensor:
        batch, heads, length, size = like.shape
        return like.new_zeros(batch, heads, int(length * factor) + 1, size)

    @staticmethod
    def _gather(buffer: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        index = columns[:, None, :, None].expand(-1, buffer.shape[1], -1, buffer.shape[3])
        return buffer.index_select(0, rows).gather(2, index)


class RowCache(Cache):
    """One `_BufferLayer` for each layer of a full-attention causal language model."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(layers=[_BufferLayer() for _ in range(config.num_hidden_layers)])

    def rearrange(self, rows: Tensor, columns: Tensor) -> None:
        """Keep `rows` (B',) int64 and, of each, `columns` (B', n) int64, in that order."""
        for layer in self.layers:
            assert isinstance(layer, _BufferLayer)
            layer.rearrange(rows, columns)


def closing_order(mask: Tensor) -> Tensor:
    """(B, n) int64: for each row of `mask` (B, L) bool its used columns in order, n = most used by a row."""
    order = torch.argsort(~mask, dim=1, stable=True)
    return order[:, : int(mask.sum(1).max())]

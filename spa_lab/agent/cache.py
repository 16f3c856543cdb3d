"""Key-value caches whose rows are independent episodes of different lengths.

Buffers are written in place and grow when they must. `RowCache` appends a column to all rows at a time;
columns that a row does not use are masked out by the session, and rows can be dropped, repeated and compacted
because rotary positions are baked into the keys. `truth.kv_slots` builds on the same buffer.
"""

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class KeyValueBuffer(CacheLayerMixin):
    """Keys and values of one layer, each (rows, heads, capacity, head size).

    Subclasses say where an update writes and which columns attention then reads.
    """

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.length = 0
        """Columns that attention reads."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Empty buffers with the rows, heads and head size of the first update."""
        self._allocate(key_states, value_states, len(key_states))

    def reserve(self, n_columns: int) -> None:
        """Make room for at least `n_columns`; filled columns are kept."""
        if n_columns > self.keys.shape[2]:
            self.keys, self.values = _wider(self.keys, 2 * n_columns), _wider(self.values, 2 * n_columns)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(number of keys, offset) of the attention mask for the next `query_length` tokens."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Columns that attention reads."""
        return self.length

    def get_max_length(self) -> int:
        """-1: no limit, the buffers grow."""
        return -1

    def _allocate(self, key_states: Tensor, value_states: Tensor, n_rows: int) -> None:
        self.keys, self.values = (
            states.new_zeros(n_rows, states.shape[1], 0, states.shape[3])
            for states in (key_states, value_states)
        )
        self.is_initialized = True


class _RowLayer(KeyValueBuffer):
    """All rows have the same number of columns."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append (B, heads, n, head size) columns; returns all filled columns."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[2]
        self.reserve(end)
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def rearrange(self, rows: Tensor, columns: Tensor) -> None:
        """Keep `rows` (B',) and, of each, `columns` (B', n), in that order."""
        self.keys = self._gather(self.keys, rows, columns)
        self.values = self._gather(self.values, rows, columns)
        self.length = columns.shape[1]

    @staticmethod
    def _gather(buffer: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        index = columns[:, None, :, None].expand(-1, buffer.shape[1], -1, buffer.shape[3])
        return buffer.index_select(0, rows).gather(2, index)  # (B', heads, n, head size)


class RowCache(Cache):
    """One `_RowLayer` for each layer of a full-attention causal language model."""

    def __init__(self, n_layers: int) -> None:
        self.rows = [_RowLayer() for _ in range(n_layers)]
        super().__init__(layers=list(self.rows))

    def rearrange(self, rows: Tensor, columns: Tensor) -> None:
        """Keep `rows` (B',) int64 and, of each, `columns` (B', n) int64, in that order."""
        for layer in self.rows:
            layer.rearrange(rows, columns)


def _wider(buffer: Tensor, capacity: int) -> Tensor:
    rows, heads, filled, size = buffer.shape
    wider = buffer.new_zeros(rows, heads, capacity, size)
    wider[:, :, :filled] = buffer
    return wider

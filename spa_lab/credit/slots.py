"""A key-value cache of slots: each holds one history of its own length, without holes.

Unlike the cache of a rollout, whose rows walk in step, slots are filled, copied and given away one by one
while the others go on. Needs positions that are baked into the keys (rotary). Knows nothing of text.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin

Past = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (heads, L, head size)."""


class _Target:
    """Where the next forward pass writes and what it reads; shared by all layers."""

    rows: Tensor
    """(n,) int64 slots of the batch."""
    columns: Tensor
    """(n, q) int64: where the new keys go."""
    width: int
    """Columns to be read."""
    dense: bool
    """`rows` are the first n slots, so nothing need be gathered."""


class _SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, each (slots, heads, capacity, head size)."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, target: _Target) -> None:
        super().__init__()
        self.target = target

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Room is made by `SlotCache.reserve`."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write (n, heads, q, head size) where the target says; returns the batch's columns."""
        rows, columns = self.target.rows[:, None], self.target.columns
        self.keys[rows, :, columns] = key_states.transpose(1, 2)
        self.values[rows, :, columns] = value_states.transpose(1, 2)
        return self._read(self.keys), self._read(self.values)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(key length, offset); the mask is given, this is asked for all the same."""
        return self.target.width, 0

    def get_seq_length(self) -> int:
        """Columns that the batch reads."""
        return self.target.width

    def get_max_length(self) -> int:
        """-1: the buffers grow when they must."""
        return -1

    def _read(self, buffer: Tensor) -> Tensor:
        wide = buffer[:, :, : self.target.width]
        return wide[: len(self.target.rows)] if self.target.dense else wide[self.target.rows]


class SlotCache(Cache):
    """Slots for `n_slots` histories of one full-attention causal language model."""

    def __init__(self, n_slots: int, n_layers: int) -> None:
        self.target = _Target()
        self.n_slots = n_slots
        self.capacity = 0
        self.slots = [_SlotLayer(self.target) for _ in range(n_layers)]
        super().__init__(layers=list(self.slots))

    def aim(self, rows: Sequence[int], columns: Tensor, width: int) -> None:
        """Send the next forward pass to these slots; see `_Target`."""
        self.reserve(int(width))
        self.target.dense = list(rows) == list(range(len(rows)))
        self.target.rows = torch.tensor(rows, device=columns.device)
        self.target.columns, self.target.width = columns, width

    def plant(self, slot: int, past: Past, length: int) -> None:
        """Fill a slot with the first `length` columns of a history that was read elsewhere."""
        if not self.capacity:
            for layer, (keys, values) in zip(self.slots, past, strict=True):
                layer.keys = keys.new_zeros(self.n_slots, keys.shape[0], 0, keys.shape[2])
                layer.values = values.new_zeros(self.n_slots, values.shape[0], 0, values.shape[2])
        self.reserve(length)
        for layer, (keys, values) in zip(self.slots, past, strict=True):
            layer.keys[slot, :, :length] = keys[:, :length]
            layer.values[slot, :, :length] = values[:, :length]

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` columns of one slot to another."""
        for layer in self.slots:
            layer.keys[target, :, :length] = layer.keys[source, :, :length]
            layer.values[target, :, :length] = layer.values[source, :, :length]

    def reserve(self, width: int) -> None:
        """Make room for `width` columns; what is there stays. Some slot must have been planted."""
        if width > self.capacity:
            self.capacity = 2 * width
            for layer in self.slots:
                layer.keys, layer.values = self._wider(layer.keys), self._wider(layer.values)

    def _wider(self, old: Tensor) -> Tensor:
        new = old.new_zeros(*old.shape[:2], self.capacity, old.shape[3])
        new[:, :, : old.shape[2]] = old
        return new


def feed(model: PreTrainedModel, cache: SlotCache, rows: Sequence[int], lengths: Sequence[int],
         tokens: Sequence[Sequence[int]]) -> Tensor:  # fmt: skip
    """Read tokens into slots, whatever their lengths.

    Args:
        model: in eval mode.
        cache: grows by what is read; lengths are the caller's to count.
        rows: n slots.
        lengths: columns already in each of them.
        tokens: n runs of at least one token.

    Returns:
        (n, d) hidden state behind the last token of each.

    Raises:
        ValueError: the model's attention window is shorter than what must be read.
    """
    device, longest = model.device, max(map(len, tokens))
    ids = torch.tensor([[*run, *[run[-1]] * (longest - len(run))] for run in tokens], device=device)
    columns = torch.tensor(lengths, device=device)[:, None] + torch.arange(longest, device=device)
    width = int(max(length + len(run) for length, run in zip(lengths, tokens, strict=True)))
    window = getattr(model.config, "sliding_window", None)
    if window is not None and width > window:
        raise ValueError(f"the model sees {window} tokens back, {width} are needed")
    room = max(lengths) + longest
    cache.aim(rows, columns, room)
    # what pads a run lies behind it: written, never seen, and written over by the next run
    seen = torch.arange(room, device=device) <= columns[:, :, None]
    mask = torch.zeros(seen.shape, dtype=model.dtype, device=device).masked_fill_(
        ~seen, torch.finfo(model.dtype).min
    )
    output = model.base_model(
        input_ids=ids,
        attention_mask=mask[:, None],
        position_ids=columns,
        past_key_values=cache,
        use_cache=True,
    )
    last = torch.tensor([len(run) - 1 for run in tokens], device=device)
    hidden: Tensor = output.last_hidden_state[torch.arange(len(rows), device=device), last]
    return hidden

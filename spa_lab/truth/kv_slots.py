"""A key-value cache of slots: histories that share a long past and differ in their last part.

A slot holds only what its history wrote and read after it left a trunk; the keys and values of the trunk are
stored once and read by all histories of it as one matrix product. Slots are filled, copied and given away one
by one while the others go on. Needs positions that are baked into the keys (rotary). Knows nothing of text.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin

_ATTENTION = "spa_lab_trunks"

Past = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (heads, L, head size)."""


@dataclass(frozen=True, eq=False)
class Reader:
    """What one slot reads in a pass."""

    slot: int
    trunk: Past
    stem: int
    """Tokens of the trunk that belong to this history."""
    own: int
    """Tokens after them, already in the slot."""
    tokens: Sequence[int]
    """At least one."""


@dataclass(frozen=True, eq=False)
class _Stand:
    """The readers of one trunk."""

    trunk: Past
    readers: Tensor | slice
    """Which of the pass's readers; a slice if all."""
    hidden: Tensor
    """(n, 1, 1, L) bool: columns of the trunk that are no part of the history."""


@dataclass(frozen=True, eq=False)
class _Pass:
    """Where a pass writes and what it reads; the same for all layers."""

    slots: Tensor
    """(n,) int64."""
    dense: bool
    """`slots` are the first n, so nothing need be gathered."""
    columns: Tensor
    """(n, q) int64: where in the slot the new keys go."""
    hidden: Tensor
    """(n, 1, 1, q, C) bool: columns of the slot that a token does not see."""
    stands: Sequence[_Stand]
    answered: list[int] = field(default_factory=list)
    """Layers that have attended by `_attend`."""

    @property
    def width(self) -> int:
        """C, columns to be read."""
        return self.hidden.shape[-1]


class _SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, each (slots, heads, capacity, head size)."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, n_slots: int) -> None:
        super().__init__()
        self.n_slots = n_slots
        self.now: _Pass

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Begin without room."""
        self.keys, self.values = (
            like.new_zeros(self.n_slots, like.shape[1], 0, like.shape[3])
            for like in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write (n, heads, q, head size) where the pass says; returns the columns of its slots."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.now.width > self.keys.shape[2]:
            self.keys, self.values = self._wider(self.keys), self._wider(self.values)
        slots = self.now.slots[:, None]
        self.keys[slots, :, self.now.columns] = key_states.transpose(1, 2)
        self.values[slots, :, self.now.columns] = value_states.transpose(1, 2)
        return self._read(self.keys), self._read(self.values)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(key length, offset); the mask is given, this is asked for all the same."""
        return self.now.width, 0

    def get_seq_length(self) -> int:
        """Columns that the pass reads."""
        return self.now.width

    def get_max_length(self) -> int:
        """-1: the buffers grow when they must."""
        return -1

    def _read(self, buffer: Tensor) -> Tensor:
        wide = buffer[:, :, : self.now.width]
        return wide[: len(self.now.slots)] if self.now.dense else wide[self.now.slots]

    def _wider(self, old: Tensor) -> Tensor:
        new = old.new_zeros(*old.shape[:2], 2 * self.now.width, old.shape[3])
        new[:, :, : old.shape[2]] = old
        return new


class SlotCache(Cache):
    """Slots for the ends of `n_slots` histories of one full-attention causal language model."""

    def __init__(self, n_slots: int, n_layers: int) -> None:
        self.slots = [_SlotLayer(n_slots) for _ in range(n_layers)]
        super().__init__(layers=list(self.slots))

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` columns of one slot to another."""
        for layer in self.slots:
            if length:
                layer.keys[target, :, :length] = layer.keys[source, :, :length]
                layer.values[target, :, :length] = layer.values[source, :, :length]


def read(model: PreTrainedModel, cache: SlotCache, readers: Sequence[Reader]) -> Tensor:
    """Read tokens into slots, whatever their lengths.

    Args:
        model: in eval mode.
        cache: of that model; lengths are the caller's to count.
        readers: n slots and what they read.

    Returns:
        (n, d) hidden state behind the last token of each.

    Raises:
        ValueError: the model's attention window is shorter than what must be read, or its attention cannot be
            exchanged.
    """
    now = _plan(model, readers)
    for layer in cache.slots:
        layer.now = now
    n_tokens = [len(reader.tokens) for reader in readers]
    longest = max(n_tokens)
    # what pads a run lies behind it: written, never seen, and written over by the next run
    rows = [[*one.tokens, *[one.tokens[-1]] * (longest - len(one.tokens))] for one in readers]
    stems = torch.tensor([reader.stem for reader in readers], device=model.device)
    with _exchanged_attention(model):
        output = model.base_model(
            input_ids=torch.tensor(rows, device=model.device),
            attention_mask=now.hidden[:, 0],  # four axes, so it is passed on as it is; `_attend` has the pass
            position_ids=stems[:, None] + now.columns,
            past_key_values=cache,
            use_cache=True,
            trunks=now,
        )
    if len(now.answered) != len(cache.slots):  # else histories would have forgotten their trunk
        raise ValueError(f"{type(model).__name__}: its attention cannot be exchanged")
    last = torch.tensor(n_tokens, device=model.device) - 1
    found: Tensor = output.last_hidden_state[torch.arange(len(rows), device=model.device), last]
    return found


def _plan(model: PreTrainedModel, readers: Sequence[Reader]) -> _Pass:
    needed = max(one.stem + one.own + len(one.tokens) for one in readers)
    window = getattr(model.config, "sliding_window", None)
    if window is not None and needed > window:
        raise ValueError(f"the model sees {window} tokens back, {needed} are needed")
    longest = max(len(one.tokens) for one in readers)
    own = torch.tensor([one.own for one in readers], device=model.device)
    columns = own[:, None] + torch.arange(longest, device=model.device)
    width = max(one.own for one in readers) + longest
    hidden = torch.arange(width, device=model.device) > columns[:, :, None]
    slots = [one.slot for one in readers]
    return _Pass(
        slots=torch.tensor(slots, device=model.device),
        dense=slots == list(range(len(slots))),
        columns=columns,
        hidden=hidden[:, None, None],
        stands=_stands(readers, model.device),
    )


def _stands(readers: Sequence[Reader], device: torch.device) -> list[_Stand]:
    members: dict[int, list[int]] = {}
    for i, one in enumerate(readers):
        members.setdefault(id(one.trunk), []).append(i)
    found = []
    for rows in members.values():
        stems = torch.tensor([readers[i].stem for i in rows], device=device)
        hidden = torch.arange(int(stems.max()), device=device) >= stems[:, None]
        where = slice(None) if len(members) == 1 else torch.tensor(rows, device=device)
        found.append(_Stand(readers[rows[0]].trunk, where, hidden[:, None, None]))
    return found


@contextmanager
def _exchanged_attention(model: PreTrainedModel) -> Iterator[None]:
    AttentionInterface.register(_ATTENTION, _attend)
    usual = model.config._attn_implementation
    model.config._attn_implementation = _ATTENTION
    try:
        yield
    finally:
        model.config._attn_implementation = usual


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    trunks: _Pass,
    **others: Any,
) -> tuple[Tensor, None]:
    """Softmax attention over trunk and slot together: queries (n, heads, q, d), keys (n, groups, C, d)."""
    if strange := [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]:
        raise ValueError(f"branching knows no attention with {', '.join(strange)}")
    layer = int(module.layer_idx)  # type: ignore[arg-type]  # an int, says every attention module
    trunks.answered.append(layer)
    n, heads, q, size = query.shape
    groups = key.shape[1]
    packed = query.reshape(n, groups, -1, size) * scaling  # (n, groups, heads of a group x q, d)
    scores = packed @ key.transpose(-1, -2)
    scores.view(n, groups, -1, q, key.shape[2]).masked_fill_(trunks.hidden, -torch.inf)
    out = torch.empty_like(packed)
    for stand in trunks.stands:
        keys, values = stand.trunk[layer]
        out[stand.readers] = _both(
            packed[stand.readers], scores[stand.readers], value[stand.readers], keys, values, stand.hidden
        )
    return out.view(n, heads, q, size).transpose(1, 2).contiguous(), None


def _both(
    queries: Tensor, scores: Tensor, own: Tensor, keys: Tensor, values: Tensor, hidden: Tensor
) -> Tensor:
    """(n, groups, m, d): what n readers of one trunk see there and in their own slots."""
    n, groups, m, size = queries.shape
    length = hidden.shape[-1]
    flat = queries.transpose(0, 1).reshape(groups, n * m, size)
    common = (flat @ keys[:, :length].transpose(-1, -2)).view(groups, n, m, length).transpose(0, 1)
    common = common.masked_fill(hidden, -torch.inf)
    weights = torch.cat([common, scores], dim=-1).float().softmax(dim=-1).to(own.dtype)
    seen = weights[..., :length].transpose(0, 1).reshape(groups, n * m, length) @ values[:, :length]
    return seen.view(groups, n, m, size).transpose(0, 1) + weights[..., length:] @ own

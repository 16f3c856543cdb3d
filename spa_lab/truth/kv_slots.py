"""A key-value cache of slots, for histories that share a long prefix and differ in their last part.

A slot holds only what its history wrote and read after it left the shared prefix. The keys and values of the
prefix are stored once, and attended to by all its histories in one matrix product. Slots are filled, copied
and reused one by one while the others continue. Requires positions that are baked into the keys (rotary).
Knows nothing of text.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from spa_lab.agent.cache import KeyValueBuffer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ATTENTION = "spa_lab_shared_prefix"

KeysValues = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (heads, L, head size)."""


@dataclass(frozen=True, eq=False)
class SlotInput:
    """The tokens that one slot reads in a forward pass."""

    slot: int
    prefix: KeysValues
    prefix_length: int
    """Tokens of the shared prefix that belong to this history."""
    suffix_length: int
    """Tokens after them that are already in the slot."""
    tokens: Sequence[int]
    """At least one token id."""


@dataclass(frozen=True, eq=False)
class _PrefixGroup:
    """The inputs of a pass that share a prefix."""

    prefix: KeysValues
    rows: Tensor | slice
    """Which of the pass's inputs; a slice if all."""
    masked: Tensor
    """(n, 1, 1, L) bool: columns of the prefix that do not belong to the history."""


@dataclass(frozen=True, eq=False)
class _Pass:
    """Where a forward pass writes and what it attends to; the same for all layers."""

    slots: Tensor
    """(n,) int64."""
    contiguous: bool
    """`slots` are 0 ... n - 1, so nothing has to be gathered."""
    columns: Tensor
    """(n, q) int64: columns of the slot that the new keys are written to."""
    masked: Tensor
    """(n, 1, 1, q, C) bool: columns of the slot that a token does not attend to."""
    groups: Sequence[_PrefixGroup]
    attended: list[int] = field(default_factory=list)
    """Layers that have called `_attend`."""

    @property
    def width(self) -> int:
        """C, columns to read."""
        return self.masked.shape[-1]


class _SlotLayer(KeyValueBuffer):
    """Keys and values of one layer, each (slots, heads, capacity, head size)."""

    def __init__(self, n_slots: int) -> None:
        super().__init__()
        self.n_slots = n_slots
        self.current: _Pass

    def begin(self, current: _Pass) -> None:
        """Set the forward pass that the next update belongs to."""
        self.current, self.length = current, current.width

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Empty buffers for all slots."""
        self._allocate(key_states, value_states, self.n_slots)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write (n, heads, q, head size) where the pass says; returns the columns of its slots."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.reserve(self.length)
        slots = self.current.slots[:, None]  # (n, 1), with columns (n, q)
        self.keys[slots, :, self.current.columns] = key_states.transpose(1, 2)
        self.values[slots, :, self.current.columns] = value_states.transpose(1, 2)
        return self._read(self.keys), self._read(self.values)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(number of keys, offset); the mask is given, transformers asks for the sizes all the same."""
        return self.length, 0

    def _read(self, buffer: Tensor) -> Tensor:
        columns = buffer[:, :, : self.length]
        return columns[: len(self.current.slots)] if self.current.contiguous else columns[self.current.slots]


class SlotCache(Cache):
    """Slots for the suffixes of `n_slots` histories of one full-attention causal language model."""

    def __init__(self, n_slots: int, n_layers: int) -> None:
        self.slot_layers = [_SlotLayer(n_slots) for _ in range(n_layers)]
        super().__init__(layers=list(self.slot_layers))

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` columns of one slot to another."""
        for layer in self.slot_layers:
            if length:
                layer.keys[target, :, :length] = layer.keys[source, :, :length]
                layer.values[target, :, :length] = layer.values[source, :, :length]


def read_into_slots(model: "PreTrainedModel", cache: SlotCache, inputs: Sequence[SlotInput]) -> Tensor:
    """One forward pass over tokens of any lengths, each sequence into its slot.

    Args:
        model: in eval mode.
        cache: of that model; the caller keeps count of the lengths.
        inputs: n slots and what they read.

    Returns:
        (n, d) hidden state after the last token of each.

    Raises:
        ValueError: the model's attention window is shorter than what must be read, or its attention cannot be
            replaced.
    """
    current = _plan(model, inputs)
    for layer in cache.slot_layers:
        layer.begin(current)
    n_tokens = [len(slot.tokens) for slot in inputs]
    longest = max(n_tokens)
    # padding lies after a sequence: it is written, never attended to, and overwritten by the next pass
    ids = [[*slot.tokens, *[slot.tokens[-1]] * (longest - len(slot.tokens))] for slot in inputs]
    prefix_lengths = torch.tensor([slot.prefix_length for slot in inputs], device=model.device)
    with _replaced_attention(model):
        output = model.base_model(
            input_ids=torch.tensor(ids, device=model.device),  # (n, q)
            attention_mask=current.masked[:, 0],  # four axes: passed on unchanged; `_attend` ignores it
            position_ids=prefix_lengths[:, None] + current.columns,
            past_key_values=cache,
            use_cache=True,
            shared_prefixes=current,
        )
    if len(current.attended) != len(cache.slot_layers):  # histories would have been read without their prefix
        raise ValueError(f"{type(model).__name__}: its attention cannot be replaced")
    last = torch.tensor(n_tokens, device=model.device) - 1
    hidden: Tensor = output.last_hidden_state[torch.arange(len(ids), device=model.device), last]
    return hidden  # (n, d)


def _plan(model: "PreTrainedModel", inputs: Sequence[SlotInput]) -> _Pass:
    needed = max(slot.prefix_length + slot.suffix_length + len(slot.tokens) for slot in inputs)
    window = getattr(model.config, "sliding_window", None)
    if window is not None and needed > window:
        raise ValueError(f"the model's attention window is {window} tokens, {needed} are needed")
    longest = max(len(slot.tokens) for slot in inputs)
    suffix_lengths = torch.tensor([slot.suffix_length for slot in inputs], device=model.device)
    columns = suffix_lengths[:, None] + torch.arange(longest, device=model.device)  # (n, q)
    width = max(slot.suffix_length for slot in inputs) + longest
    masked = torch.arange(width, device=model.device) > columns[:, :, None]  # (n, q, C)
    slots = [slot.slot for slot in inputs]
    return _Pass(
        slots=torch.tensor(slots, device=model.device),
        contiguous=slots == list(range(len(slots))),
        columns=columns,
        masked=masked[:, None, None],
        groups=_prefix_groups(inputs, model.device),
    )


def _prefix_groups(inputs: Sequence[SlotInput], device: torch.device) -> list[_PrefixGroup]:
    members: dict[int, list[int]] = {}
    for row, slot in enumerate(inputs):
        members.setdefault(id(slot.prefix), []).append(row)
    groups = []
    for rows in members.values():
        lengths = torch.tensor([inputs[row].prefix_length for row in rows], device=device)
        masked = torch.arange(int(lengths.max()), device=device) >= lengths[:, None]  # (n, L)
        index = slice(None) if len(members) == 1 else torch.tensor(rows, device=device)
        groups.append(_PrefixGroup(inputs[rows[0]].prefix, index, masked[:, None, None]))
    return groups


@contextmanager
def _replaced_attention(model: "PreTrainedModel") -> Iterator[None]:
    from transformers import AttentionInterface

    AttentionInterface.register(_ATTENTION, _attend)
    original = model.config._attn_implementation
    model.config._attn_implementation = _ATTENTION
    try:
        yield
    finally:
        model.config._attn_implementation = original


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    shared_prefixes: _Pass,
    **others: Any,
) -> tuple[Tensor, None]:
    """Softmax attention over prefix and slot together: queries (n, heads, q, d), keys (n, groups, C, d)."""
    if unknown := [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]:
        raise ValueError(f"branching does not support attention with {', '.join(unknown)}")
    layer = int(module.layer_idx)  # type: ignore[arg-type]  # attention modules store an int
    shared_prefixes.attended.append(layer)
    n, heads, q, size = query.shape
    groups = key.shape[1]
    packed = query.reshape(n, groups, -1, size) * scaling  # (n, groups, heads of a group x q, d)
    scores = packed @ key.transpose(-1, -2)  # (n, groups, heads of a group x q, C)
    scores.view(n, groups, -1, q, key.shape[2]).masked_fill_(shared_prefixes.masked, -torch.inf)
    out = torch.empty_like(packed)
    for group in shared_prefixes.groups:
        keys, values = group.prefix[layer]
        out[group.rows] = _attend_to_both(
            packed[group.rows], scores[group.rows], value[group.rows], keys, values, group.masked
        )
    return out.view(n, heads, q, size).transpose(1, 2).contiguous(), None


def _attend_to_both(
    queries: Tensor,
    suffix_scores: Tensor,
    suffix_values: Tensor,
    prefix_keys: Tensor,
    prefix_values: Tensor,
    masked: Tensor,
) -> Tensor:
    """(n, groups, m, d): attention of n histories to their one prefix and to their own slots."""
    n, groups, m, size = queries.shape
    length = masked.shape[-1]
    flat = queries.transpose(0, 1).reshape(groups, n * m, size)
    scores = (flat @ prefix_keys[:, :length].transpose(-1, -2)).view(groups, n, m, length).transpose(0, 1)
    scores = scores.masked_fill(masked, -torch.inf)  # (n, groups, m, L)
    weights = torch.cat([scores, suffix_scores], dim=-1).float().softmax(dim=-1).to(suffix_values.dtype)
    on_prefix = weights[..., :length].transpose(0, 1).reshape(groups, n * m, length)
    from_prefix = (on_prefix @ prefix_values[:, :length]).view(groups, n, m, size).transpose(0, 1)
    return from_prefix + weights[..., length:] @ suffix_values

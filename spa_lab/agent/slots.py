"""Keys and values of many histories side by side: a slot for each, and the tokens that they read in a pass.

A slot is dense: the keys of a history's n tokens lie in its columns 0 ... n - 1. Slots are filled, copied and
reused one by one while the others go on. A history may begin with a prefix that it shares with others; its
slot then holds only what follows. Requires positions that are baked into the keys (rotary) or added to the
embeddings. Knows nothing of text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

KeysValues = Sequence[tuple[Tensor, Tensor]]
"""Keys (heads, head size, L) and values (heads, L, head size) of each layer."""

_ROWS_OF_A_PART, _ROWS_WITH_PREFIX = 32, 128
"""Slots whose queries are computed together, as wide as the longest: fewer waste less memory traffic, more
save calls; with a prefix most of what is read is shared."""
_ROWS_THAT_READ = 8
"""The same for slots that read more than one token, padded to the one that reads most."""


@dataclass(eq=False)
class History:
    """Tokens that a model has read and tokens that it reads next."""

    pending: list[int]
    """Token ids to be read."""
    read: list[int] = field(default_factory=list)
    """Token ids whose keys and values are in the slot."""
    prefix: KeysValues | None = None
    """Of the tokens before those in the slot."""
    prefix_length: int = 0
    """Tokens of the prefix that belong to this history."""
    draft: list[int] = field(default_factory=list)
    """Token ids that are read after the last pending one, in case they are what follows it."""

    def advance(self, n_tokens: int) -> None:
        """The first `n_tokens` pending tokens have been read."""
        self.read += self.pending[:n_tokens]
        del self.pending[:n_tokens]


class Slots:
    """Keys (slots, heads, head size, columns) and values (slots, heads, columns, head size) of each layer.

    Keys lie along the columns because products of few queries with them are then faster on a CPU.
    """

    def __init__(self) -> None:
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self.n_rows, self.n_columns = 0, 0
        """Room that every layer has, or gets when it is written to first."""

    def resize(self, n_rows: int, n_columns: int) -> None:
        """Make room for `n_rows` slots of `n_columns` columns; what fits is kept."""
        self.n_rows, self.n_columns = n_rows, n_columns
        for layer, (keys, values) in enumerate(zip(self.keys, self.values, strict=True)):
            self.keys[layer], self.values[layer] = self._room(keys[..., 0], values[:, :, 0])
            keys, values = keys[:n_rows, ..., :n_columns], values[:n_rows, :, :n_columns]
            self.keys[layer][: len(keys), ..., : keys.shape[3]] = keys
            self.values[layer][: len(values), :, : values.shape[2]] = values

    def write(self, layer: int, rows: Tensor, columns: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store (N, heads, head size) keys and values of N tokens; layers are first written in order."""
        if layer == len(self.keys):
            for buffers, room in zip((self.keys, self.values), self._room(keys, values), strict=True):
                buffers.append(room)
        self.keys[layer][rows, :, :, columns] = keys
        self.values[layer][rows, :, columns] = values

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` columns of one slot to another."""
        for keys, values in zip(self.keys, self.values, strict=True):
            keys[target, ..., :length] = keys[source, ..., :length]
            values[target, :, :length] = values[source, :, :length]

    def _room(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Empty buffers for keys and values like these (..., heads, head size)."""
        (heads, size), (value_heads, value_size) = keys.shape[1:], values.shape[1:]
        return (
            keys.new_zeros(self.n_rows, heads, size, self.n_columns),
            values.new_zeros(self.n_rows, value_heads, self.n_columns, value_size),
        )


@dataclass(frozen=True, eq=False)
class _Prefix:
    """A prefix and the rows of a part that it belongs to."""

    keys_values: KeysValues
    rows: Tensor | slice
    """A slice if all."""
    length: int
    """L, the longest that a row has of it."""


@dataclass(frozen=True, eq=False)
class _Part:
    """Consecutive tokens of a pass whose attention is computed together: m slots, at most Q queries each."""

    tokens: slice
    slots: slice | Tensor
    width: int
    """C, columns of the slots to read."""
    masked: Tensor
    """(m, 1, Q, 1, L + C) bool: columns of prefix and slot that a query does not attend to."""
    prefixes: Sequence[_Prefix]
    padded: tuple[Tensor, Tensor] | None
    """(m, Q) int64, where among `tokens` each query is, and (m, Q) bool, which are real; None: Q is 1."""


class Pass:
    """The tokens that a model reads in one forward pass, packed without padding.

    The tails come first, in the order of the slots: of each slot the last token that it reads and its draft.
    Then, for the slots that read more, the tokens before that last one.

    Args:
        slots: where keys and values are kept; room is made by the caller.
        histories: n >= 1 histories, one for each of the first n slots.
        counts: how many pending tokens each reads, >= 1; a history with a draft reads all.
        device: of the model.
    """

    def __init__(
        self, slots: Slots, histories: Sequence[History], counts: Sequence[int], device: torch.device
    ) -> None:
        self.slots, self.histories, self.device = slots, histories, device
        self.attended = 0
        """Calls of `attend`, one for each layer."""
        count, n = np.array(counts), len(histories)
        starts = np.array([len(history.read) for history in histories])
        longer = np.flatnonzero(count > 1)
        longer = longer[np.argsort(count[longer], kind="stable")]  # those of one part have similar lengths
        # runs of consecutive tokens of a slot: first the tails of all slots, then what some read before them
        tails = np.array([1 + len(history.draft) for history in histories])
        self._slots = np.concatenate([np.arange(n), longer])
        self._first = np.concatenate([starts + count - 1, starts[longer]])
        self._lengths = np.concatenate([tails, count[longer] - 1])
        self._ends = np.cumsum(self._lengths)
        self.n_last = int(self._ends[n - 1])
        """Tokens of all tails."""
        ids: list[int] = []
        for history, n_tokens in zip(histories, counts, strict=True):
            ids += (history.pending[n_tokens - 1], *history.draft)
        for i in longer.tolist():
            ids += histories[i].pending[: counts[i] - 1]
        rows = np.repeat(self._slots, self._lengths)
        within = np.arange(len(ids)) - np.repeat(self._ends - self._lengths, self._lengths)
        columns = np.repeat(self._first, self._lengths) + within
        offsets = np.array([history.prefix_length for history in histories])
        self.needed = int((starts + count + offsets).max())
        """Positions that the model must be able to read, drafts left out."""
        packed = np.stack([np.array(ids), rows, columns, columns + offsets[rows]])  # (4, N)
        self.ids, self.rows, self.columns, self.positions = torch.from_numpy(packed).to(device)
        size = _ROWS_OF_A_PART if histories[0].prefix is None else _ROWS_WITH_PREFIX
        self.parts = [self._part(slice(i, min(i + size, n))) for i in range(0, n, size)]
        self.n_tails = len(self.parts)
        end = n + len(longer)
        self.parts += [
            self._part(slice(i, min(i + _ROWS_THAT_READ, end))) for i in range(n, end, _ROWS_THAT_READ)
        ]

    def attend(
        self,
        layer: int,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        *,
        scale: float,
        softcap: float | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """Store the keys and values of the pass's N tokens and attend to all that each token may see.

        Args:
            layer: index.
            queries: (N, heads, head size).
            keys: (N, groups, head size), heads a multiple of groups: heads are not repeated.
            values: as `keys`.
            scale: of the scores.
            softcap: scores s become softcap * tanh(s / softcap).
            last_only: return the tails of the slots alone.

        Returns:
            (N, heads, head size), or (n_last, heads, head size).
        """
        self.slots.write(layer, self.rows, self.columns, keys, values)
        self.attended += 1
        parts = self.parts[: self.n_tails] if last_only else self.parts
        outputs = [self._attend(part, layer, queries[part.tokens], scale, softcap) for part in parts]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _attend(
        self, part: _Part, layer: int, queries: Tensor, scale: float, softcap: float | None
    ) -> Tensor:
        keys = self.slots.keys[layer][..., : part.width][part.slots]  # (m, groups, size, C)
        values = self.slots.values[layer][:, :, : part.width][part.slots]  # (m, groups, C, size)
        if part.padded is not None:
            queries = queries[part.padded[0]]  # (m, Q, heads, size)
        m, groups = keys.shape[:2]
        packed = queries.reshape(m, -1, groups, queries.shape[-2] // groups, queries.shape[-1])
        n_queries, of_group = packed.shape[1], packed.shape[3]
        packed = packed.transpose(1, 2).reshape(m, groups, n_queries * of_group, -1) * scale
        scores = packed @ keys  # (m, groups, Q x heads of a group, C)
        if part.prefixes:
            scores = torch.cat([self._prefix_scores(part, layer, packed), scores], dim=-1)
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        scores.view(m, groups, n_queries, of_group, -1).masked_fill_(part.masked, -torch.inf)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(values.dtype)
        out = weights[..., weights.shape[-1] - part.width :] @ values
        for prefix in part.prefixes:
            shared = weights[prefix.rows, :, :, : prefix.length].transpose(0, 1)  # (groups, r, ..., L)
            from_prefix = shared.flatten(1, 2) @ prefix.keys_values[layer][1][:, : prefix.length]
            out[prefix.rows] += from_prefix.unflatten(1, shared.shape[1:3]).transpose(0, 1)
        out = out.view(m, groups, n_queries, of_group, -1).transpose(1, 2).flatten(2, 3)
        return out[:, 0] if part.padded is None else out[part.padded[1]]

    def _prefix_scores(self, part: _Part, layer: int, packed: Tensor) -> Tensor:
        """(m, groups, Q x heads of a group, L): every prefix is read once for all of its rows."""
        longest = max(prefix.length for prefix in part.prefixes)
        scores = packed.new_zeros(*packed.shape[:3], longest)
        for prefix in part.prefixes:
            rows = packed[prefix.rows].transpose(0, 1)  # (groups, r, ..., size)
            products = rows.flatten(1, 2) @ prefix.keys_values[layer][0][..., : prefix.length]
            scores[prefix.rows, :, :, : prefix.length] = products.unflatten(1, rows.shape[1:3]).transpose(
                0, 1
            )
        return scores

    def _part(self, runs: slice) -> _Part:
        chosen, first, lengths = self._slots[runs], self._first[runs], self._lengths[runs]
        histories = [self.histories[i] for i in chosen]
        queries = np.arange(lengths.max())
        columns = first[:, None] + queries  # (m, Q)
        width = int((first + lengths).max())
        masked = np.arange(width) > columns[:, :, None]  # (m, Q, C)
        prefixes = self._prefixes(histories)
        if prefixes:
            longest = max(prefix.length for prefix in prefixes)
            of_prefix = np.array([history.prefix_length for history in histories])[:, None, None]
            beyond = np.broadcast_to(np.arange(longest) >= of_prefix, (*columns.shape, longest))
            masked = np.concatenate([beyond, masked], axis=-1)
        padded = None
        if len(queries) > 1:
            ends = (np.cumsum(lengths))[:, None]
            where = np.minimum(ends - lengths[:, None] + queries, ends - 1)
            padded = self._tensor(where), self._tensor(queries < lengths[:, None])
        end = int(self._ends[runs][-1])
        is_tail = runs.stop <= len(self.histories)  # their slots lie side by side and need not be gathered
        return _Part(
            tokens=slice(end - int(lengths.sum()), end),
            slots=runs if is_tail else self._tensor(chosen),
            width=width,
            masked=self._tensor(masked)[:, None, :, None],
            prefixes=prefixes,
            padded=padded,
        )

    def _tensor(self, array: "NDArray[Any]") -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _prefixes(self, histories: Sequence[History]) -> list[_Prefix]:
        """The prefixes of some histories, each with its rows; none if they have no prefix."""
        members: dict[int, list[int]] = {}
        for row, history in enumerate(histories):
            if history.prefix is not None:
                members.setdefault(id(history.prefix), []).append(row)
        prefixes = []
        for rows in members.values():
            first = histories[rows[0]].prefix
            assert first is not None
            length = max(histories[row].prefix_length for row in rows)
            index = slice(None) if len(members) == 1 else torch.tensor(rows, device=self.device)
            prefixes.append(_Prefix(first, index, length))
        return prefixes

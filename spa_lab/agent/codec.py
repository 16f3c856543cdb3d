"""Trajectories → tokens, with the step index of every token that the policy wrote.

A codec learns from the tokenizer's chat template which fixed pieces surround messages, and encodes each piece
and each message separately, so the tokens of a step are known by construction and need no search in the
encoded text. Special tokens spelled out in the text of an agent or a world stay plain text. Knows nothing of
models.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spa_lab.react import opening_message
from spa_lab.types import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARKS = ("\u241eworld-one\u241e", "\u241eagent-one\u241e", "\u241eworld-two\u241e", "\u241eagent-two\u241e")


class ContextTooLong(ValueError):
    """A trajectory needs more tokens than the model can read."""


@dataclass(frozen=True)
class TokenRow:
    """One trajectory as tokens.

    Invariants: `ids` and `step` have the same length L; the non-negative values of `step` do not
    decrease and cover 0 ... T - 1.
    """

    trajectory_id: str
    ids: tuple[int, ...]
    step: tuple[int, ...]
    """Index of the step in which the policy wrote this token; -1 if the world or the template wrote it."""


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Rows padded on the right to one length L."""

    ids: Tensor
    """(B, L) int64."""
    attention: Tensor
    """(B, L) bool: real token, not padding."""
    step: Tensor
    """(B, L) int64: step index of each token that the policy wrote, else -1."""
    trajectory_ids: tuple[str, ...]

    @property
    def action_mask(self) -> Tensor:
        """(B, L) bool: tokens written by the policy, end-of-turn tokens included."""
        return self.step >= 0

    @property
    def step_end(self) -> Tensor:
        """(B, L) bool: the last token of each step."""
        following = torch.nn.functional.pad(self.step[:, 1:], (0, 1), value=-1)
        return self.action_mask & (following != self.step)


class Codec:
    """Text ↔ tokens for one tokenizer and its chat template.

    Raises:
        ValueError: the tokenizer has no chat template, no end-of-turn token, or a template that
            rewrites earlier messages (then a cache could not be kept over steps).
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", *, manual: str = "", prefix: str = "") -> None:
        """`manual` opens the first message; `prefix` is put before each later observation."""
        self.tokenizer = tokenizer
        self.manual = manual
        self.prefix = prefix
        opening, to_agent, to_world = _template_pieces(tokenizer)
        self._opening = self._special(opening)
        self._to_agent = self._special(to_agent)
        self._to_world = self._special(to_world)
        self.end_id = self._to_world[0]
        """The token that ends a step; the policy writes it."""
        added = tokenizer.added_tokens_decoder.get(self.end_id)
        if self.end_id not in tokenizer.all_special_ids and not (added and added.special):
            raise ValueError(
                f"{tokenizer.name_or_path}: the chat template must end each message with a special token"
            )
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_id)
        self.text_ids = lru_cache(maxsize=1 << 16)(self._text_ids)
        """Token ids of plain text; special tokens spelled out in it stay plain text."""

    def opening_ids(self, initial_observation: str) -> tuple[int, ...]:
        """Everything before the policy's first token."""
        message = opening_message(initial_observation, self.manual)
        return (*self._opening, *self.text_ids(message), *self._to_agent)

    def reply_ids(self, observation: str) -> tuple[int, ...]:
        """Everything between a step's end token and the next step's first token."""
        return (*self._to_world[1:], *self.text_ids(self.prefix + observation), *self._to_agent)

    def decode(self, ids: Sequence[int]) -> str:
        """Plain text of what a policy wrote, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def row(self, trajectory: Trajectory) -> TokenRow:
        """Tokens of a trajectory; the observation after the last step is left out, as no step reads it."""
        ids = list(self.opening_ids(trajectory.initial_observation))
        step_of = [-1] * len(ids)
        for t, step in enumerate(trajectory.steps):
            written = (*self.text_ids(step.text), self.end_id)
            ids += written
            step_of += [t] * len(written)
            if t + 1 < len(trajectory):
                reply = self.reply_ids(step.observation)
                ids += reply
                step_of += [-1] * len(reply)
        return TokenRow(trajectory.id, tuple(ids), tuple(step_of))

    def rows_of(
        self, trajectories: Sequence[Trajectory], written: Sequence[TokenRow] | None = None
    ) -> list[TokenRow]:
        """One row for each trajectory: the tokens that were `written`, closed, or else its text encoded.

        Raises:
            ValueError: a written row belongs to another trajectory.
        """
        if written is None:
            return [self.row(trajectory) for trajectory in trajectories]
        for trajectory, row in zip(trajectories, written, strict=True):
            if (row.trajectory_id, max(row.step) + 1) != (trajectory.id, len(trajectory)):
                raise ValueError(
                    f"trajectory {trajectory.id!r} of {len(trajectory)} steps: "
                    f"got the tokens of {row.trajectory_id!r}, {max(row.step) + 1} steps"
                )
        return [self.closed(row) for row in written]

    def closed(self, row: TokenRow) -> TokenRow:
        """An episode's row in which the end token of every step belongs to the step, as in `row`.

        An end token that the rollout inserted after a cut-off step has step -1; at the end of an episode it
        is missing.
        """
        ids, step = list(row.ids), list(row.step)
        for t in range(max(step) + 1):
            after = len(step) - step[::-1].index(t)
            if ids[after - 1] == self.end_id:
                continue
            if after == len(ids):
                ids.append(self.end_id)
                step.append(t)
            step[after] = t
        return TokenRow(row.trajectory_id, tuple(ids), tuple(step))

    def batch(self, rows: Sequence[TokenRow], *, limit: int) -> TokenBatch:
        """Pad rows to one length.

        Raises:
            ContextTooLong: a row has more than `limit` tokens; rows are never truncated.
        """
        longest = max(len(row.ids) for row in rows)
        for row in rows:
            if len(row.ids) > limit:
                raise ContextTooLong(
                    f"trajectory {row.trajectory_id!r} needs {len(row.ids)} tokens, limit is {limit}"
                )
        ids = np.full((len(rows), longest), self.pad_id, dtype=np.int64)
        step = np.full((len(rows), longest), -1, dtype=np.int64)
        attention = np.zeros((len(rows), longest), dtype=bool)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = row.ids
            step[i, : len(row.ids)] = row.step
            attention[i, : len(row.ids)] = True
        names = tuple(row.trajectory_id for row in rows)
        return TokenBatch(torch.from_numpy(ids), torch.from_numpy(attention), torch.from_numpy(step), names)

    def encode(self, trajectories: Iterable[Trajectory], *, limit: int) -> TokenBatch:
        """Tokens of N trajectories as one (N, L) batch; see `row` and `batch`."""
        return self.batch([self.row(trajectory) for trajectory in trajectories], limit=limit)

    def _text_ids(self, text: str) -> tuple[int, ...]:
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(encoded["input_ids"])

    def _special(self, piece: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(piece, add_special_tokens=False)["input_ids"])


def _template_pieces(tokenizer: "PreTrainedTokenizerBase") -> tuple[str, str, str]:
    """The text before the first message, between world and agent, and between agent and world."""
    name = tokenizer.name_or_path
    if not tokenizer.chat_template:
        raise ValueError(f"{name}: the tokenizer has no chat template")
    roles = ("user", "assistant", "user", "assistant")
    messages = [{"role": role, "content": mark} for role, mark in zip(roles, _MARKS, strict=True)]
    text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    pieces: list[str] = []
    for mark in _MARKS:
        before, separator, text = text.partition(mark)
        if not separator:
            raise ValueError(f"{name}: the chat template drops or rewrites the message {mark!r}")
        pieces.append(before)
    opening, to_agent, to_world, to_agent_again = pieces
    if to_agent != to_agent_again:
        raise ValueError(
            f"{name}: the chat template rewrites earlier messages ({to_agent!r} != {to_agent_again!r})"
        )
    if not to_world:
        raise ValueError(f"{name}: the chat template has no text after an assistant message")
    return opening, to_agent, to_world

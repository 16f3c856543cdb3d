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

from spa_lab.agent.template import TemplatePieces, template_pieces
from spa_lab.configs.prompt import PromptConfig
from spa_lab.react import opening_message
from spa_lab.types import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_DEFAULT_PROMPT = PromptConfig()


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
            rewrites earlier messages (then a cache could not be kept over steps); or it changes text.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        manual: str = "",
        prefix: str = "",
        prompt: PromptConfig = _DEFAULT_PROMPT,
        stop_ids: Iterable[int] = (),
    ) -> None:
        """How a chat becomes tokens.

        Args:
            tokenizer: with a chat template.
            manual: opens the first message.
            prefix: put before each later observation.
            prompt: system prompt, thinking, date and longest episode.
            stop_ids: further tokens that end a step when the policy writes them.
        """
        self.tokenizer = tokenizer
        self.manual = manual
        self.prefix = prefix
        self.prompt = prompt
        pieces = template_pieces(tokenizer, prompt)
        self._opened = pieces.opened
        self._opening = self._special(pieces.opening)
        self._to_agent = self._special(pieces.to_agent)
        self._to_world = self._special(pieces.to_world)
        self.end_id = self._to_world[0]
        """The token that ends a step; the policy writes it."""
        self.stop_ids = frozenset({self.end_id, *stop_ids})
        """All tokens that end a step."""
        added = tokenizer.added_tokens_decoder.get(self.end_id)
        if self.end_id not in tokenizer.all_special_ids and not (added and added.special):
            raise ValueError(
                f"{tokenizer.name_or_path}: the chat template must end each message with a special token"
            )
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_id)
        self.text_ids = lru_cache(maxsize=1 << 16)(self._text_ids)
        """Token ids of plain text; special tokens spelled out in it stay plain text."""
        self._check_opening(pieces)
        self._check_written()

    def opening_ids(self, initial_observation: str) -> tuple[int, ...]:
        """Everything before the policy's first token."""
        message = opening_message(initial_observation, self.manual)
        return (*self._opening, *self.text_ids(message), *self._to_agent)

    def reply_ids(self, observation: str) -> tuple[int, ...]:
        """Everything between a step's end token and the next step's first token."""
        return (*self._to_world[1:], *self.text_ids(self.prefix + observation), *self._to_agent)

    def decode(self, ids: Sequence[int]) -> str:
        """Plain text of what a policy wrote, without special tokens.

        Where the template begins the reply with an open thought, so does the text.
        """
        written = ids[:-1] if ids and ids[-1] in self.stop_ids else ids
        text = self.tokenizer.decode(
            list(written),
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,  # Llama 3 asks for it; it changes what was written
        )
        return self._opened + str(text)

    def written_ids(self, text: str) -> tuple[int, ...]:
        """Token ids with which a policy writes a step of this text; the inverse of `decode`."""
        return (*self.text_ids(text.removeprefix(self._opened)), self.end_id)

    def row(self, trajectory: Trajectory) -> TokenRow:
        """Tokens of a trajectory; the observation after the last step is left out, as no step reads it."""
        ids = list(self.opening_ids(trajectory.initial_observation))
        step_of = [-1] * len(ids)
        for t, step in enumerate(trajectory.steps):
            written = self.written_ids(step.text)
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
            if ids[after - 1] in self.stop_ids:
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

    def _check_opening(self, pieces: TemplatePieces) -> None:
        """Check that tokens do not merge over the borders of messages."""
        sample = "You are in a room.\n\nYour task is to look."
        rendered = self._special(f"{pieces.opening}{sample}{pieces.to_agent}")
        if rendered != (*self._opening, *self.text_ids(sample), *self._to_agent):
            raise ValueError(
                f"{self.tokenizer.name_or_path}: tokens merge over the border of a message, so a chat cannot "
                "grow message by message"
            )

    def _check_written(self) -> None:
        """Check that a step that is written comes back as the same text."""
        sample = f"{self._opened}Thought: it 's here , I think .\nAction: take mug 1"
        if self.tokenizer.unk_token_id in self.written_ids(sample):
            return  # a small vocabulary that lacks characters of the sample says nothing of others
        if (decoded := self.decode(self.written_ids(sample))) != sample:
            raise ValueError(
                f"{self.tokenizer.name_or_path}: the tokenizer changes text, so a step would not be executed "
                f"as it was written: {sample!r} comes back as {decoded!r}"
            )

    def _text_ids(self, text: str) -> tuple[int, ...]:
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(encoded["input_ids"])

    def _special(self, piece: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(piece, add_special_tokens=False)["input_ids"])

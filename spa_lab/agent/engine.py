"""Continuous batching: many texts written side by side, each advancing on its own.

In every forward pass some rows read what the world replied while others write; a finished row leaves, a
waiting one takes its slot, and what two rows have in common is read once. Rollouts, Monte Carlo continuations
and single steps are kinds of `Row`. Knows nothing of worlds.

A row's tokens depend on its own text and random numbers alone, whatever shares the batch; the last bits of
its log-probabilities may depend on it.
"""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spa_lab.agent.drafts import Drafts
from spa_lab.agent.forward import forward_of
from spa_lab.agent.head import logits_of
from spa_lab.agent.row import Drawn, Row, Written, draw
from spa_lab.agent.sampling import AllowedTexts, next_token_log_probs
from spa_lab.agent.slots import History, KeysValues, Pass, Slots
from spa_lab.configs.rollout import RolloutConfig

if TYPE_CHECKING:
    from spa_lab.agent.rollout import Policy

_PASS_TOKENS = 1024
"""Tokens of a pass above which rows that read wait for the next one: bounds the memory of activations."""
_WORTH_WAITING = 16
"""Tokens in common with a row that is still reading from which a new row waits to copy them."""
_FEW, _DRAFT_OF_FEW, _DRAFT_OF_MANY = 8, 6, 2
"""Rows below which a pass costs nearly the same whatever it reads; longest drafts of few and of many rows."""
_GROWTH = 1.25
"""Room that slots get, relative to what is needed."""


class Engine:
    """Rows in progress, row i in slot i, and rows that wait for a slot.

    Args:
        policy: writes; its model must be in eval mode and not change meanwhile.
        config: temperature, longest step, branches in flight, cached tokens.
        allowed: the only texts that may be written, or None for any text.
        keep_hidden: give the hidden states with each step.
    """

    def __init__(
        self,
        policy: "Policy",
        config: RolloutConfig,
        *,
        allowed: AllowedTexts | None = None,
        keep_hidden: bool = False,
    ) -> None:
        self.policy, self.config, self.allowed, self.keep_hidden = policy, config, allowed, keep_hidden
        self.rules, self.greedy = policy.token_rules(config), config.temperature == 0
        self.drafts = Drafts(policy.codec.end_id)
        self.forward, self.slots = forward_of(policy.model), Slots()
        self.rows: list[Row] = []
        self.queue: deque[Row] = deque()
        self.n_free = config.parallel
        """Branches that may still be admitted."""

    @property
    def busy(self) -> bool:
        """Whether anything is left to write."""
        return bool(self.rows or self.queue)

    @property
    def n_wanted(self) -> int:
        """Branches that could be admitted beyond those that wait."""
        return max(0, self.n_free - sum(len(row.branches) for row in self.queue))

    def add(self, row: Row) -> None:
        """Let a row of at most `config.parallel` branches wait for a slot, if anything is left to read."""
        if not row.written or self._finish_step(row):
            self.queue.append(row)

    @torch.inference_mode()
    def log_probs(self, hidden: Tensor, written: Sequence[Sequence[int]]) -> Tensor:
        """(n, V) float64 log-probabilities of the next token after hidden states (n, d).

        `written` are the token ids of each row's step so far.
        """
        return next_token_log_probs(
            logits_of(self.policy.model, hidden),
            temperature=self.config.temperature or 1.0,
            allowed=self.allowed,
            written=written,
        )

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> tuple[Tensor, KeysValues]:
        """(L, d) hidden states, and the keys and values, of one text of L tokens."""
        slots, history, states = Slots(), History(list(ids)), []
        slots.resize(1, len(ids))
        while history.pending:
            n_tokens = min(len(history.pending), _PASS_TOKENS)
            current = Pass(slots, [history], [n_tokens], self.policy.model.device)
            last, *earlier = self.forward(current, last_only=False).split([1, n_tokens - 1])
            states += [*earlier, last]
            history.advance(n_tokens)
        keys_values = [(keys[0], values[0]) for keys, values in zip(slots.keys, slots.values, strict=True)]
        return torch.cat(states), keys_values

    @torch.inference_mode()
    def advance(self) -> list[Row]:
        """One forward pass, and the tokens, steps and ends that follow from it; returns the rows that ended.

        Raises:
            ValueError: a row needs more than `config.cached_tokens`.
        """
        self._admit()
        self._make_room()
        counts = self._counts()
        hidden = self.forward(Pass(self.slots, self.rows, counts, self.policy.model.device))
        tails = hidden.split([1 + len(row.draft) for row in self.rows])
        for row, n_tokens in zip(self.rows, counts, strict=True):
            row.advance(n_tokens)
        return self._write([slot for slot, row in enumerate(self.rows) if not row.pending], tails)

    def _counts(self) -> list[int]:
        """How many tokens each row reads: at least one, and together about `_PASS_TOKENS`."""
        left = max(0, _PASS_TOKENS - len(self.rows))
        counts = []
        longest = _DRAFT_OF_FEW if len(self.rows) < _FEW else _DRAFT_OF_MANY
        for row in self.rows:
            more = min(len(row.pending) - 1, left)
            left -= more
            counts.append(1 + more)
            may_write = self.config.max_new_tokens - len(row.written) - 1
            most = min(longest, may_write) if counts[-1] == len(row.pending) else 0
            row.draft = self.drafts.after(row.last_tokens(), most)
        return counts

    def _admit(self) -> None:
        """Give slots to waiting rows; a row waits while another one reads what it could copy."""
        waiting: deque[Row] = deque()
        while self.queue and self.n_free >= len(self.queue[0].branches):
            row = self.queue.popleft()
            if self.rows and not self._fits(len(self.rows) + 1, len(row.pending)):
                self.queue.appendleft(row)
                break
            slot, length, reading = self._alike(row)
            if reading >= length + _WORTH_WAITING:
                waiting.append(row)
                continue
            self.n_free -= len(row.branches)
            self.rows.append(row)
            if length:
                self._reserve(len(self.rows), len(row.pending))
                self.slots.copy(slot, len(self.rows) - 1, length)
                row.advance(length)
        self.queue.extendleft(reversed(waiting))

    def _alike(self, row: Row) -> tuple[int, int, int]:
        """The slot with most of a row's first tokens, their number, and how many another is about to read."""
        best, length, reading = 0, 0, 0
        most = len(row.pending) - 1  # the last token must be read for what follows it
        if row.prefix is not None:
            return best, length, reading
        for slot, other in enumerate(self.rows):
            n = _common(row.pending, other.read)
            if n > length:
                best, length = slot, min(n, most)
            if n == len(other.read) and other.pending:
                reading = max(reading, min(n + _common(row.pending[n:], other.pending), most))
        return best, length, reading

    def _write(self, slots: Sequence[int], tails: Sequence[Tensor]) -> list[Row]:
        """Every branch of these slots draws a token, and more for as long as they are those of the draft."""
        if not slots:
            return []
        rows = [self.rows[slot] for slot in slots]
        places = [(row, k) for row in rows for k in range(1 + len(row.draft))]
        log_probs = self.log_probs(
            torch.cat([tails[slot] for slot in slots]), [[*row.written, *row.draft[:k]] for row, k in places]
        )
        drawn = iter(
            draw(log_probs, [row.branches for row, _ in places], [k for _, k in places], greedy=self.greedy)
        )
        over: list[Row] = []
        for slot, row in zip(slots, rows, strict=True):
            states = tails[slot].unbind()
            over += self._write_row(slot, row, [next(drawn) for _ in states], states)
        for slot, row in reversed([*zip(slots, rows, strict=True)]):
            if not row.pending:
                self._remove(slot)
        self.n_free += sum(len(row.branches) for row in over)
        return over

    def _write_row(
        self, slot: int, row: Row, drawn: Sequence[Sequence[Drawn]], hidden: Sequence[Tensor]
    ) -> list[Row]:
        """Append what the branches drew; a row forks where they differ. Returns the rows that end."""
        over: list[Row] = []
        draft, row.draft = [*row.draft, None], []
        everyone = row.branches
        alive = list(range(len(everyone)))
        for guess, of_branches, state in zip(draft, drawn, hidden, strict=True):
            groups: dict[Drawn, list[int]] = {}
            for i in alive:
                groups.setdefault(of_branches[i], []).append(i)
                everyone[i].use()
            stays = next((chosen for chosen in groups if chosen[0] == guess), next(iter(groups)))
            alive = groups.pop(stays)
            for chosen, others in groups.items():
                fork = row.fork([everyone[i] for i in others])
                if self._append(fork, chosen, state):
                    self._place(fork, slot)
                else:
                    over.append(fork)
            row.branches = [everyone[i] for i in alive]
            if not self._append(row, stays, state):
                return [*over, row]
            if stays[0] != guess or not row.written:
                break
            row.advance(1)  # its keys and values were computed for the draft
        return over

    def _append(self, row: Row, drawn: Drawn, hidden: Tensor) -> bool:
        """Append a token, and execute the step if it is complete; False if nothing is left to read."""
        token, logprob = drawn
        self.drafts.learn(row.read, token)
        row.written.append(token)
        row.logprobs.append(logprob)
        if self.keep_hidden:
            row.hidden.append(hidden)
        row.pending = [token]
        return self._finish_step(row)

    def _finish_step(self, row: Row) -> bool:
        """Execute the step if it is complete; False if nothing is left to read."""
        if not self.rules.is_complete(row.written):
            return True
        following = row.following(Written(tuple(row.written), tuple(row.logprobs), tuple(row.hidden)))
        row.written, row.logprobs, row.hidden = [], [], []
        if following is None:
            row.pending = []
            return False
        row.pending += following
        return True

    def _place(self, fork: Row, source: int) -> None:
        """Give a fork a slot of its own, copied from where it comes from."""
        if not self._fits(len(self.rows) + 1, 0):
            self._suspend(fork)
            return
        self.rows.append(fork)
        self._reserve(len(self.rows), self._width())
        self.slots.copy(source, len(self.rows) - 1, len(fork.read))

    def _remove(self, slot: int) -> None:
        """Free a slot; the last row moves into it."""
        last = self.rows.pop()
        if slot < len(self.rows):
            self.slots.copy(len(self.rows), slot, len(last.read))
            self.rows[slot] = last

    def _suspend(self, row: Row) -> None:
        """Let a row wait for memory; it reads its text again then."""
        row.pending, row.read = row.read + row.pending, []
        self.n_free += len(row.branches)
        self.queue.appendleft(row)

    def _make_room(self) -> None:
        """Make room for what all rows read next; if memory does not suffice, the last rows wait.

        Raises:
            ValueError: a single row needs more than `config.cached_tokens`.
        """
        while not self._fits(len(self.rows), 0):
            if len(self.rows) == 1:
                limit = self.config.cached_tokens
                raise ValueError(f"an episode needs {self._width()} cached tokens, the limit is {limit}")
            self._suspend(self.rows.pop())
        self._reserve(len(self.rows), self._width())

    def _width(self) -> int:
        """Columns of the longest row with everything that it reads next."""
        longest = max((len(row.read) + len(row.pending) for row in self.rows), default=0)
        return longest + _DRAFT_OF_FEW

    def _fits(self, n_rows: int, n_columns: int) -> bool:
        limit = self.config.cached_tokens
        return limit is None or n_rows * max(n_columns, self._width()) <= limit

    def _reserve(self, n_rows: int, n_columns: int) -> None:
        """Make the slots larger than needed, as far as memory allows, so that they seldom grow."""
        slots, limit = self.slots, self.config.cached_tokens
        rows, columns = max(n_rows, slots.n_rows), max(n_columns, slots.n_columns)
        if (rows, columns) == (slots.n_rows, slots.n_columns):
            return
        if rows > slots.n_rows:
            rows = min(int(_GROWTH * rows) + 1, self.config.parallel)
        if columns > slots.n_columns:
            columns = int(_GROWTH * columns)
        if limit is not None and rows * columns > limit:
            rows, columns = n_rows, max(n_columns, min(columns, limit // n_rows))
        slots.resize(rows, columns)


def _common(tokens: Sequence[int], others: Sequence[int]) -> int:
    """How many first tokens are equal."""
    n = 0
    for token, other in zip(tokens, others, strict=False):
        if token != other:
            break
        n += 1
    return n

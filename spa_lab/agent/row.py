"""What the engine writes: a row is a history, and the branches that have written the same so far."""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spa_lab.agent.sampling import sample_tokens
from spa_lab.agent.slots import History

Drawn = tuple[int, float]
"""A token and its log-probability."""


@dataclass(eq=False)
class Branch:
    """One text that is written."""

    rng: random.Random
    """Gives one uniform number for each token, unless the most likely one is taken."""
    _ahead: list[float] = field(default_factory=list, init=False)

    def upcoming(self, n: int) -> list[float]:
        """The next n numbers, which stay the next until they are used."""
        while len(self._ahead) < n:
            self._ahead.append(self.rng.random())
        return self._ahead[:n]

    def use(self) -> None:
        """The next number has been used."""
        if self._ahead:
            del self._ahead[0]


@dataclass(frozen=True, eq=False)
class Written:
    """A complete step."""

    ids: tuple[int, ...]
    """Token ids, end-of-turn token included unless the step was cut off."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each token at the sampling temperature (at temperature 1 if greedy)."""
    hidden: tuple[Tensor, ...] = ()
    """(d,) hidden state that each token was predicted from, if the engine keeps them."""


class Row(History):
    """A history, and the branches that have written the same so far: the model is evaluated once for all.

    Subclasses say what happens when a step is complete.
    """

    def __init__(self, pending: Sequence[int], branches: Sequence[Branch]) -> None:
        super().__init__(list(pending))
        self.branches = list(branches)
        self.written: list[int] = []
        """Token ids of the step so far."""
        self.logprobs: list[float] = []
        self.hidden: list[Tensor] = []

    def following(self, written: Written) -> Sequence[int] | None:
        """Execute a complete step; returns the token ids to be read after it, or None if nothing follows."""
        raise NotImplementedError

    def last_tokens(self) -> list[int]:
        """The last token ids that have been or will be read."""
        return [*self.read[-8:], *self.pending]

    def fork(self, branches: Sequence[Branch]) -> "Row":
        """A row of other branches with the same past."""
        row = copy.copy(self)
        row.branches = list(branches)
        for name in ("pending", "read", "draft", "written", "logprobs", "hidden"):
            setattr(row, name, list(getattr(self, name)))
        return row


def draw(
    log_probs: Tensor, branches: Sequence[Sequence[Branch]], ahead: Sequence[int], *, greedy: bool
) -> list[list[Drawn]]:
    """A token of every branch at n places: the most likely one if greedy, else by its random number.

    Args:
        log_probs: (n, V) float64.
        branches: at each place.
        ahead: how many numbers are used before that of the place; nothing is used up here.
        greedy: draw no random numbers.
    """
    widest = max(map(len, branches))
    if greedy:
        tokens = log_probs.argmax(dim=-1, keepdim=True).expand(-1, widest)
    else:
        numbers = [[b.upcoming(k + 1)[k] for b in some] for some, k in zip(branches, ahead, strict=True)]
        padded = [[*row, *[0.0] * (widest - len(row))] for row in numbers]
        tokens = sample_tokens(log_probs, torch.tensor(padded, dtype=torch.float64))  # (n, S)
    pairs = zip(tokens.tolist(), log_probs.gather(1, tokens).tolist(), strict=True)
    return [[*zip(*pair, strict=True)][: len(some)] for pair, some in zip(pairs, branches, strict=True)]

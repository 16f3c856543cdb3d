"""What estimators, readers and heads share: a small head, reading rows in batches, fitting to rows."""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from spa_lab.agent.codec import Codec, TokenBatch, TokenRow
from spa_lab.learn.batches import planned_batches, token_batches
from spa_lab.learn.optimizer import Optimizer

Loss = Callable[[Tensor, Sequence[int]], tuple[Tensor, dict[str, float]]]
"""(what a model said of a batch, the numbers of its rows) -> what to descend, further metrics to report."""


class Schedule(Protocol):
    """How long and how fast is learnt, such as `learn.estimator.EstimatorConfig`."""

    @property
    def epochs(self) -> int:
        """Passes over the rows."""

    @property
    def lr(self) -> float:
        """Peak rate of AdamW."""

    @property
    def batch_tokens(self) -> int:
        """Tokens in a batch, padding included."""


def new_head(*sizes: int, device: torch.device, seed: int) -> nn.Sequential:
    """Linear layers from size to size with GELU between them, drawn from `seed`.

    They begin near zero: what is added up over T steps would begin as noise.
    """
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for wide, narrow in pairwise(sizes):
            layers += [nn.Linear(wide, narrow), nn.GELU()]
    head = nn.Sequential(*layers[:-1])
    for parameter in head.parameters():
        parameter.data *= 0.1
    return head.to(device)


def read_rows(
    read: Callable[[TokenBatch], Tensor],
    codec: Codec,
    rows: Sequence[TokenRow],
    counts: Sequence[int],
    *,
    limit: int,
    budget: int,
) -> list[Tensor]:
    """What is read of each of N rows, in order.

    Args:
        read: a batch -> (n, ...), n the sum of its rows' counts, row by row.
        codec: makes the batches.
        rows: N rows.
        counts: for each row how much is read of it.
        limit: most tokens of a row.
        budget: tokens in a batch, padding included.

    Raises:
        ContextTooLong: a row has more than `limit` tokens.
    """
    found: dict[int, Tensor] = {}
    lengths = [len(row.ids) for row in rows]
    for numbers in token_batches(lengths, budget=budget, rng=random.Random(0)):
        said = read(codec.batch([rows[i] for i in numbers], limit=limit))
        found |= zip(numbers, said.split([counts[i] for i in numbers]), strict=True)
    return [found[i] for i in range(len(rows))]


def fit_rows(
    model: nn.Module,
    codec: Codec,
    rows: Sequence[TokenRow],
    loss: Loss,
    schedule: Schedule,
    *,
    limit: int,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object],
) -> None:
    """Fit `model`, called with batches, in place.

    Args:
        model: a batch -> what `loss` is told; its parameters with `requires_grad` learn.
        codec: makes the batches.
        rows: N rows.
        loss: see `Loss`.
        schedule: passes, rate and tokens of a batch.
        limit: most tokens of a row.
        rng: draws the order.
        on_update: called after each update with `loss`, the further metrics and `progress` (0 to 1).

    Raises:
        ContextTooLong: a row has more than `limit` tokens.
    """
    lengths = [len(row.ids) for row in rows]
    plan = planned_batches(
        lengths, epochs=schedule.epochs, budget=schedule.batch_tokens, rng=rng, alike=False
    )
    optimizer = Optimizer(model, lr=schedule.lr, n_updates=len(plan))
    for done, numbers in enumerate(plan):
        said = model(codec.batch([rows[i] for i in numbers], limit=limit))
        found, metrics = loss(said, numbers)
        found.backward()
        optimizer.step()
        on_update({"loss": float(found.detach()), **metrics, "progress": (done + 1) / len(plan)})

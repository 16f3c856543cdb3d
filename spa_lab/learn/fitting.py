"""The training loop of cloning, the progress estimator and the return predictors."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.processes import processes
from spa_lab.agent.rollout import Policy
from spa_lab.learn.batches import share_rows, token_batches
from spa_lab.learn.checkpoint import (
    Checkpoint,
    LearnerState,
    load_weights,
    merge_states,
    split_state,
    weights_state,
)
from spa_lab.learn.optimizer import Optimizer
from spa_lab.types import Trajectory

BatchLoss = Callable[[Sequence[int]], tuple[Tensor, dict[str, float]]]
"""Indices of the rows of a batch -> the loss to descend, and further metrics to report."""
OutputLoss = Callable[[Tensor, Sequence[Trajectory]], tuple[Tensor, dict[str, float]]]
"""A model's outputs (n,) for the trajectories of a batch -> the loss to descend, and further metrics."""


class FitConfig(Protocol):
    """How long and how fast a model is fitted to trajectories, such as `EstimatorConfig`."""

    @property
    def epochs(self) -> int:
        """Passes over the trajectories."""

    @property
    def lr(self) -> float:
        """Peak learning rate of AdamW."""

    @property
    def batch_tokens(self) -> int:
        """Tokens in a batch, padding included."""

    @property
    def micro_tokens(self) -> int | None:
        """Tokens in memory at once, see `fit`."""


def fit(
    module: nn.Module,
    lengths: Sequence[int],
    loss: BatchLoss,
    *,
    epochs: int,
    lr: float,
    muon_lr: float | None = None,
    budget: int,
    micro_tokens: int | None = None,
    weight: Callable[[Sequence[int]], float] = len,
    similar_lengths: bool,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object],
    checkpoint: Checkpoint | None = None,
) -> int:
    """Descend `loss` in batches of N rows, in place; returns the number of updates.

    Args:
        module: its parameters with `requires_grad` are trained; in eval mode afterwards.
        lengths: tokens of each of N rows.
        loss: see `BatchLoss`; without random numbers of its own.
        epochs: passes over the rows.
        lr: peak learning rate of AdamW; the rate falls to zero at the end.
        muon_lr: peak learning rate of Muon, see `Optimizer`.
        budget: tokens in a batch, padding included.
        micro_tokens: tokens in memory at once, see `split_rows`: gradients are summed over parts of a batch.
        weight: of rows in the loss of their batch; the default is for a mean over rows.
        similar_lengths: see `token_batches`.
        rng: draws the batches of all passes, before the first update.
        on_update: called after each update with `loss`, the further metrics and `progress` (0 to 1).
        checkpoint: where the state is saved after each pass; the same call goes on from there, bit for bit.

    Raises:
        ValueError: the saved state does not belong to this fit.
    """
    batches = partial(token_batches, lengths, budget=budget, rng=rng, similar_lengths=similar_lengths)
    passes = [batches() for _ in range(epochs)]
    n_updates = sum(map(len, passes))
    optimizer = Optimizer(module, lr=lr, muon_lr=muon_lr, n_updates=n_updates)
    module.train()  # activations are recomputed in this mode only
    for epoch in range(_passes_done(checkpoint, module, optimizer, n_updates), epochs):
        for indices in passes[epoch]:
            metrics = accumulate(loss, indices, lengths, micro_tokens, weight)
            optimizer.step()
            on_update(metrics | {"progress": optimizer.done / n_updates})
        if checkpoint:
            checkpoint.save(_state(module, optimizer, n_updates, epoch + 1))
    module.eval()
    return n_updates


def fit_to_trajectories(
    model: nn.Module,
    policy: Policy,
    trajectories: Sequence[Trajectory],
    loss: OutputLoss,
    config: FitConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object],
    checkpoint: Checkpoint | None = None,
    weight: Callable[[Trajectory], float] = lambda trajectory: 1.0,
    sampled: Sequence[TokenRow] | None = None,
) -> None:
    """Fit a model that reads batches of tokens to N trajectories, in place.

    Args:
        model: `TokenBatch` -> (n,), the outputs of all rows, row by row.
        policy: its codec encodes the trajectories, and they must fit into its context; not changed.
        trajectories: N trajectories.
        loss: see `OutputLoss`.
        config: passes, rate, tokens in a batch.
        rng: draws the order.
        on_update: as in `fit`.
        checkpoint: as in `fit`.
        weight: of a trajectory in the loss of its batch; the default is for a mean over trajectories.
        sampled: the tokens that each trajectory was sampled as; without them its text is encoded.

    Raises:
        ContextTooLong: a trajectory needs more tokens than `policy` can read.
        ValueError: the saved state does not belong to this fit.
    """
    rows = policy.codec.rows_of(trajectories, sampled)

    def batch_loss(indices: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        outputs = model(policy.codec.batch([rows[i] for i in indices], limit=policy.context))  # (n,)
        return loss(outputs, [trajectories[i] for i in indices])

    fit(
        model,
        [len(row.ids) for row in rows],
        batch_loss,
        epochs=config.epochs,
        lr=config.lr,
        budget=config.batch_tokens,
        micro_tokens=config.micro_tokens,
        weight=lambda indices: sum(weight(trajectories[i]) for i in indices),
        similar_lengths=False,
        rng=rng, on_update=on_update, checkpoint=checkpoint,
    )  # fmt: skip


def new_head(*sizes: int, device: torch.device, seed: int) -> nn.Sequential:
    """Linear layers from size to size with GELU between them, drawn from `seed`.

    The weights are a tenth of torch's default, because the outputs may be summed over T steps.
    """
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for n_inputs, n_outputs in pairwise(sizes):
            layers += [nn.Linear(n_inputs, n_outputs), nn.GELU()]
    head = nn.Sequential(*layers[:-1])
    for parameter in head.parameters():
        parameter.data *= 0.1
    return head.to(device)


def accumulate(
    loss: BatchLoss,
    rows: Sequence[int],
    lengths: Sequence[int],
    micro_tokens: int | None,
    weight: Callable[[Sequence[int]], float],
) -> dict[str, float]:
    """Add up the gradients of the parts of a batch; returns the loss and the metrics of the whole.

    Processes that work together take parts each; the mean of their gradients is that of the whole.

    Args:
        loss: of a part, a weighted mean over its rows.
        rows: indices of the batch's rows.
        lengths: tokens of every row.
        micro_tokens: tokens in a part, see `split_rows`.
        weight: of rows in the loss of the batch.
    """
    team = processes()
    own = share_rows(rows, lengths, micro_tokens)
    total: dict[str, float] = {}
    whole = weight(rows)
    for part in own.parts:
        value, metrics = loss(part)
        if len(own.parts) == team.size == 1:
            value.backward()
            return {"loss": float(value.detach()), **metrics}
        share = own.counts * weight(part) / whole if whole else 0.0
        (value * share * team.size).backward()
        for name, number in {"loss": float(value.detach()), **metrics}.items():
            total[name] = total.get(name, 0.0) + share * number
    return team.sum(total)


def _state(module: nn.Module, optimizer: Optimizer, n_updates: int, epoch: int) -> LearnerState:
    return merge_states(
        {
            "fit": LearnerState(facts={"epoch": epoch, "n_updates": n_updates}),
            "weights": weights_state(module),
            "optimizer": optimizer.state(),
        }
    )


def _passes_done(
    checkpoint: Checkpoint | None, module: nn.Module, optimizer: Optimizer, n_updates: int
) -> int:
    """Passes already done, after which weights and moments are those of the saved state."""
    saved = checkpoint.load() if checkpoint else None
    if saved is None:
        return 0
    facts = split_state(saved, "fit").facts
    if facts["n_updates"] != n_updates:
        raise ValueError(f"state: of a fit of {facts['n_updates']} updates, this one has {n_updates}")
    load_weights(module, split_state(saved, "weights"))
    optimizer.load_state(split_state(saved, "optimizer"))
    return int(facts["epoch"])

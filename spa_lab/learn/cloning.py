"""Behaviour cloning: next-token prediction on what the expert wrote.

L_BC = - mean over supervised tokens of log pi(token | all tokens before it)      SPA-RL, stage 1

Departs from the released code: only the text and the end token of real steps are supervised (there also the
blank line of each header and the constant first reply "OK").

Cost: the demonstrations, `clone.epochs` times; every other method starts from its result.

Fails where the policy leaves what was demonstrated: no step shows how to come back, unless the demonstrations
hold mistakes (`mistake_rate`).
"""

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from spa_lab.agent.codec import ContextTooLong, TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.configs.cloning import CloneConfig
from spa_lab.envs.base import Demonstration
from spa_lab.learn.checkpoint import Checkpoint
from spa_lab.learn.fitting import fit
from spa_lab.learn.language import before_written, check_predictable, hidden_states, read_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class CloneLoss(NamedTuple):
    """Parts of the cloning loss of one batch."""

    loss: Tensor
    """Mean negative log-probability, nats per supervised token."""
    accuracy: Tensor
    """Share of supervised tokens that were the most likely one; no gradient."""
    n_tokens: int
    """Number of supervised tokens."""


def clone_loss(model: "PreTrainedModel", batch: TokenBatch, supervised: Tensor) -> CloneLoss:
    """Loss over the tokens in `supervised` (B, L) bool.

    Raises:
        ValueError: `supervised` selects no token, or a first one, which nothing predicts.
    """
    if not supervised.any():
        raise ValueError(f"none of {len(supervised)} rows has a supervised token")
    check_predictable(supervised)
    features = before_written(hidden_states(model, batch.ids), supervised)  # (n, d)
    reading = read_tokens(model, features, batch.ids[supervised].to(features.device))
    return CloneLoss(-reading.logprobs.mean(), reading.hits.float().mean(), len(reading.logprobs))


def marked_loss(policy: Policy, rows: Sequence[TokenRow], marks: Sequence[Sequence[bool]]) -> CloneLoss:
    """Loss over the marked tokens of B rows; `marks` has one for each token of each row.

    Raises:
        ContextTooLong: a row does not fit into the model's context.
        ValueError: as of `clone_loss`.
    """
    batch = policy.codec.batch(rows, limit=policy.context)
    supervised = torch.zeros_like(batch.attention)  # (B, L) bool
    for b, row in enumerate(marks):
        supervised[b, : len(row)] = torch.tensor(row)
    return clone_loss(policy.model, batch, supervised)


def clone(
    policy: Policy,
    demonstrations: Sequence[Demonstration],
    config: CloneConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train `policy.model` in place to imitate the demonstrations.

    Args:
        policy: any policy; left in eval mode.
        demonstrations: N expert trajectories, with a mark for each step that is to be imitated.
        config: epochs, rates, batch size.
        rng: draws the order.
        on_update: called with `loss` (nats per token), `accuracy` and `progress` (0 to 1) after each update.
        checkpoint: where the state is saved after each epoch, see `fitting.fit`.

    Raises:
        ContextTooLong: demonstrations do not fit into the model's context; nothing is trained then.
        ValueError: no step of any demonstration is to be imitated.
    """
    rows = [policy.codec.row(demonstration.trajectory) for demonstration in demonstrations]
    marks = [demonstration.supervised for demonstration in demonstrations]
    fit_language(
        policy, rows, lambda i, step: step >= 0 and marks[i][step], config,
        rng=rng, on_update=on_update, checkpoint=checkpoint,
    )  # fmt: skip


def fit_language(
    policy: Policy,
    rows: Sequence[TokenRow],
    is_supervised: Callable[[int, int], bool],
    config: CloneConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object],
    checkpoint: Checkpoint | None = None,
) -> None:
    """Next-token prediction on the tokens for which `is_supervised(row index, step index)` holds.

    Rows without such a token are left out: a batch of them alone would have no loss.

    Raises:
        ContextTooLong: rows do not fit into the model's context; nothing is trained then.
        ValueError: no row has a supervised token.
    """

    def marks(i: int) -> list[bool]:
        return [0 < column and is_supervised(i, step) for column, step in enumerate(rows[i].step)]

    kept = [i for i in range(len(rows)) if any(marks(i))]
    if not kept:
        raise ValueError(f"none of {len(rows)} rows has a supervised token")
    _check_lengths(policy, [rows[i] for i in kept])

    def loss(indices: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        chosen = [kept[i] for i in indices]
        parts = marked_loss(policy, [rows[i] for i in chosen], [marks(i) for i in chosen])
        return parts.loss, {"accuracy": float(parts.accuracy)}

    fit(
        policy.model,
        [len(rows[i].ids) for i in kept],
        loss,
        epochs=config.epochs,
        lr=config.lr,
        muon_lr=config.muon_lr,
        budget=config.batch_tokens,
        micro_tokens=config.micro_tokens,
        weight=lambda indices: sum(sum(marks(kept[i])) for i in indices),
        similar_lengths=True,
        rng=rng,
        on_update=on_update,
        checkpoint=checkpoint,
    )


def _check_lengths(policy: Policy, rows: Sequence[TokenRow]) -> None:
    """Check that all rows fit into the model's context, before hours are spent on those that do."""
    limit, most = policy.context, policy.model.config.max_position_embeddings
    if too_long := [row for row in rows if len(row.ids) > limit]:
        first = too_long[0]
        raise ContextTooLong(
            f"{len(too_long)} of {len(rows)} trajectories to clone are too long: {first.trajectory_id!r} "
            f"needs {len(first.ids)} tokens, limit is {limit} (--prompt.context, at most {most}); "
            "--use_manual false and fewer --prompt.examples make them shorter"
        )

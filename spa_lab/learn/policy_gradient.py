"""The clipped policy-gradient update (PPO, Schulman et al. 2017, arXiv:1707.06347).

`Objective` says what is optimised, `clipped_loss` is its formula on plain tensors, and `update` makes the
passes over one `UpdateBatch`.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from spa_lab.agent.processes import processes
from spa_lab.agent.rollout import Policy
from spa_lab.configs.ppo import PPOConfig
from spa_lab.learn.batches import share_rows, token_batches
from spa_lab.learn.critic import Critic
from spa_lab.learn.language import before_written, hidden_states, read_tokens
from spa_lab.learn.optimizer import Optimizer
from spa_lab.learn.update_batch import MeanOver, UpdateBatch

KLForm = Literal["k2", "k3"]

_CPU = torch.device("cpu")
_NO_WEIGHT = 1e-12
"""Sum of weights below which a mean is 0."""


@dataclass(frozen=True)
class Objective:
    """What an update optimises."""

    clip_low: float = 0.2
    """The probability ratio is clipped at 1 - clip_low."""
    clip_high: float = 0.2
    """The probability ratio is clipped at 1 + clip_high."""
    kl_coef: float = 0.02
    """Weight of KL(policy || reference), per nat."""
    kl_form: KLForm = "k2"
    """Estimator of that KL at each token (Schulman 2020), with x = log pi - log pi_ref. "k2": x^2 / 2; its
    gradient is that of the KL, and grows with x only. "k3": exp(-x) - 1 + x (GRPO); it grows with the ratio
    itself, so one token that the policy has given up can dominate the loss."""
    vf_coef: float = 0.1
    """Weight of the critic's squared error."""
    entropy_coef: float = 0.0
    """Weight of the policy's entropy, per nat; it is not computed if 0."""
    normalise: bool = True
    """Centre and scale the advantages over all written tokens of the batch."""
    mean_over: MeanOver = "token"
    """What the loss of a minibatch is a mean over."""

    def __post_init__(self) -> None:
        for name in ("clip_low", "clip_high", "kl_coef", "vf_coef", "entropy_coef"):
            weight = getattr(self, name)
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"Objective: {name} must be finite and >= 0, got {weight}")
        for name, kind in (("kl_form", KLForm), ("mean_over", MeanOver)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(
                    f"Objective: {name} must be one of {get_args(kind)}, got {getattr(self, name)!r}"
                )

    @classmethod
    def of(cls, config: PPOConfig) -> "Objective":
        """The objective of `config`."""
        return cls(
            clip_low=config.clip, clip_high=config.clip, kl_coef=config.kl_coef, vf_coef=config.vf_coef
        )


@dataclass(frozen=True, eq=False)
class Loss:
    """Parts of the loss of one minibatch; means as `Objective.mean_over` says."""

    loss: Tensor
    """policy + vf_coef * value + kl_coef * kl - entropy_coef * entropy."""
    policy: Tensor
    """Negative clipped surrogate."""
    value: Tensor
    """Squared error of the critic, squared outcome units; 0 without a critic."""
    kl: Tensor | None
    """KL(policy || reference), nats per token; None if it is not paid."""
    clip_fraction: Tensor
    """Share of written tokens whose ratio left the clip range."""
    approx_kl: Tensor
    """KL(sampling policy || policy), nats per token, k3."""
    entropy: Tensor | None = None
    """Entropy of the policy, nats per token; None if it has no weight."""

    def metrics(self) -> dict[str, float]:
        """The parts as numbers, without the KL and the entropy if they have no weight."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: part.item() for name, part in parts.items() if part is not None}


def clipped_loss(
    *,
    new: Tensor,
    sampled: Tensor,
    reference: Tensor | None = None,
    advantage: Tensor,
    objective: Objective,
    weights: Tensor | None = None,
    values: Tensor | None = None,
    returns: Tensor | None = None,
    entropy: Tensor | None = None,
) -> Loss:
    """The loss over n tokens.

    Args:
        new: (n,) log-probabilities under the policy, nats.
        sampled: (n,) log-probabilities when the tokens were sampled.
        reference: (n,) log-probabilities under the reference policy; None: no KL is paid.
        advantage: (n,) normalised advantages.
        objective: clip range and weights.
        weights: (n,) weight of each token in all means; None: the same for all.
        values: (n,) of the critic, outcome units; None: no critic.
        returns: (n,) targets of the critic, outcome units.
        entropy: (n,) entropy of the policy before each token, nats.

    Raises:
        ValueError: one of `values` and `returns` is given without the other.
    """
    if (values is None) != (returns is None):
        raise ValueError("values and returns must be given together")
    ratio = (new - sampled).exp()
    clipped = ratio.clamp(1 - objective.clip_low, 1 + objective.clip_high)
    policy = -_mean(torch.minimum(ratio * advantage, clipped * advantage), weights)
    kl = None if reference is None else _mean(_kl(new - reference, objective.kl_form), weights)
    value = torch.zeros_like(policy)
    loss = policy
    if values is not None and returns is not None:
        value = _mean((values - returns) ** 2, weights)
        loss = loss + objective.vf_coef * value
    if kl is not None:
        loss = loss + objective.kl_coef * kl
    if entropy is not None:
        entropy = _mean(entropy, weights)
        loss = loss - objective.entropy_coef * entropy
    with torch.no_grad():
        drift = ratio - 1
        outside = ((drift > objective.clip_high) | (drift < -objective.clip_low)).float().mean()
        approx_kl = _kl(sampled - new, "k3").mean()
    return Loss(loss, policy, value, kl, outside, approx_kl, entropy)


def update(
    policy: Policy,
    optimizer: Optimizer,
    batch: UpdateBatch,
    objective: Objective,
    *,
    critic: Critic | None = None,
    epochs: int,
    budget: int,
    temperature: float,
    rng: random.Random,
    similar_lengths: bool = False,
    micro_tokens: int | None = None,
) -> dict[str, float]:
    """Make `epochs` passes over `batch`, one optimiser update for each minibatch.

    Args:
        policy: changed in place; in eval mode before and after.
        optimizer: of the policy's weights, and of the critic's.
        batch: B episodes.
        objective: what is optimised.
        critic: trained with the policy if the batch has returns.
        epochs: passes.
        budget: tokens in a minibatch, padding included.
        temperature: at which the episodes were sampled.
        rng: draws the minibatches.
        similar_lengths: of the episodes of a minibatch, see `token_batches`.
        micro_tokens: tokens in memory at once, padding included: the gradients of a minibatch are then summed
            over parts. None: the whole minibatch.

    Returns:
        Means over the minibatches of the parts of the loss.
    """
    metrics: list[dict[str, float]] = []
    policy.model.train()
    for _ in range(epochs):
        minibatches = token_batches(batch.lengths, budget=budget, rng=rng, similar_lengths=similar_lengths)
        for indices in minibatches:
            own = share_rows(indices, batch.lengths, micro_tokens)
            shared = None if processes().size == 1 else Shared(batch.select(indices), own.counts)
            parts = [batch.select(rows) for rows in own.parts]
            metrics.append(
                descend(policy, parts, objective, critic=critic, temperature=temperature, shared=shared)
            )
            optimizer.step()
    policy.model.eval()
    means = np.mean([list(row.values()) for row in metrics], axis=0)
    return dict(zip(metrics[0], means.tolist(), strict=True))


class Shared(NamedTuple):
    """A minibatch of which several processes descend parts."""

    whole: UpdateBatch
    counts: float
    """1; 0 if this process has no row of its own, see `share_rows`."""


def descend(
    policy: Policy,
    parts: Sequence[UpdateBatch],
    objective: Objective,
    *,
    critic: Critic | None = None,
    temperature: float,
    shared: Shared | None = None,
) -> dict[str, float]:
    """Add up the gradients of the parts of a minibatch; the sum is the gradient of the whole.

    With `shared` the parts are this process's, and the mean over the processes is the gradient of the whole.

    Returns:
        The parts of the loss of the whole minibatch.
    """
    team = processes()
    n_tokens, n_weight = (sum(sizes) for sizes in zip(*map(_sizes, parts), strict=True))
    if shared is not None:
        n_tokens, n_weight = _sizes(shared.whole)
    total: dict[str, float] = {}
    for part in parts:
        loss = minibatch_loss(policy, part.to(_CPU), objective, critic=critic, temperature=temperature)
        if len(parts) == 1 and shared is None:
            loss.loss.backward()
            return loss.metrics()
        counts = 1.0 if shared is None else shared.counts
        tokens, weight = _sizes(part)
        share = counts * weight / max(n_weight, _NO_WEIGHT)
        (loss.loss * share * team.size).backward()
        for name, number in loss.metrics().items():
            of_tokens = name in ("clip_fraction", "approx_kl")
            total[name] = total.get(name, 0.0) + number * (counts * tokens / n_tokens if of_tokens else share)
    return total if shared is None else team.sum(total)


def _sizes(batch: UpdateBatch) -> tuple[float, float]:
    """Number of written tokens, and the sum of their weights."""
    n = float(batch.written.sum())
    return n, n if batch.weights is None else float(batch.weights.sum())


def minibatch_loss(
    policy: Policy,
    batch: UpdateBatch,
    objective: Objective,
    *,
    critic: Critic | None = None,
    temperature: float,
) -> Loss:
    """The loss of B episodes, n written tokens in all; arguments as in `update`."""
    written = batch.written  # (B, L)
    hidden = hidden_states(policy.model, batch.ids)  # (B, L, d)
    features = before_written(hidden, written)  # (n, d)

    def of_written(numbers: Tensor) -> Tensor:
        """(B, L) -> (n,), on the device of the model."""
        return numbers[written].to(features.device)

    reading = read_tokens(
        policy.model, features, of_written(batch.ids),
        temperature=temperature, with_entropy=objective.entropy_coef != 0,
    )  # fmt: skip
    values, returns = None, None
    if critic is not None and batch.returns is not None:
        values, returns = critic(features), of_written(batch.returns)
    return clipped_loss(
        new=reading.logprobs,
        sampled=of_written(batch.sampled),
        reference=None if batch.reference is None else of_written(batch.reference),
        advantage=of_written(batch.normalised),
        objective=objective,
        weights=None if batch.weights is None else of_written(batch.weights),
        values=values,
        returns=returns,
        entropy=reading.entropy if objective.entropy_coef else None,
    )


def _mean(amounts: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of (n,) numbers, weighted if there are weights; 0 if all weights are 0."""
    if weights is None:
        return amounts.mean()
    return (amounts * weights).sum() / weights.sum().clamp(min=_NO_WEIGHT)


def _kl(log_ratio: Tensor, form: KLForm) -> Tensor:
    """(n,) estimates of KL(p || q) from samples of p, with log p - log q (n,)."""
    if form == "k2":
        return 0.5 * log_ratio**2
    return (-log_ratio).exp() - 1 + log_ratio

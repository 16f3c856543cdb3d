"""A cheap critic: an ensemble of small value heads on the policy's frozen features, early-stopped.

A policy's hidden state before a step already carries much of V(h_t), since acting depends on it. One pass
over the trajectories reads all features; K heads are then fitted to the outcomes. Head k is fitted without
the tasks of fold k, judged on them after each epoch, and kept as it was at its best. V is the heads' mean.
"""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.learn.reading import read_rows
from spa_lab.learn.return_predictor import prefix_ends
from spa_lab.types import FloatArray, Trajectory

_READ_TOKENS = 20_000
"""Tokens in a batch of which only features are read."""


@dataclass(frozen=True)
class EnsembleCriticConfig:
    """How the heads are built and fitted."""

    heads: int = 5
    """K, also the number of folds; 1 fits a single head without a validation fold, kept at its least loss."""
    layers: int = 1
    """Hidden layers whose states are the features, counted from the last."""
    width: int = 128
    """Hidden units of a head."""
    epochs: int = 30
    """Maximum passes over the features."""
    lr: float = 1e-3
    """Learning rate of AdamW."""
    weight_decay: float = 0.1
    """Weight decay of AdamW."""
    batch: int = 512
    """Histories in a batch."""

    def __post_init__(self) -> None:
        counts = (self.heads, self.layers, self.width, self.epochs, self.batch)
        if min(counts) < 1 or self.lr <= 0 or self.weight_decay < 0:
            raise ValueError(f"needs counts >= 1, lr > 0 and weight_decay >= 0, got {self}")


class EnsembleCritic:
    """V(h_t) by the mean of heads on a policy's frozen features; made by `fit_ensemble_critic`."""

    def __init__(self, policy: Policy, config: EnsembleCriticConfig, heads: Sequence[nn.Module]) -> None:
        self.policy, self.config, self.heads = policy, config, tuple(heads)

    @torch.inference_mode()
    def values(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[FloatArray]:
        """(T,) values V(h_0), ..., V(h_{T-1}) of each trajectory, in [0, 1]; `rows` as in `each`."""
        return [per_head.mean(axis=0) for per_head in self.each(trajectories, rows=rows)]  # (K, T) -> (T,)

    @torch.inference_mode()
    def each(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[FloatArray]:
        """(K, T) of each trajectory: the values of every head.

        Args:
            trajectories: N trajectories.
            rows: the tokens that each was sampled as (`Episode.row`); without them the text is re-encoded.

        Raises:
            ValueError: a row belongs to another trajectory.
        """
        features = history_features(self.policy, trajectories, layers=self.config.layers, rows=rows)
        values = [
            torch.stack([head(states).squeeze(-1).sigmoid() for head in self.heads])  # K x (T, 1) -> (K, T)
            for states in features
        ]
        return [per_head.cpu().double().numpy() for per_head in values]


@torch.inference_mode()
def history_features(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    *,
    layers: int = 1,
    rows: Sequence[TokenRow] | None = None,
) -> list[Tensor]:
    """(T, layers * d) float32 of each trajectory: the policy's hidden states before each of its T steps.

    Args:
        policy: its model must be in eval mode.
        trajectories: N trajectories.
        layers: hidden layers, counted from the last.
        rows: the tokens that each was sampled as; without them the text is re-encoded.

    Raises:
        ValueError: a row belongs to another trajectory.
    """

    def read(batch: TokenBatch) -> Tensor:
        output = policy.model.base_model(
            input_ids=batch.ids.to(policy.model.device), use_cache=False, output_hidden_states=layers > 1
        )
        ends = prefix_ends(batch, "history")  # (B, L)
        states = output.hidden_states[-layers:] if layers > 1 else (output.last_hidden_state,)
        return torch.cat([layer[ends] for layer in states], dim=-1).float()  # (B, L, d) -> (n, layers * d)

    return read_rows(
        read, policy.codec, policy.codec.rows_of(trajectories, rows), list(map(len, trajectories)),
        limit=policy.context, budget=_READ_TOKENS,
    )  # fmt: skip


def fit_ensemble_critic(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    config: EnsembleCriticConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
    rows: Sequence[TokenRow] | None = None,
) -> EnsembleCritic:
    """Fit the heads to the outcomes of `trajectories` by cross-entropy (outcomes in (0, 1) as soft labels).

    Args:
        policy: gives the features; not changed.
        trajectories: N trajectories of the policy whose values are estimated.
        config: see `EnsembleCriticConfig`.
        rng: draws weights, folds and order.
        on_update: called after each head with `loss` (on its validation fold) and `progress` (0 to 1).
        rows: the tokens that each was sampled as; without them the text is re-encoded.

    Raises:
        ValueError: there are fewer tasks than folds, or a row belongs to another trajectory.
    """
    features = history_features(policy, trajectories, layers=config.layers, rows=rows)
    outcomes = torch.tensor([trajectory.known_outcome for trajectory in trajectories]).to(features[0])  # (N,)
    fold = _folds(trajectories, config.heads, rng)
    heads = []
    for k in range(config.heads):
        validation = [i for i in range(len(trajectories)) if fold[i] == k and config.heads > 1]
        training = [i for i in range(len(trajectories)) if fold[i] != k or config.heads == 1]
        head, loss = _fit_head(
            _histories(features, outcomes, training),
            _histories(features, outcomes, validation or training),
            config,
            rng,
        )
        heads.append(head)
        on_update({"loss": loss, "progress": (k + 1) / config.heads})
    return EnsembleCritic(policy, config, heads)


def _fit_head(
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    config: EnsembleCriticConfig,
    rng: random.Random,
) -> tuple[nn.Module, float]:
    """The head after the epoch with the smallest validation loss, and that loss."""
    features, target = training  # (n, d), (n,)
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    head = _new_head(features, config, rng.randrange(2**31))
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    best, best_loss = head, float("inf")
    for _ in range(config.epochs):
        order = torch.randperm(len(target), generator=generator).to(target.device)
        for indices in order.split(config.batch):
            loss = _cross_entropy(head(features[indices]), target[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            validation_loss = float(_cross_entropy(head(validation[0]), validation[1]))
        if validation_loss < best_loss:
            best, best_loss = copy.deepcopy(head), validation_loss
    return best.requires_grad_(False), best_loss


def _new_head(features: Tensor, config: EnsembleCriticConfig, seed: int) -> nn.Sequential:
    size = features.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.LayerNorm(size), nn.Linear(size, config.width), nn.GELU(), nn.Linear(config.width, 1))
    return nn.Sequential(*layers).to(features.device)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over n histories, from logits (n, 1) and outcomes (n,)."""
    return nn.functional.binary_cross_entropy_with_logits(logits.squeeze(-1), target)


def _histories(features: Sequence[Tensor], outcomes: Tensor, subset: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(n, d) features of all histories of the trajectories in `subset`, and the (n,) outcome of each."""
    counts = torch.tensor([len(features[i]) for i in subset], device=outcomes.device)
    return torch.cat([features[i] for i in subset]).clone(), outcomes[list(subset)].repeat_interleave(counts)


def _folds(trajectories: Sequence[Trajectory], n_folds: int, rng: random.Random) -> list[int]:
    """Fold of each trajectory; all trajectories of a task share one."""
    tasks = list(dict.fromkeys((trajectory.env, trajectory.task_id) for trajectory in trajectories))
    if len(tasks) < n_folds:
        raise ValueError(f"{n_folds} folds need as many tasks, got {len(tasks)}")
    rng.shuffle(tasks)
    fold_of = {task: i % n_folds for i, task in enumerate(tasks)}
    return [fold_of[trajectory.env, trajectory.task_id] for trajectory in trajectories]

"""A critic for seconds: several small heads on the frozen policy's own features, each stopped in time.

The policy has to know where it stands to act at all, so its hidden state before a step already holds most of
V(h_t). One pass over the trajectories reads all features; K heads are then fitted to the outcomes, head k
without the tasks of fold k, on which it is judged after each epoch and kept at its best. Their mean is V.
"""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.learn.fitting import read_rows
from spa_lab.learn.return_predictor import places
from spa_lab.types import FloatArray, Trajectory

_READ_TOKENS = 20_000
"""Tokens of a batch that is only read."""


@dataclass(frozen=True)
class EnsembleCriticConfig:
    """How the heads are built and fitted."""

    heads: int = 5
    """K, also the number of folds; 1 fits a single head for all epochs, without a fold to judge it by."""
    layers: int = 1
    """Hidden layers that are read, counted from the last."""
    width: int = 128
    """Hidden units of a head."""
    epochs: int = 30
    """Most passes over the features."""
    lr: float = 1e-3
    """Rate of AdamW."""
    weight_decay: float = 0.1
    """Of AdamW."""
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
        return [own.mean(axis=0) for own in self.each(trajectories, rows=rows)]

    @torch.inference_mode()
    def each(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[FloatArray]:
        """(K, T) of each trajectory: what every head says.

        Args:
            trajectories: N trajectories.
            rows: the tokens that each was really written as (`Episode.row`).

        Raises:
            ValueError: a row is of another trajectory.
        """
        found = history_features(self.policy, trajectories, layers=self.config.layers, rows=rows)
        said = [torch.stack([head(own).squeeze(-1).sigmoid() for head in self.heads]) for own in found]
        return [own.double().cpu().numpy() for own in said]


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
        policy: reads; its model must be in eval mode.
        trajectories: N trajectories.
        layers: hidden layers, counted from the last.
        rows: the tokens that each was really written as; without them its text is encoded anew.

    Raises:
        ValueError: a row is of another trajectory.
    """

    def read(batch: TokenBatch) -> Tensor:
        states = policy.model.base_model(
            input_ids=batch.ids.to(policy.model.device), use_cache=False, output_hidden_states=layers > 1
        )
        chosen = places(batch, "history")
        found = states.hidden_states[-layers:] if layers > 1 else (states.last_hidden_state,)
        return torch.cat([layer[chosen] for layer in found], dim=-1).float()

    counts = [len(trajectory) for trajectory in trajectories]
    return read_rows(
        read, policy.codec, policy.codec.rows_of(trajectories, rows), counts,
        limit=policy.context, budget=_READ_TOKENS,
    )  # fmt: skip


def fit_ensemble_critic(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    config: EnsembleCriticConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
) -> EnsembleCritic:
    """Heads fitted to the outcomes of `trajectories` by cross-entropy (outcomes in between: soft labels).

    Args:
        policy: read only; not changed.
        trajectories: N trajectories of the policy whose values are meant.
        config: see `EnsembleCriticConfig`.
        rng: draws weights, folds and order.
        on_update: called after each head with `loss` (of the tasks left out) and `progress` (0 to 1).

    Raises:
        ValueError: fewer tasks than folds.
    """
    features = history_features(policy, trajectories, layers=config.layers)
    outcomes = torch.tensor([one.outcome for one in trajectories]).to(features[0])
    fold = _folds(trajectories, config.heads, rng)
    heads = []
    for k in range(config.heads):
        out = [i for i in range(len(trajectories)) if fold[i] == k and config.heads > 1]
        kept = [i for i in range(len(trajectories)) if fold[i] != k or config.heads == 1]
        head, loss = _fit_head(
            _flat(features, outcomes, kept), _flat(features, outcomes, out or kept), config, rng
        )
        heads.append(head)
        on_update({"loss": loss, "progress": (k + 1) / config.heads})
    return EnsembleCritic(policy, config, heads)


def _fit_head(
    known: tuple[Tensor, Tensor],
    left_out: tuple[Tensor, Tensor],
    config: EnsembleCriticConfig,
    rng: random.Random,
) -> tuple[nn.Module, float]:
    """A head as it was after the epoch that served the left out best, and its loss there."""
    features, target = known
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    head = _new_head(features, config, rng.randrange(2**31))
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    best, best_loss = head, float("inf")
    for _ in range(config.epochs):
        order = torch.randperm(len(target), generator=generator).to(target.device)
        for part in order.split(config.batch):
            loss = _cross_entropy(head(features[part]), target[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            judged = float(_cross_entropy(head(left_out[0]), left_out[1]))
        if judged < best_loss:
            best, best_loss = copy.deepcopy(head), judged
    return best.requires_grad_(False), best_loss


def _new_head(features: Tensor, config: EnsembleCriticConfig, seed: int) -> nn.Sequential:
    size = features.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.LayerNorm(size), nn.Linear(size, config.width), nn.GELU(), nn.Linear(config.width, 1))
    return nn.Sequential(*layers).to(features.device)


def _cross_entropy(said: Tensor, target: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(said.squeeze(-1), target)


def _flat(features: Sequence[Tensor], outcomes: Tensor, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
    """All histories of some trajectories, and the outcome that each led to."""
    counts = torch.tensor([len(features[i]) for i in numbers], device=outcomes.device)
    return torch.cat([features[i] for i in numbers]).clone(), outcomes[list(numbers)].repeat_interleave(
        counts
    )


def _folds(trajectories: Sequence[Trajectory], n_folds: int, rng: random.Random) -> list[int]:
    """Fold of each trajectory; all trajectories of a task share one."""
    tasks = list(dict.fromkeys((one.env, one.task_id) for one in trajectories))
    if len(tasks) < n_folds:
        raise ValueError(f"{n_folds} folds need as many tasks, got {len(tasks)}")
    rng.shuffle(tasks)
    place = {task: number % n_folds for number, task in enumerate(tasks)}
    return [place[one.env, one.task_id] for one in trajectories]

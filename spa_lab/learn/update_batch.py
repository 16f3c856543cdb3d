"""The one record that an update reads: all episodes of an iteration as padded (B, L) tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from spa_lab.advantages import on_tokens
from spa_lab.agent.codec import TokenBatch
from spa_lab.agent.rollout import Episode
from spa_lab.learn.estimates import Estimate, steps_of
from spa_lab.types import FloatArray, Trajectory

MeanOver = Literal["token", "step", "episode"]
"""What the loss is a mean over: all written tokens; or steps or episodes, each by the mean of its tokens."""


@dataclass(frozen=True, eq=False)
class UpdateBatch:
    """B episodes, padded on the right to L tokens; 0 wherever the policy did not write.

    Built once for an update, in float64 on the CPU; minibatches are taken with `select` and `to`.
    """

    trajectories: tuple[Trajectory, ...]
    """B trajectories."""
    lengths: tuple[int, ...]
    """Tokens of each row without padding."""
    ids: Tensor
    """(B, L) int64 token ids."""
    step: Tensor
    """(B, L) int64: step index of tokens that the policy wrote, else -1."""
    sampled: Tensor
    """(B, L) log-probability of each written token when it was sampled, nats."""
    advantages: Tensor
    """(B, L) before normalisation, outcome units."""
    centre: float = 0.0
    """Subtracted from the advantages, outcome units."""
    scale: float = 1.0
    """Divides the centred advantages, outcome units."""
    reference: Tensor | None = None
    """(B, L) log-probability under the reference policy, nats; None if its distance is not paid."""
    returns: Tensor | None = None
    """(B, L) target of the critic, outcome units; None without a critic."""
    weights: Tensor | None = None
    """(B, L) weight of each token in the loss; None: all written tokens weigh the same."""
    rewards: Tensor | None = None
    """(B, L) rewards that the advantages were made of, outcome units; for reports."""
    values: Tensor | None = None
    """(B, L) values that the advantages were made of, outcome units; for reports."""
    drift: Mapping[str, float] = field(default_factory=dict)
    """Signs of drift in all episodes of the iteration, see `learn.drift`; empty without a fitted credit."""

    def __len__(self) -> int:
        return len(self.trajectories)

    @property
    def written(self) -> Tensor:
        """(B, L) bool: tokens that the policy wrote."""
        return self.step >= 0

    @property
    def normalised(self) -> Tensor:
        """(B, L) normalised advantages; at tokens that the policy did not write they mean nothing."""
        return (self.advantages - self.centre) / self.scale

    def select(self, indices: Sequence[int]) -> "UpdateBatch":
        """The rows at `indices`, trimmed to the longest of them."""
        rows = list(indices)
        longest = max(self.lengths[i] for i in rows)
        changed: dict[str, Any] = {
            name: tensor[rows, :longest]  # (B, L) -> (b, l)
            for name, tensor in self._tensors()
        }
        changed["trajectories"] = tuple(self.trajectories[i] for i in rows)
        changed["lengths"] = tuple(self.lengths[i] for i in rows)
        return replace(self, **changed)

    def to(self, device: torch.device) -> "UpdateBatch":
        """On `device`, in float32."""
        moved: dict[str, Any] = {
            name: (tensor.float() if tensor.is_floating_point() else tensor).to(device)
            for name, tensor in self._tensors()
        }
        return replace(self, **moved)

    def _tensors(self) -> list[tuple[str, Tensor]]:
        named = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return [(name, value) for name, value in named if isinstance(value, Tensor)]


def make_update_batch(
    tokens: TokenBatch,
    episodes: Sequence[Episode],
    estimates: Sequence[Estimate],
    reference: Sequence[FloatArray] | None = None,
    *,
    normalise: bool = True,
    mean_over: MeanOver = "token",
    drift: Mapping[str, float] | None = None,
) -> UpdateBatch:
    """The record of B episodes.

    Args:
        tokens: the rows of `episodes`, (B, L).
        episodes: B episodes, at least one.
        estimates: of each episode.
        reference: (L_i,) of each episode, log-probability of each written token under the reference policy;
            None if its distance is not paid.
        normalise: centre and scale the advantages over all written tokens of the batch.
        mean_over: what the loss is a mean over.
        drift: signs of drift, see `learn.drift`.

    Raises:
        ValueError: some estimates have returns, rewards or values and others do not, or an advantage is bad.
    """
    steps = [steps_of(episode) for episode in episodes]
    for episode, estimate, step in zip(episodes, estimates, steps, strict=True):
        _check_advantage(episode, estimate.advantage, len(step))
    centre, scale = 0.0, 1.0
    if normalise:
        advantages = np.concatenate(
            [estimate.advantage[step >= 0] for estimate, step in zip(estimates, steps, strict=True)]
        )  # (n,)
        centre, scale = float(advantages.mean()), float(advantages.std()) + 1e-8
    return UpdateBatch(
        trajectories=tuple(episode.trajectory for episode in episodes),
        lengths=tuple(map(len, steps)),
        ids=tokens.ids,
        step=tokens.step,
        sampled=_padded([np.array(episode.logprobs) for episode in episodes]),
        reference=None if reference is None else _padded(reference),
        advantages=_padded([estimate.advantage for estimate in estimates]),
        centre=centre,
        scale=scale,
        returns=_optional([estimate.returns for estimate in estimates], "returns"),
        weights=_weights(estimates, steps, mean_over),
        rewards=_optional([estimate.rewards for estimate in estimates], "rewards"),
        values=_optional([estimate.values for estimate in estimates], "values"),
        drift=drift or {},
    )


def _check_advantage(episode: Episode, advantage: FloatArray, n_tokens: int) -> None:
    if advantage.shape != (n_tokens,) or not np.isfinite(advantage).all():
        raise ValueError(
            f"advantage of {episode.trajectory.id!r}: expected a finite number for each of {n_tokens} "
            f"tokens, got {advantage}"
        )


def _weights(
    estimates: Sequence[Estimate], steps: Sequence[np.ndarray], mean_over: MeanOver
) -> Tensor | None:
    """(B, L) weights with which a weighted mean over tokens is the mean over tokens, steps or episodes."""
    if mean_over == "token" and all(estimate.weight is None for estimate in estimates):
        return None
    arrays = []
    for estimate, step in zip(estimates, steps, strict=True):
        weight = (step >= 0).astype(np.float64)
        if mean_over == "step":
            weight = on_tokens(1.0 / np.bincount(step[step >= 0]), step)
        elif mean_over == "episode":
            weight /= weight.sum()
        arrays.append(weight if estimate.weight is None else weight * estimate.weight)
    return _padded(arrays)


def _optional(arrays: Sequence[FloatArray | None], what: str) -> Tensor | None:
    given = [array for array in arrays if array is not None]
    if given and len(given) < len(arrays):
        raise ValueError(f"{len(given)} of {len(arrays)} estimates have {what}: all or none must have them")
    return _padded(given) if given else None


def _padded(arrays: Sequence[FloatArray]) -> Tensor:
    """(B, L) float64, zeros on the right."""
    result = np.zeros((len(arrays), max(map(len, arrays))))
    for row, array in zip(result, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(result)

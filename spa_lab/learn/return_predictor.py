"""Return predictors fitted to every prefix: critics, RUDDER's predictor, variants of SPA's estimator.

The outcome alone does not say how to split R among the steps: "all of it on the last step" fits as well as
anything else. What every prefix of the trajectory says about R does: a reader fitted to R at each of them
tends to E[R | prefix], and the differences of neighbours are then the progress of each step and nothing else.

x_0, x_1, ... = what the reader says at its places,  V_k = x_k, or x_0 + ... + x_k for increments
L = mean over places of (V_k - R)^2                                       `every`, this module's default
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from spa_lab.agent.codec import Codec, TokenBatch
from spa_lab.agent.lora import set_trainable
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Policy
from spa_lab.learn.fitting import fit_rows, new_head, read_rows
from spa_lab.learn.language import hidden_states
from spa_lab.types import FloatArray, Trajectory


@dataclass(frozen=True)
class PredictorConfig:
    """Where a reader reads, what its numbers mean and how it is fitted."""

    reads: Literal["history", "step"] = "history"
    """"history": before each step, when the world has replied: T values V(h_0), ..., V(h_{T-1}), a critic.
    "step": after the opening and after each step, before the reply: T + 1 values, as RUDDER and SPA read."""
    says: Literal["value", "increment"] = "value"
    """"value": each number is V (critic, RUDDER). "increment": they add up to V (SPA's c_t, with a base)."""
    fits: Literal["every", "last", "subset"] = "every"
    """"every": V at every place is fitted to R. "last": only the last one (SPA's loss). "subset": the sum
    over random halves of the increments, scaled up (randomised return decomposition, arXiv:2111.13485)."""
    spread: float = 0.0
    """Weight of the mean squared increment, which spreads credit out; "increment" only, >= 0."""
    width: int = 128
    """Hidden units of the head."""
    train_backbone: bool = True
    """Fit the language model below the head, too (its adapters alone where it has them); False is a critic on
    frozen features."""
    epochs: int = 2
    """Passes over the trajectories."""
    lr: float = 2e-3
    """Peak rate of AdamW."""
    batch_tokens: int = 1500
    """Tokens in a batch, padding included."""

    def __post_init__(self) -> None:
        if min(self.epochs, self.width, self.batch_tokens) < 1 or self.lr <= 0 or self.spread < 0:
            raise ValueError(f"needs epochs, width, batch_tokens >= 1, lr > 0 and spread >= 0, got {self}")
        if self.says == "value" and (self.spread or self.fits == "subset"):
            raise ValueError(f"spread and fits='subset' are of increments, got says={self.says!r}")


class ReturnPredictor(nn.Module):
    """A language model with a head that says something about R at places of a trajectory."""

    def __init__(
        self, backbone: PreTrainedModel, codec: Codec, config: PredictorConfig, *, seed: int
    ) -> None:
        super().__init__()
        self.backbone, self.codec, self.config = backbone, codec, config
        size = int(backbone.config.hidden_size)
        self.head = new_head(size, config.width, 1, device=backbone.device, seed=seed)
        set_trainable(backbone, config.train_backbone)

    def forward(self, batch: TokenBatch) -> Tensor:
        """(n,) numbers at all places of all rows, row by row, outcome units."""
        hidden = hidden_states(self.backbone, batch.ids)
        return self.head(hidden[places(batch, self.config.reads)].float()).squeeze(-1)

    @torch.inference_mode()
    def values(self, trajectories: Sequence[Trajectory]) -> list[FloatArray]:
        """What is predicted of R at each place: (T,) or (T + 1,), see `PredictorConfig.reads`."""
        said = read_rows(
            self, self.codec, [self.codec.row(one) for one in trajectories],
            [self.count(one) for one in trajectories],
            limit=int(self.backbone.config.max_position_embeddings), budget=self.config.batch_tokens,
        )  # fmt: skip
        values = (own.cumsum(0) if self.config.says == "increment" else own for own in said)
        return [own.double().cpu().numpy() for own in values]

    def predict(self, trajectories: Sequence[Trajectory]) -> FloatArray:
        """(N,) the last value of each: the prediction from all that is read."""
        return np.array([own[-1] for own in self.values(trajectories)])

    def count(self, trajectory: Trajectory) -> int:
        """Places in a trajectory."""
        return len(trajectory) + (self.config.reads == "step")


def places(batch: TokenBatch, reads: Literal["history", "step"]) -> Tensor:
    """(B, L) bool: where a reader reads; see `PredictorConfig.reads`."""
    following = torch.nn.functional.pad(batch.step[:, 1:], (0, 1), value=-1)
    before = (following >= 0) & (following != batch.step)
    if reads == "history":
        return before
    return (before & (following == 0)) | batch.step_end


def reader_loss(
    said: Tensor,
    counts: Sequence[int],
    outcomes: Sequence[float],
    config: PredictorConfig,
    rng: random.Random,
) -> Tensor:
    """The loss of B trajectories from what was said at their places (n,), n = sum of `counts`."""
    losses = []
    for own, outcome in zip(said.split(list(counts)), outcomes, strict=True):
        if config.fits == "subset":
            losses.append(_subset_sum(own, rng) - outcome)
            continue
        path = own.cumsum(0) if config.says == "increment" else own
        losses.append((path if config.fits == "every" else path[-1:]) - outcome)
    loss = (torch.cat(losses) ** 2).mean()
    if config.spread:
        loss = loss + config.spread * (said**2).mean()
    return loss


def fit_predictor(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    config: PredictorConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
) -> ReturnPredictor:
    """A reader on a copy of `policy.model`, fitted to the outcomes of `trajectories`.

    Args:
        policy: the cloned policy; not changed.
        trajectories: N trajectories of the policy whose values are meant.
        config: see `PredictorConfig`.
        rng: draws initial weights, order and subsets.
        on_update: called with `loss` and `progress` (0 to 1).
    """
    twin = copy_policy(policy, name="reader")
    reader = ReturnPredictor(twin.model, twin.codec, config, seed=rng.randrange(2**31))

    def loss(said: Tensor, numbers: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        chosen = [trajectories[i] for i in numbers]
        counts, outcomes = [reader.count(one) for one in chosen], [one.outcome for one in chosen]
        return reader_loss(said, counts, outcomes, config, rng), {}

    rows = [policy.codec.row(trajectory) for trajectory in trajectories]
    fit_rows(reader, policy.codec, rows, loss, config, limit=policy.context, rng=rng, on_update=on_update)
    return reader.eval()


def mean_values(
    readers: Sequence[ReturnPredictor],
) -> Callable[[Sequence[Trajectory]], list[FloatArray]]:
    """The mean of several readers of one kind, fitted from different seeds: an ensemble.

    Raises:
        ValueError: no reader, or readers that read in different places.
    """
    if len({one.config.reads for one in readers}) != 1:
        raise ValueError(f"an ensemble reads in the same places, got {[one.config.reads for one in readers]}")

    def values(trajectories: Sequence[Trajectory]) -> list[FloatArray]:
        each = [reader.values(trajectories) for reader in readers]
        return [np.mean(own, axis=0) for own in zip(*each, strict=True)]

    return values


def _subset_sum(own: Tensor, rng: random.Random) -> Tensor:
    """(1,) base and T / K times the sum of K increments drawn at random, K about T / 2."""
    increments = own[1:]
    n = len(increments)
    if n == 0:
        return own[:1]
    size = max(1, n // 2)
    drawn = torch.tensor(sorted(rng.sample(range(n), size)), device=own.device)
    return own[:1] + increments[drawn].sum() * n / size

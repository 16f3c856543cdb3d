"""The progress estimator: each step's contribution, learnt from outcomes alone.

h_t = last hidden layer at the last token of step t,  c_t = MLP(h_t),  R^ = sum_t c_t
L_PE = mean over trajectories of (R^ - R)^2                                         SPA-RL, stage 3

This loss does not determine how R is split among the steps; `share_on_last_step` reports what a fitted
estimator does. Options named in `EstimatorConfig` give the released code's variants.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spa_lab.agent.codec import Codec, TokenBatch, TokenRow
from spa_lab.agent.disk import disk_refusals
from spa_lab.agent.head import logits_of
from spa_lab.agent.lora import set_trainable
from spa_lab.agent.models import copy_policy, load_policy, save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.learn.checkpoint import Checkpoint
from spa_lab.learn.fitting import fit_to_trajectories, new_head
from spa_lab.learn.language import hidden_states
from spa_lab.learn.reading import read_rows
from spa_lab.types import Credit, Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_HEAD_FILE = "head.safetensors"


class EstimatorLoss(NamedTuple):
    """Parts of L_PE for one batch."""

    loss: Tensor
    """Mean squared error of the predicted outcome."""
    bias: float
    """Mean of R^ - R, outcome units."""
    share_on_last_step: float
    """Mean over trajectories of |c_T| / sum_t |c_t|, in [0, 1]; 1 means all credit on the last step."""


class ProgressEstimator(nn.Module):
    """A language model with a head that gives one number at the end of each step."""

    def __init__(
        self, backbone: "PreTrainedModel", codec: Codec, config: EstimatorConfig, *, seed: int
    ) -> None:
        super().__init__()
        self.backbone, self.codec, self.config = backbone, codec, config
        shape = backbone.config
        sizes = (shape.hidden_size, config.width, 1) if config.head == "mlp" else (shape.vocab_size, 1)
        self.head = new_head(*sizes, device=backbone.device, seed=seed)
        set_trainable(backbone, config.train_backbone)

    def forward(self, batch: TokenBatch) -> Tensor:
        """(n,) contributions of all steps of all rows, row by row, outcome units."""
        hidden = hidden_states(self.backbone, batch.ids)[batch.step_end].float()  # (B, L, d) -> (n, d)
        if self.config.head == "vocabulary":
            features = logits_of(self.backbone, hidden.to(self.backbone.dtype))  # (n, V)
        else:
            features = hidden
        return self.head(features).squeeze(-1)  # (n, 1) -> (n,)

    @torch.inference_mode()
    def credit(
        self,
        trajectories: Sequence[Trajectory],
        *,
        source: str = "spa",
        rows: Sequence[TokenRow] | None = None,
    ) -> list[Credit]:
        """One `Credit` for each trajectory, in order.

        Args:
            trajectories: N trajectories.
            source: name of the credits' source.
            rows: the tokens that each was sampled as (`Episode.row`); without them its text is re-encoded,
                which can yield other tokens than were sampled.

        Raises:
            ContextTooLong: a trajectory needs more tokens than the model can read.
            ValueError: a row belongs to another trajectory.
        """
        contributions = read_rows(
            self, self.codec, self.codec.rows_of(trajectories, rows), list(map(len, trajectories)),
            limit=int(self.backbone.config.max_position_embeddings), budget=self.config.batch_tokens,
        )  # fmt: skip
        return [
            Credit(trajectory.id, source, per_step.cpu().double().numpy())
            for trajectory, per_step in zip(trajectories, contributions, strict=True)
        ]


def estimator_loss(contributions: Tensor, lengths: Sequence[int], outcomes: Sequence[float]) -> EstimatorLoss:
    """L_PE of B trajectories from their steps' contributions (n,), n = sum of `lengths`."""
    parts = contributions.split(list(lengths))  # (n,) -> B vectors (T_b,)
    predicted = torch.stack([part.sum() for part in parts])  # (B,)
    error = predicted - torch.tensor(outcomes, dtype=predicted.dtype, device=predicted.device)
    sizes = contributions.detach().abs().split(list(lengths))
    share = [float(part[-1] / part.sum().clamp(min=1e-12)) for part in sizes]
    return EstimatorLoss((error**2).mean(), float(error.detach().mean()), float(np.mean(share)))


def fit_estimator(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    config: EstimatorConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
    checkpoint: Checkpoint | None = None,
    rows: Sequence[TokenRow] | None = None,
) -> ProgressEstimator:
    """A progress estimator on a copy of `policy.model`, fitted to the outcomes of `trajectories`.

    Args:
        policy: the cloned policy; not changed.
        trajectories: D_explore, N trajectories of any policy on the same world.
        config: head, trained weights, epochs, rates.
        rng: draws initial weights and order.
        on_update: called with `loss`, `bias`, `share_on_last_step` and `progress` (0 to 1).
        checkpoint: where the state is saved after each epoch, see `fitting.fit`.
        rows: the tokens that each trajectory was sampled as; without them its text is encoded.
    """
    twin = copy_policy(policy, name="estimator")
    estimator = ProgressEstimator(twin.model, twin.codec, config, seed=rng.randrange(2**31))

    def loss(contributions: Tensor, batch: Sequence[Trajectory]) -> tuple[Tensor, dict[str, float]]:
        parts = estimator_loss(contributions, list(map(len, batch)), [t.known_outcome for t in batch])
        return parts.loss, {"bias": parts.bias, "share_on_last_step": parts.share_on_last_step}

    fit_to_trajectories(
        estimator,
        policy,
        trajectories,
        loss,
        config,
        rng=rng,
        on_update=on_update,
        checkpoint=checkpoint,
        sampled=rows,
    )
    return estimator


def save_estimator(estimator: ProgressEstimator, folder: Path) -> None:
    """Write backbone, tokenizer and head into `folder`; raises OSError if the disk refuses."""
    save_policy(Policy("estimator", estimator.backbone, estimator.codec), folder)
    with disk_refusals():
        save_file(estimator.head.state_dict(), folder / _HEAD_FILE)


def load_estimator(folder: Path, config: EstimatorConfig, **options: Any) -> ProgressEstimator:
    """The estimator written by `save_estimator`; `options` as in `load_policy`.

    Raises:
        ValueError: files are missing, or `config` has another head than the saved one.
    """
    policy = load_policy(folder, name="estimator", **options)
    estimator = ProgressEstimator(policy.model, policy.codec, config, seed=0)
    try:
        estimator.head.load_state_dict(load_file(folder / _HEAD_FILE))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{folder / _HEAD_FILE}: not a head of kind {config.head!r}: {error}") from error
    return estimator.eval()

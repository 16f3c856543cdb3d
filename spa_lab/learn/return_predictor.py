"""Return predictors fitted at every prefix: critics, RUDDER's predictor, SPA's estimator with dense targets.

The outcome alone does not determine how R is split among the steps: a fit with all of it on the last step is
as good as any other. A predictor that is fitted to R at every prefix tends to E[R | prefix], and the
differences between neighbouring prefixes are then the progress of each step.

x_0, x_1, ... = outputs at the prefixes,  V_k = x_k (values) or x_0 + ... + x_k (increments)
L = mean over prefixes of (V_k - R)^2
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from spa_lab.agent.codec import Codec, TokenBatch
from spa_lab.agent.lora import set_trainable
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Policy
from spa_lab.learn.checkpoint import Checkpoint
from spa_lab.learn.fitting import fit_to_trajectories, new_head
from spa_lab.learn.language import hidden_states
from spa_lab.learn.reading import read_rows
from spa_lab.types import FloatArray, Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PredictorInput = Literal["history", "step"]
PredictorOutput = Literal["value", "increment"]


@dataclass(frozen=True)
class PredictorConfig:
    """Prefixes, meaning of the outputs, and how a predictor is fitted."""

    input: PredictorInput = "history"
    """Prefixes at which R is predicted. "history": before each step, after the observation: T values V(h_0),
    ..., V(h_{T-1}), a critic. "step": after the opening and after each step, before the observation: T + 1
    values, as in RUDDER and SPA."""
    output: PredictorOutput = "value"
    """"value": each output is V (critic, RUDDER). "increment": V is the sum of the outputs so far (SPA's c_t,
    with a base value)."""
    width: int = 128
    """Hidden units of the head."""
    train_backbone: bool = True
    """Train the language model below the head too (its adapters alone where it has them); False is a critic
    on frozen features."""
    epochs: int = 2
    """Passes over the trajectories."""
    lr: float = 2e-3
    """Peak rate of AdamW."""
    batch_tokens: int = 1500
    """Tokens in a batch, padding included."""
    micro_tokens: int | None = None
    """Tokens in memory at once, see `fitting.fit`."""

    def __post_init__(self) -> None:
        if min(self.epochs, self.width, self.batch_tokens) < 1 or self.lr <= 0:
            raise ValueError(f"needs epochs, width, batch_tokens >= 1 and lr > 0, got {self}")
        for name, kind in (("input", PredictorInput), ("output", PredictorOutput)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} must be one of {get_args(kind)}, got {getattr(self, name)!r}")


class ReturnPredictor(nn.Module):
    """A language model with a head that predicts R at the prefixes of a trajectory."""

    def __init__(
        self, backbone: "PreTrainedModel", codec: Codec, config: PredictorConfig, *, seed: int
    ) -> None:
        super().__init__()
        self.backbone, self.codec, self.config = backbone, codec, config
        size = int(backbone.config.hidden_size)
        self.head = new_head(size, config.width, 1, device=backbone.device, seed=seed)
        set_trainable(backbone, config.train_backbone)

    def forward(self, batch: TokenBatch) -> Tensor:
        """(n,) outputs at all prefixes of all rows, row by row, outcome units."""
        hidden = hidden_states(self.backbone, batch.ids)  # (B, L, d)
        features = hidden[prefix_ends(batch, self.config.input)].float()  # (B, L, d) -> (n, d)
        return self.head(features).squeeze(-1)  # (n, 1) -> (n,)

    @torch.inference_mode()
    def values(self, trajectories: Sequence[Trajectory]) -> list[FloatArray]:
        """The predictions of R at each prefix: (T,) or (T + 1,), see `PredictorConfig.input`."""
        outputs = read_rows(
            self, self.codec, [self.codec.row(trajectory) for trajectory in trajectories],
            [self.n_prefixes(trajectory) for trajectory in trajectories],
            limit=int(self.backbone.config.max_position_embeddings), budget=self.config.batch_tokens,
        )  # fmt: skip
        return [self._path(row).cpu().double().numpy() for row in outputs]

    def predict(self, trajectories: Sequence[Trajectory]) -> FloatArray:
        """(N,) prediction of R at the longest prefix of each trajectory."""
        return np.array([values[-1] for values in self.values(trajectories)])

    def n_prefixes(self, trajectory: Trajectory) -> int:
        """T or T + 1."""
        return len(trajectory) + (self.config.input == "step")

    def loss(self, outputs: Tensor, trajectories: Sequence[Trajectory]) -> Tensor:
        """Mean squared error over all prefixes of B trajectories, from their outputs (n,)."""
        counts = [self.n_prefixes(trajectory) for trajectory in trajectories]
        rows = zip(outputs.split(counts), trajectories, strict=True)  # (n,) -> B vectors (n_b,)
        errors = [self._path(row) - trajectory.known_outcome for row, trajectory in rows]
        return (torch.cat(errors) ** 2).mean()

    def _path(self, outputs: Tensor) -> Tensor:
        """(n,) V at the prefixes of one trajectory."""
        return outputs.cumsum(0) if self.config.output == "increment" else outputs


def prefix_ends(batch: TokenBatch, kind: PredictorInput) -> Tensor:
    """(B, L) bool: the last token of each prefix; see `PredictorConfig.input`."""
    following = torch.nn.functional.pad(batch.step[:, 1:], (0, 1), value=-1)  # (B, L)
    before = (following >= 0) & (following != batch.step)
    if kind == "history":
        return before
    return (before & (following == 0)) | batch.step_end


def fit_predictor(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    config: PredictorConfig,
    *,
    rng: random.Random,
    on_update: Callable[[dict[str, float]], object] = lambda metrics: None,
    checkpoint: Checkpoint | None = None,
) -> ReturnPredictor:
    """A return predictor on a copy of `policy.model`, fitted to the outcomes of `trajectories`.

    Args:
        policy: the cloned policy; not changed.
        trajectories: N trajectories of the policy whose values are estimated.
        config: see `PredictorConfig`.
        rng: draws initial weights and order.
        on_update: called with `loss` and `progress` (0 to 1).
        checkpoint: where the state is saved after each epoch, see `fitting.fit`.
    """
    twin = copy_policy(policy, name="predictor")
    predictor = ReturnPredictor(twin.model, twin.codec, config, seed=rng.randrange(2**31))

    def loss(outputs: Tensor, batch: Sequence[Trajectory]) -> tuple[Tensor, dict[str, float]]:
        return predictor.loss(outputs, batch), {}

    fit_to_trajectories(
        predictor,
        policy,
        trajectories,
        loss,
        config,
        rng=rng,
        on_update=on_update,
        checkpoint=checkpoint,
        weight=predictor.n_prefixes,
    )
    return predictor

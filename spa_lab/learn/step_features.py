"""A frozen policy's hidden states before and at the end of each step, and heads that read them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.learn.language import hidden_states
from spa_lab.learn.reading import READ_TOKENS, read_rows
from spa_lab.learn.return_predictor import prefix_ends
from spa_lab.types import Trajectory


class StepFeatures(NamedTuple):
    """Hidden states of one trajectory of T steps, float32."""

    before: Tensor
    """(T, d) at the last token before each step: what the policy knows of the history h_t."""
    after: Tensor
    """(T, d) at the last token of each step: the history and the step itself."""


@torch.inference_mode()
def step_features(
    policy: Policy, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
) -> list[StepFeatures]:
    """The features of N trajectories, in order.

    Args:
        policy: reads; its model must be in eval mode.
        trajectories: N trajectories.
        rows: the tokens that each was sampled as (`Episode.row`); without them the text is re-encoded.

    Raises:
        ContextTooLong: a trajectory needs more tokens than the policy can read.
        ValueError: a row belongs to another trajectory.
    """

    def read(batch: TokenBatch) -> Tensor:
        hidden = hidden_states(policy.model, batch.ids)  # (B, L, d)
        both = hidden[prefix_ends(batch, "history")], hidden[batch.step_end]  # (B, L, d) -> (n, d) each
        return torch.stack(both, dim=1).float()  # (n, 2, d)

    tables = read_rows(
        read, policy.codec, policy.codec.rows_of(trajectories, rows), list(map(len, trajectories)),
        limit=policy.context, budget=READ_TOKENS,
    )  # fmt: skip
    return [StepFeatures(table[:, 0].clone(), table[:, 1].clone()) for table in tables]


def feature_head(size: int, *, width: int, seed: int) -> nn.Sequential:
    """A head of two layers on normalised features: (n, d) -> (n, 1)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.LayerNorm(size), nn.Linear(size, width), nn.GELU(), nn.Linear(width, 1))
    return nn.Sequential(*layers)

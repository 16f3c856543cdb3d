"""A policy's reading of trajectories: hidden states before each step, and how probable each text is to it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.credit.siblings import Histories
from spa_lab.learn.language import before_written, hidden_states, read_tokens
from spa_lab.learn.reading import READ_TOKENS, read_rows
from spa_lab.learn.return_predictor import prefix_ends
from spa_lab.types import Trajectory


@torch.inference_mode()
def read_histories(
    policy: Policy, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
) -> list[Histories]:
    """One pass over N trajectories; log-probabilities are those at temperature 1.

    Args:
        policy: reads; its model must be in eval mode.
        trajectories: N trajectories; those with the same world and task id are siblings.
        rows: the tokens that each was sampled as (`Episode.row`); without them the text is re-encoded.

    Raises:
        ContextTooLong: a trajectory needs more tokens than the policy can read.
        ValueError: a row belongs to another trajectory.
    """
    read = read_rows(
        lambda batch: _read(policy, batch), policy.codec, policy.codec.rows_of(trajectories, rows),
        list(map(len, trajectories)), limit=policy.context, budget=READ_TOKENS,
    )  # fmt: skip
    return [
        Histories(
            (trajectory.env, trajectory.task_id),
            trajectory.known_outcome,
            table[:, 2:].float().cpu().numpy(),
            table[:, :2].cpu().double().numpy(),
        )
        for trajectory, table in zip(trajectories, read, strict=True)
    ]


def _read(policy: Policy, batch: TokenBatch) -> Tensor:
    """(n, 2 + d) of all n steps, row by row: log-probability, smallest token's, hidden state before it."""
    hidden = hidden_states(policy.model, batch.ids)  # (B, L, d)
    mask = batch.action_mask
    tokens = batch.ids[mask].to(hidden.device)  # (B, L) -> (n,)
    logprobs = read_tokens(policy.model, before_written(hidden, mask), tokens).logprobs
    total, lowest = _by_step(logprobs, batch)
    states = hidden[prefix_ends(batch, "history")].float()  # (B, L, d) -> (n, d)
    return torch.cat([total[:, None], lowest[:, None], states], dim=1)


def _by_step(logprobs: Tensor, batch: TokenBatch) -> tuple[Tensor, Tensor]:
    """(n,) sum and (n,) minimum over the tokens of each step; tokens come in the order of rows and steps."""
    row, column = batch.action_mask.nonzero(as_tuple=True)
    step = batch.step[row, column]
    starts = torch.ones_like(step, dtype=torch.bool)
    starts[1:] = (row[1:] != row[:-1]) | (step[1:] != step[:-1])
    index = (starts.cumsum(0) - 1).to(logprobs.device)  # (tokens,) -> 0 ... n - 1
    total = logprobs.new_zeros(int(starts.sum())).index_add(0, index, logprobs)
    return total, torch.zeros_like(total).scatter_reduce(0, index, logprobs, reduce="amin")

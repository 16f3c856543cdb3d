"""Episodes as tokens, with a target for each step: what a step network is fitted to."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from spa_lab.agent.codec import TokenRow
from spa_lab.learn.checkpoint import LearnerState
from spa_lab.types import FloatArray


class GradedRow(NamedTuple):
    """One episode of T steps."""

    row: TokenRow
    target: FloatArray
    """(T,) what the network should say of each step, in [0, 1]."""
    weight: FloatArray
    """(T,) of each step in the loss; 0 leaves it out."""


def graded(rows: Sequence[TokenRow], targets: Sequence[FloatArray]) -> list[GradedRow]:
    """N episodes and their targets, (T,) each, all steps weighing the same."""
    return [GradedRow(row, target, np.ones(len(target))) for row, target in zip(rows, targets, strict=True)]


def graded_state(rows: Sequence[GradedRow]) -> LearnerState:
    """All of them as tensors and JSON."""
    tensors = {}
    for i, (row, target, weight) in enumerate(rows):
        tensors[f"{i}.tokens"] = torch.tensor([row.ids, row.step])  # (2, L)
        tensors[f"{i}.steps"] = torch.from_numpy(np.stack([target, weight]))  # (2, T)
    return LearnerState(tensors, {"ids": [row.row.trajectory_id for row in rows]})


def load_graded(state: LearnerState) -> list[GradedRow]:
    """What `graded_state` stored; raises ValueError if a part is missing."""
    rows = []
    for i, trajectory_id in enumerate(state.facts["ids"]):
        try:
            tokens, steps = state.tensors[f"{i}.tokens"], state.tensors[f"{i}.steps"].numpy()
        except KeyError as error:
            raise ValueError(f"the saved episodes lack {error.args[0]!r}") from None
        ids, step = (tuple(part) for part in tokens.tolist())
        rows.append(GradedRow(TokenRow(str(trajectory_id), ids, step), steps[0], steps[1]))
    return rows

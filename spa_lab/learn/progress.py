"""Progress from sibling rollouts: a small model that turns what became of siblings into V(h_t) in [0, 1].

V(h_t) = sigmoid(f(x_t) + l_t)                                                             (ours)

x_t are the outcomes of siblings at similar histories, how surprising the agent's text was
(`credit.siblings`), the policy's hidden state (`ProgressConfig.state`), and what a model that is told the
outcome says of the steps so far (`ProgressConfig.hindsight`). f is a head of two layers, and
l_t is the clock: the log odds of the outcome among the trajectories that are still running at step t. The
clock is an offset, so that f need not learn it, and can be left out: failures run into the step limit, and a
model that may count steps explains them by their length alone.

The contributions c_t = V(h_{t+1}) - V(h_t) with V(h_T) = R sum to R - V(h_0) by construction, and no text can
be paid more than 1 in all. K heads, each fitted without the tasks of one fold, give a standard error.

Departs from SPA-RL (arXiv:2505.20732), whose estimator maps the language model's hidden state to a
contribution and is fitted to their sum alone (`learn.estimator`); here hidden states also say which histories
are alike.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spa_lab.configs.progress import ProgressConfig
from spa_lab.credit.siblings import N_HINDSIGHT, N_STATISTICS, Histories, sibling_statistics
from spa_lab.types import Credit, FloatArray, Trajectory


@dataclass(frozen=True, eq=False)
class ProgressData:
    """What the model is fitted to: N trajectories, n histories in all."""

    features: NDArray[np.float32]
    """(n, F) of the histories, trajectory by trajectory: `N_STATISTICS` statistics, then the hidden state."""
    lengths: NDArray[np.int64]
    """(N,) steps of each trajectory."""
    outcomes: FloatArray
    """(N,) in [0, 1]."""
    tasks: NDArray[np.int64]
    """(N,) index of the task of each trajectory."""

    @classmethod
    def of(cls, histories: Sequence[Histories]) -> "ProgressData":
        """The data of rollouts of one policy, several of each task.

        Raises:
            ValueError: there is none.
        """
        if not histories:
            raise ValueError("a progress model needs at least 1 trajectory, got 0")
        index = {task: i for i, task in enumerate(dict.fromkeys(entry.task for entry in histories))}
        statistics = np.concatenate(sibling_statistics(histories))
        states = np.concatenate([entry.states for entry in histories])  # (n, d)
        return cls(
            np.concatenate([statistics, states], axis=1, dtype=np.float32),
            np.array([len(entry) for entry in histories]),
            np.array([entry.outcome for entry in histories]),
            np.array([index[entry.task] for entry in histories]),
        )

    @classmethod
    def join(cls, parts: Sequence["ProgressData"]) -> "ProgressData":
        """All of them; the tasks of different parts are different tasks."""
        first = np.cumsum([0, *(int(part.tasks.max()) + 1 for part in parts)])
        return cls(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.outcomes for part in parts]),
            np.concatenate([part.tasks + shift for part, shift in zip(parts, first, strict=False)]),
        )

    @property
    def tables(self) -> list[NDArray[np.float32]]:
        """N tables (T, F), the features of each trajectory."""
        return np.split(self.features, np.cumsum(self.lengths)[:-1])

    @property
    def step(self) -> NDArray[np.int64]:
        """(n,) index t of each history."""
        return np.concatenate([np.arange(length) for length in self.lengths])


class ProgressModel:
    """V(h_t) by the mean of K heads; made by `fit_progress`."""

    def __init__(
        self,
        heads: Sequence[nn.Module],
        *,
        centre: NDArray[np.float32],
        scale: NDArray[np.float32],
        clock: NDArray[np.float32],
        n_updates: int,
    ) -> None:
        self.heads, self.centre, self.scale, self.clock = tuple(heads), centre, scale, clock
        self.n_updates = n_updates
        """Optimiser steps of all heads."""

    @torch.inference_mode()
    def values(self, tables: Sequence[NDArray[np.float32]], *, clock: bool = True) -> list[FloatArray]:
        """(K, T) values V(h_0), ..., V(h_{T-1}) of each trajectory by every head, in [0, 1].

        Args:
            tables: (T, F) of each trajectory, of `ProgressData.tables`.
            clock: False takes the clock out: all histories have the log odds of the first.
        """
        values = []
        for table in tables:
            step = np.minimum(np.arange(len(table)), len(self.clock) - 1)
            read = table[:, : len(self.centre)]  # (T, F)
            inputs = torch.from_numpy((read - self.centre) / self.scale)
            logits = torch.stack([head(inputs).squeeze(-1) for head in self.heads])  # K x (T, 1) -> (K, T)
            offset = torch.from_numpy(self.clock[step * clock])  # that of the first without the clock
            values.append((logits + offset).sigmoid().double().numpy())
        return values

    def credit(
        self,
        trajectories: Sequence[Trajectory],
        tables: Sequence[NDArray[np.float32]],
        *,
        source: str = "spa_progress",
        clock: bool = True,
        close: bool = True,
    ) -> list[Credit]:
        """c_t = V(h_{t+1}) - V(h_t) with the spread of the heads as standard error; base value V(h_0).

        Args:
            trajectories: N trajectories.
            tables: of each, as in `values`.
            source: name of the credits.
            clock: as in `values`.
            close: V(h_T) = R, so that base value and contributions sum to R. Otherwise V(h_T) = V(h_{T-1}):
                the last step is only credited for what is known before its reply.
        """
        credits = []
        values = self.values(tables, clock=clock)
        for trajectory, by_head in zip(trajectories, values, strict=True):
            end = np.full((len(by_head), 1), trajectory.known_outcome) if close else by_head[:, -1:]
            progress = np.diff(np.concatenate([by_head, end], axis=1), axis=1)  # (K, T)
            error = progress.std(axis=0, ddof=1) if len(progress) > 1 else None
            base = float(by_head[:, 0].mean())
            credits.append(Credit(trajectory.id, source, progress.mean(axis=0), base, error))
        return credits


def fit_progress(data: ProgressData, config: ProgressConfig, *, rng: random.Random) -> ProgressModel:
    """Fit the heads to the outcomes by cross-entropy over all histories (outcomes in (0, 1) as soft labels).

    Args:
        data: of one task or more; fewer tasks than heads give as many heads as tasks.
        config: see `ProgressConfig`.
        rng: draws folds, weights and order.
    """
    tasks = list(range(int(data.tasks.max()) + 1))
    n_heads = min(config.heads, len(tasks))
    rng.shuffle(tasks)
    fold = np.argsort(tasks)[data.tasks] % n_heads  # (N,)
    clock = clock_log_odds(data)
    n_statistics = N_STATISTICS + (N_HINDSIGHT if config.hindsight else 0)
    features = data.features if config.state else data.features[:, :n_statistics]  # (n, F)
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = torch.from_numpy((features - centre) / scale)
    offset = torch.from_numpy(clock[data.step])  # (n,)
    target = torch.from_numpy(np.repeat(data.outcomes, data.lengths)).float()  # (n,)
    fold_of_history = torch.from_numpy(np.repeat(fold, data.lengths))
    heads, n_updates = [], 0
    for k in range(n_heads):
        used = (fold_of_history != k) | (n_heads == 1)
        head, n = _fit_head(inputs[used], offset[used], target[used], config, rng)
        heads.append(head)
        n_updates += n
    return ProgressModel(heads, centre=centre, scale=scale, clock=clock, n_updates=n_updates)


def clock_log_odds(data: ProgressData) -> NDArray[np.float32]:
    """(longest T,) log odds of the outcome among the trajectories that are still running at step t.

    Half an outcome of each kind is added at every step, so that all are finite.
    """
    running = data.lengths > np.arange(data.lengths.max())[:, None]  # (longest T, N)
    total = running @ data.outcomes + 0.5
    return np.log(total / (running.sum(axis=1) + 1.0 - total)).astype(np.float32)


def _fit_head(
    inputs: Tensor, offset: Tensor, target: Tensor, config: ProgressConfig, rng: random.Random
) -> tuple[nn.Module, int]:
    """A head and the number of updates that it took."""
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.randrange(2**31))
        last = nn.Linear(config.width, 1)
        nn.init.zeros_(last.weight)  # starts as the clock
        head = nn.Sequential(nn.Linear(inputs.shape[1], config.width), nn.GELU(), last)
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    batch = max(config.smallest_batch, math.ceil(len(target) / config.batches))
    batches = [
        indices
        for _ in range(config.epochs)
        for indices in torch.randperm(len(target), generator=generator).split(batch)
    ]
    for done, indices in enumerate(batches):
        logits = head(inputs[indices]).squeeze(-1) + offset[indices]  # (b, 1) -> (b,)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target[indices])
        optimizer.param_groups[0]["lr"] = config.lr * (1 - done / len(batches))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head.requires_grad_(False).eval(), len(batches)

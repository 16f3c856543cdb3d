"""A critic on the policy's own hidden states: V before each token that the policy writes.

The critic shares the policy's network and is trained with it; its head alone is fitted before the first
update, so that this update does not follow random values.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from spa_lab.agent.codec import TokenBatch
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.learn.checkpoint import LearnerState, load_weights, weights_state
from spa_lab.learn.language import before_written, hidden_states
from spa_lab.learn.reading import read_written
from spa_lab.types import FloatArray

_FIT_EPISODES = 16
"""Episodes whose features are read at once before the first update."""
_FIT_NUMBERS = 2**24
"""Numbers of features that the head reads at once: 64 MiB in float32."""


class Critic:
    """A value head of two layers.

    Args:
        policy: whose hidden states are read; of width d.
        seed: of the initial weights.
    """

    def __init__(self, policy: Policy, *, seed: int) -> None:
        self.policy = policy
        size = int(policy.model.config.hidden_size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, 1))
        self.head.to(policy.model.device)
        self.is_fitted = False
        """Whether `fit` was called."""

    def __call__(self, features: Tensor) -> Tensor:
        """(n,) float32 values, outcome units, from the hidden states (n, d) before n tokens."""
        return self.head(features.float()).squeeze(-1)  # (n, 1) -> (n,)

    @torch.inference_mode()
    def values(self, episodes: Sequence[Episode], *, budget: int) -> list[FloatArray]:
        """(L,) of each episode: V before each written token, 0 elsewhere.

        Args:
            episodes: N episodes; those with hidden states, which must be this policy's, are not read again.
            budget: tokens in a batch, padding included.
        """
        kept = [episode.hidden for episode in episodes if episode.hidden is not None]
        if len(kept) == len(episodes):
            return [
                _at_written(episode, self(hidden)) for episode, hidden in zip(episodes, kept, strict=True)
            ]
        return read_written(
            lambda batch: self(self._features(batch)),
            self.policy.codec,
            [episode.row for episode in episodes],
            limit=self.policy.context,
            budget=budget,
        )

    def fit(self, episodes: Sequence[Episode], returns: Sequence[FloatArray], *, passes: int = 40) -> None:
        """Fit the head alone, by least squares on all written tokens, with bounded memory.

        Args:
            episodes: N episodes, as in `values`.
            returns: (L,) of each episode, the target at each written token, outcome units.
            passes: AdamW updates.
        """
        features = self._all_features(episodes)  # (n, d), n written tokens, in the precision of the model
        written = [
            target[np.array(episode.row.step) >= 0]  # (L,) -> (n_i,)
            for episode, target in zip(episodes, returns, strict=True)
        ]
        target = torch.from_numpy(np.concatenate(written)).float().to(features.device)  # (n,)
        optimizer = torch.optim.AdamW(self.head.parameters(), lr=3e-3)
        size = max(1, _FIT_NUMBERS // features.shape[1])
        chunks = list(zip(features.split(size), target.split(size), strict=True))
        for _ in range(passes):
            optimizer.zero_grad()
            for part, goal in chunks:
                loss = ((self(part) - goal) ** 2).mean()
                (loss if len(chunks) == 1 else loss * (len(goal) / len(target))).backward()
            optimizer.step()
        self.is_fitted = True

    def state(self) -> LearnerState:
        """The head's weights, and whether it was fitted."""
        return LearnerState(weights_state(self.head).tensors, {"is_fitted": self.is_fitted})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`.

        Raises:
            ValueError: the head has other sizes.
        """
        load_weights(self.head, state)
        self.is_fitted = bool(state.facts["is_fitted"])

    @torch.no_grad()
    def _all_features(self, episodes: Sequence[Episode]) -> Tensor:
        """(n, d) hidden state before each written token of all episodes, in order."""
        kept = [episode.hidden for episode in episodes if episode.hidden is not None]
        if len(kept) == len(episodes):
            return torch.cat(kept)
        parts = (episodes[i : i + _FIT_EPISODES] for i in range(0, len(episodes), _FIT_EPISODES))
        return torch.cat(
            [
                self._features(
                    self.policy.codec.batch([episode.row for episode in part], limit=self.policy.context)
                )
                for part in parts
            ]
        )

    def _features(self, batch: TokenBatch) -> Tensor:
        """(n, d) hidden state before each written token."""
        return before_written(hidden_states(self.policy.model, batch.ids), batch.action_mask)


def _at_written(episode: Episode, numbers: Tensor) -> FloatArray:
    """(L,) float64 of an episode: one of the numbers (n,) at each written token, 0 elsewhere."""
    result = np.zeros(len(episode.row.step))
    result[np.array(episode.row.step) >= 0] = numbers.cpu().double().numpy()
    return result

"""Critics of whole steps: twin Q and V with slow copies, fitted to recorded transitions (ArCHer).

L = sum over k = 1, 2 of
    mean (Q_k(h_t, a_t) - r_t - gamma V'_k(h_{t+1}))^2 + mean (V_k(h_t) - Q'_k(h_t, a_t))^2
advantage of a step: min over k of Q_k(h_t, a_t) - min over k of V_k(h_t)             arXiv:2402.19446

The primed ones follow the others slowly. All are heads on frozen features, see `learn.methods.archer`.
"""

import copy
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spa_lab.learn.checkpoint import LearnerState, load_weights, merge_states, split_state, weights_state
from spa_lab.learn.optimizer import Optimizer
from spa_lab.learn.step_features import StepFeatures, feature_head
from spa_lab.types import FloatArray


@dataclass(frozen=True)
class CriticsConfig:
    """How the critics are fitted; in brackets the released code's WebShop settings or defaults."""

    gamma: float = 0.9
    """Discount per step (0.9)."""
    tau: float = 0.1
    """Share of the new weights that a slow copy takes over after each update (0.1)."""
    lr: float = 1e-3
    """Learning rate (2e-5 for a language model of its own)."""
    width: int = 128
    """Hidden units of a head."""
    batch: int = 64
    """Transitions in a batch."""
    epochs: int = 10
    """Passes over the recorded transitions in each iteration (50)."""
    first_epochs: int = 40
    """Passes over the explorations before the first update of the policy (20 iterations)."""
    replay: int = 4
    """Iterations whose transitions are kept."""


class Transitions(NamedTuple):
    """n steps."""

    before: Tensor
    """(n, d) features of h_t."""
    after: Tensor
    """(n, d) features of (h_t, a_t)."""
    following: Tensor
    """(n, d) features of h_{t+1}; zeros after the last step."""
    reward: Tensor
    """(n,) r_t, outcome units."""
    goes_on: Tensor
    """(n,) 0 at the last step of an episode, else 1."""

    @classmethod
    def of(
        cls,
        features: Sequence[StepFeatures],
        rewards: Sequence[FloatArray],
        *,
        device: torch.device | str,
    ) -> "Transitions":
        """The steps of N episodes, of which `rewards` has (T,) each, on `device`.

        Features that several processes read together lie on the CPU.
        """
        following = [torch.cat([f.before[1:], torch.zeros_like(f.before[:1])]) for f in features]
        goes_on = [torch.arange(len(f.before), 0, -1) > 1 for f in features]
        steps = cls(
            torch.cat([f.before for f in features]),
            torch.cat([f.after for f in features]),
            torch.cat(following),
            torch.cat([torch.from_numpy(paid) for paid in rewards]).float(),
            torch.cat(goes_on).float(),
        )
        return cls(*(tensor.to(device) for tensor in steps))

    @classmethod
    def join(cls, parts: Iterable["Transitions"]) -> "Transitions":
        """All of them."""
        return cls(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def select(self, indices: Tensor) -> "Transitions":
        """The steps at `indices`."""
        return Transitions(*(tensor[indices] for tensor in self))


class UtteranceCritics:
    """Twin critics and the transitions that they are fitted to.

    Args:
        size: d, of the features.
        config: see `CriticsConfig`.
        rng: draws the first weights.
        device: of the heads.
    """

    def __init__(
        self, size: int, config: CriticsConfig, *, rng: random.Random, device: torch.device | str = "cpu"
    ) -> None:
        self.config = config
        heads = {
            name: feature_head(size, width=config.width, seed=rng.randrange(2**31))
            for name in ("q0", "q1", "v0", "v1")
        }
        self.heads = nn.ModuleDict(heads).to(device)
        self.slow = copy.deepcopy(self.heads)
        self.optimizer = Optimizer(self.heads, lr=config.lr)
        self.recent: deque[Transitions] = deque(maxlen=config.replay)

    @property
    def device(self) -> torch.device:
        """Of the heads, and of the transitions that they read."""
        return next(self.heads.parameters()).device

    def loss(self, steps: Transitions) -> Tensor:
        """The loss of n transitions."""
        total = torch.zeros((), device=steps.reward.device)
        for k in "01":
            with torch.no_grad():
                later = _read(self.slow["v" + k], steps.following) * steps.goes_on
                target_q = steps.reward + self.config.gamma * later  # (n,)
                target_v = _read(self.slow["q" + k], steps.after)  # (n,)
            total = total + ((_read(self.heads["q" + k], steps.after) - target_q) ** 2).mean()
            total = total + ((_read(self.heads["v" + k], steps.before) - target_v) ** 2).mean()
        return total

    def fit(self, *, epochs: int, rng: random.Random) -> int:
        """Passes over the kept transitions; returns the number of updates."""
        steps = Transitions.join(self.recent)
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        n_updates = 0
        for _ in range(epochs):
            for indices in torch.randperm(len(steps.reward), generator=generator).split(self.config.batch):
                self.loss(steps.select(indices.to(steps.reward.device))).backward()
                self.optimizer.step()
                self.follow()
                n_updates += 1
        return n_updates

    @torch.no_grad()
    def follow(self) -> None:
        """Move the slow copies towards the heads."""
        for slow, weight in zip(self.slow.parameters(), self.heads.parameters(), strict=True):
            slow.lerp_(weight, self.config.tau)

    @torch.no_grad()
    def advantage(self, steps: Transitions) -> Tensor:
        """(n,) min Q - min V, outcome units."""
        q = torch.minimum(*(_read(self.heads["q" + k], steps.after) for k in "01"))
        v = torch.minimum(*(_read(self.heads["v" + k], steps.before) for k in "01"))
        return q - v

    def state(self) -> LearnerState:
        """Weights, slow copies, moments and the kept transitions."""
        kept = {
            f"{i}.{name}": tensor.cpu().clone().contiguous()
            for i, part in enumerate(self.recent)
            for name, tensor in part._asdict().items()
        }
        return merge_states(
            {
                "heads": weights_state(self.heads),
                "slow": weights_state(self.slow),
                "optimizer": self.optimizer.state(),
                "kept": LearnerState(kept, {"n": len(self.recent)}),
            }
        )

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`.

        Raises:
            ValueError: the heads have other sizes, or a part is missing.
        """
        load_weights(self.heads, split_state(state, "heads"))
        load_weights(self.slow, split_state(state, "slow"))
        self.optimizer.load_state(split_state(state, "optimizer"))
        kept = split_state(state, "kept")
        self.recent.clear()
        for i in range(int(kept.facts["n"])):
            try:
                parts = [kept.tensors[f"{i}.{name}"].to(self.device) for name in Transitions._fields]
            except KeyError as error:
                raise ValueError(f"the saved critics lack {error.args[0]!r}") from None
            self.recent.append(Transitions(*parts))


def _read(head: nn.Module, features: Tensor) -> Tensor:
    """(n,) outputs of a head."""
    return head(features).squeeze(-1)  # (n, 1) -> (n,)

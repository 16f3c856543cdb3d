"""PRM4A (AgentPRM): a process reward model of the Monte Carlo return, and the policy that it teaches.

Q(h_t, a_t) = mean of gamma^(T - 1 - t) * R over all visits of (h_t, a_t)              arXiv:2502.10325
the model q is fitted to these targets by cross-entropy; each step is paid q(h_t, a_t), and maximises it alone

In the source each turn is a decision of its own, whose value is what the model says of it, under a KL to the
reference. That is PPO with the discount 0: the advantage of a step is q(h_t, a_t) less the critic's mean of q
at h_t, and values, which already hold the future, are never summed over steps. The first round's model is
fitted to the cloned policy's explorations, the models of the two later rounds to the episodes of the round
before; visits are pooled by task, texts read and actions, as there.

Departs from the source: the model is a head on the cloned policy's frozen features (there a language model of
its own); PPO (there online DPO); grounding is paid as in every method. Departs from the released code: there
the discount counts from the first step, gamma^t, and outcomes lie in [-1, 1].

Cost: one fit of the model before training and one at the start of each later round.

Fails where the model is wrong: each step maximises what the model says of it, and nothing later corrects that
within a round.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.learn.checkpoint import LearnerState
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo, with_ppo
from spa_lab.learn.step_features import feature_head, fit_to_soft_labels, step_features
from spa_lab.learn.step_rewards import paid_as_it_is
from spa_lab.types import Credit, FloatArray, Trajectory

GAMMA = 0.95
"""Discount per step of the return; released code."""
ROUNDS = 3
"""Models that are fitted one after the other; published."""
WIDTH, EPOCHS, LR, BATCH = 128, 5, 1e-3, 512


def pooled_returns(trajectories: Sequence[Trajectory], gamma: float) -> list[FloatArray]:
    """(T,) of each trajectory: the mean discounted outcome over all visits of its steps, outcome units."""
    visits: dict[Hashable, list[float]] = defaultdict(list)
    for trajectory in trajectories:
        for t, key in enumerate(_visited(trajectory)):
            visits[key].append(trajectory.known_outcome * gamma ** (len(trajectory) - 1 - t))
    return [
        np.array([float(np.mean(visits[key])) for key in _visited(trajectory)]) for trajectory in trajectories
    ]


def _visited(trajectory: Trajectory) -> list[Hashable]:
    """(history, action) of each step, as a key; thoughts do not count."""
    past: tuple[str, ...] = (trajectory.env, trajectory.task_id, trajectory.initial_observation)
    keys: list[Hashable] = []
    for step in trajectory.steps:
        past = (*past, step.action)
        keys.append(past)
        past = (*past, step.observation)
    return keys


class ProcessRewards:
    """The model of the present round; pays each step what it says of it, and keeps the episodes that it pays.

    Raises:
        ValueError: there are no explorations.
    """

    def __init__(self, inputs: TrainingInputs, extra: ExtraCost) -> None:
        if not inputs.explored:
            raise ValueError("method 'prm4a' needs explored trajectories")
        self.inputs, self.extra = inputs, extra
        self.reader = copy_policy(inputs.policy, name="cloned")
        self.length = math.ceil(inputs.preset.ppo.iterations / ROUNDS)
        """Iterations of a round."""
        features = [each.after for each in step_features(self.reader, inputs.explored)]
        self._features = torch.cat(features)  # (n, d)
        self._targets = _targets(inputs.explored)  # (n,)
        self._round: list[tuple[Tensor, Tensor]] = []
        """Features and targets of each iteration of this round."""
        self.n_paid = 0
        """Iterations that were paid."""
        self._fit()

    def __call__(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        """The model's q of every step, in [0, 1]; the episodes of one iteration at a time."""
        if len(self._round) == self.length:
            self._features = torch.cat([features for features, _ in self._round])
            self._targets = torch.cat([targets for _, targets in self._round])
            self._round = []
            self._fit()
        features = torch.cat([each.after for each in step_features(self.reader, trajectories, rows=rows)])
        with torch.no_grad():
            values = self.head(features).squeeze(-1).sigmoid().double().cpu().numpy()  # (n, 1) -> (n,)
        self._round.append((features, _targets(trajectories)))
        self.n_paid += 1
        ends = np.cumsum(list(map(len, trajectories)))[:-1]
        per_step = np.split(values, ends)
        return [Credit(t.id, "prm4a", q) for t, q in zip(trajectories, per_step, strict=True)]

    def state(self) -> LearnerState:
        """What the present model was fitted to, and the episodes of this round."""
        parts = {"fitted": (self._features, self._targets)}
        parts |= {str(i): part for i, part in enumerate(self._round)}
        tensors = {
            f"{name}.{kind}": tensor.cpu().clone()
            for name, pair in parts.items()
            for kind, tensor in zip(("features", "targets"), pair, strict=True)
        }
        return LearnerState(tensors, {"paid": self.n_paid, "kept": len(self._round)})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; raises ValueError if a part is missing."""

        def part(name: str) -> tuple[Tensor, Tensor]:
            try:
                pair = state.tensors[f"{name}.features"], state.tensors[f"{name}.targets"]
            except KeyError as error:
                raise ValueError(f"the saved process rewards lack {error.args[0]!r}") from None
            return pair[0].to(self.reader.model.device), pair[1].to(self.reader.model.device)

        self.n_paid = int(state.facts["paid"])
        self._features, self._targets = part("fitted")
        self._round = [part(str(i)) for i in range(int(state.facts["kept"]))]
        self._fit()

    def _fit(self) -> None:
        """A fresh model of the kept episodes; its random numbers depend on the round alone."""
        rng = self.inputs.stream(f"process rewards {self.n_paid // self.length}")
        head = feature_head(self._features.shape[1], width=WIDTH, seed=rng.randrange(2**31))
        self.head = head.to(self._features.device)
        n_updates = fit_to_soft_labels(
            self.head, self._features, self._targets.to(self._features.device),
            epochs=EPOCHS, lr=LR, batch=BATCH, rng=rng,
        )  # fmt: skip
        self.extra.add(updates=n_updates)


def _targets(trajectories: Sequence[Trajectory]) -> Tensor:
    return torch.from_numpy(np.concatenate(pooled_returns(trajectories, GAMMA))).float()


def make(inputs: TrainingInputs) -> Learner:
    """PPO on q with the discount 0 per step."""
    inputs = with_ppo(inputs, gae_level="step", gamma=0.0, lam=0.0)
    extra = ExtraCost()
    model = ProcessRewards(inputs, extra)
    reward = paid_as_it_is(inputs.preset.reward, model)
    return ppo(inputs, reward, extra=extra, stateful={"process_rewards": model})


METHOD = TrainingMethod(
    name="prm4a",
    title="PRM4A",
    origin="AgentPRM, arXiv:2502.10325",
    make=make,
    needs=frozenset({"explored"}),
)

"""PRM4A (AgentPRM): a process reward model of the Monte Carlo return, and the policy that it teaches.

Q(h_t, a_t) = mean of gamma^(T - 1 - t) * R over all visits of (h_t, a_t)              arXiv:2502.10325
A_t = q(h_t, a_t) - mean over k of q(h_t, a_k),  a_1, ..., a_4 written by the policy at h_t

The model q is fitted to the targets Q by cross-entropy; each step maximises it alone. In the source each
turn is a decision of its own: the policy writes several steps at one history and learns from what the model
says of them, under a KL to the reference. Values, which already hold the future, are never summed over
steps. The first round's model is fitted to the cloned policy's explorations; at the start of each of the two
later rounds it is fitted further, to the episodes of the round before; visits are pooled by task, texts read
and actions, as there, within the explorations and within the episodes of an iteration.

The model is a language model of its own, a copy of the cloned policy with a head (`learn.step_network`).

Departs from the source: the clipped update of all methods on normalised advantages (there online DPO of the
better step of two); histories are those of the present policy's episodes; grounding is paid as
`preset.reward` says; a later round's model goes on from the weights of the one before, since a fresh one does
not learn from a round's few episodes which action is right (probe world "gates"). Departs from the
released code: there the discount counts from the first step, gamma^t, and outcomes lie in [-1, 1].

Cost: one fit of the model before training and one at the start of each later round; four steps are written at
each history.

Fails where the model is wrong: each step maximises what the model says of it, and nothing later corrects that
within a round. A model that is fitted too briefly tells lost from good episodes, yet pays both actions at a
history the same.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import torch

from spa_lab.agent.codec import TokenRow
from spa_lab.learn.checkpoint import LearnerState, merge_states, split_state
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.first_fit import FirstFit
from spa_lab.learn.fresh_steps import OverFreshSteps
from spa_lab.learn.graded_rows import GradedRow, graded, graded_state, load_graded
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import GROUNDED, NETWORK, PLAYED, UPDATE
from spa_lab.learn.step_network import StepNetwork
from spa_lab.learn.step_rewards import paid_as_it_is
from spa_lab.types import Credit, FloatArray, Trajectory

GAMMA = 0.95
"""Discount per step of the return; released code."""
ROUNDS = 3
"""Models that are fitted one after the other; published."""


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
        n = inputs.preset.ppo.iterations
        self.starts = [math.ceil(k * n / ROUNDS) for k in range(ROUNDS)]
        """Iterations with which a round begins."""
        self._round: list[GradedRow] = []
        """Episodes of this round."""
        self.n_paid = 0
        """Iterations that were paid."""
        seed = inputs.stream("process rewards").randrange(2**31)
        self.network = StepNetwork(inputs.policy, inputs.preset.estimator, seed=seed)
        self.first_fit = FirstFit(self._fit_explored)

    def __call__(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        """The model's q of every step, in [0, 1]; the episodes of one iteration at a time."""
        self.first_fit()
        if self.n_paid in self.starts[1:] and self._round:
            self._fit(self._round)
            self._round = []
        encoded = self.network.codec.rows_of(trajectories, rows)
        q = self.grade(encoded)
        self._round += graded(encoded, pooled_returns(trajectories, GAMMA))
        self.n_paid += 1
        return [Credit(t.id, "prm4a", paid) for t, paid in zip(trajectories, q, strict=True)]

    def grade(self, rows: Sequence[TokenRow]) -> list[FloatArray]:
        """(T,) q of the steps of each row, in [0, 1]."""
        return [torch.from_numpy(each[:, 0]).sigmoid().numpy() for each in self.network.logits(rows)]

    def state(self) -> LearnerState:
        """The present model, and the episodes of this round."""
        counted = LearnerState(facts={"paid": self.n_paid})
        parts = {"network": self.network.state(), "round": graded_state(self._round), "counted": counted}
        return merge_states(parts | {"first fit": self.first_fit.state()})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; raises ValueError if a part is missing."""
        self.network.load_state(split_state(state, "network"))
        self._round = load_graded(split_state(state, "round"))
        self.n_paid = int(split_state(state, "counted").facts["paid"])
        self.first_fit.load_state(split_state(state, "first fit"))

    def _fit_explored(self) -> None:
        explored = self.inputs.explored
        rows = self.inputs.policy.codec.rows_of(explored, self.inputs.explored_rows)
        self._fit(graded(rows, pooled_returns(explored, GAMMA)))

    def _fit(self, rows: Sequence[GradedRow]) -> None:
        """Fit the model further, to some episodes; its random numbers depend on the round alone."""
        number = sum(start <= self.n_paid for start in self.starts[1:])
        rng = self.inputs.stream(f"process rewards {number}")
        self.extra.add(updates=self.network.fit(rows, rng=rng))


def make(inputs: TrainingInputs) -> Learner:
    """The clipped update on q less that of fresh steps."""
    extra = ExtraCost()
    model = ProcessRewards(inputs, extra)
    estimate = OverFreshSteps(inputs, paid_as_it_is(inputs.preset.reward, model), model.grade)
    return OnPolicyLearner(inputs, estimate, stateful={"process_rewards": model}, extra=extra)


METHOD = TrainingMethod(
    name="prm4a",
    title="PRM4A",
    origin="AgentPRM, arXiv:2502.10325",
    make=make,
    needs=frozenset({"explored"}),
    reads=PLAYED | UPDATE | GROUNDED | NETWORK,
)

"""SPA-RL with progress by hindsight: what would have been written in a success, and in a failure (ours).

r_t = alpha * c_t + beta * g_t,  c_t = V(h_{t+1}) - V(h_t),  V(h_T) = R
A_t = r_t + gamma * lambda * A_{t+1}

V comes from a language model that is told how an episode ended (`learn.hindsight`). It is fitted to the
explorations first, and after each iteration to the episodes of the last ones; never to the episodes that it
credits. Of these it only reads the two numbers of the line between its log-ratios and log odds.

There is no critic: as in `spa_progress` the contributions are TD errors. lambda = 1 compares the outcome with
V(h_t), lambda = 0 pays each step its own contribution.

Departs from SPA-RL (arXiv:2505.20732) in how V is learnt, and in the refits. After hindsight credit
assignment (arXiv:1912.02503).

Cost: a model as large as the policy, which reads each episode twice and then learns from it.

Fails where the explorations hold hardly any success, or hardly any failure: the model then cannot tell what
belongs to which, and the method is close to one with a reward at the end, without critic.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.credit.hindsight import OddsLine as OddsLine
from spa_lab.credit.hindsight import fit_odds_line, hindsight_credit
from spa_lab.learn.checkpoint import LearnerState, merge_states, split_state
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, gae
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.graded_rows import GradedRow, graded, graded_state, load_graded
from spa_lab.learn.hindsight import HindsightModel
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.types import Trajectory


class HindsightAdvantages:
    """Episodes -> advantages; then the model learns from these episodes.

    Raises:
        ValueError: there are no explorations.
    """

    def __init__(self, inputs: TrainingInputs, extra: ExtraCost) -> None:
        if not inputs.explored:
            raise ValueError("method 'spa_hindsight' needs explored trajectories")
        self.inputs, self.extra, self.config = inputs, extra, inputs.preset.hindsight
        self.model = HindsightModel(inputs.policy, self.config)
        self.recent: deque[list[GradedRow]] = deque(maxlen=self.config.replay)
        self.n_added = 0
        """Iterations that were learnt from."""
        rows = inputs.policy.codec.rows_of(inputs.explored)
        outcomes = [trajectory.known_outcome for trajectory in inputs.explored]
        self._fit(_with_outcomes(rows, inputs.explored), self.config.epochs)
        ratios = self.model.log_ratios(rows)
        line = fit_odds_line(ratios, outcomes)
        self.explored_range = ContributionRange.of(hindsight_credit(inputs.explored, ratios, line))
        """What the first model gives the explorations, which it was fitted to."""

    def __call__(self, collected: Collected) -> list[Estimate]:
        """One estimate for each episode, in order."""
        trajectories = [episode.trajectory for episode in collected.episodes]
        rows = [episode.row for episode in collected.episodes]
        outcomes = [trajectory.known_outcome for trajectory in trajectories]
        ratios = self.model.log_ratios(rows)
        credits = hindsight_credit(trajectories, ratios, fit_odds_line(ratios, outcomes))
        config = self.inputs.preset.ppo
        estimates = []
        for episode, credit in zip(collected.episodes, credits, strict=True):
            paid = rewards.fuse(episode.trajectory, credit, self.inputs.preset.reward)
            no_critic = np.zeros(len(episode.row.ids))  # (L,)
            estimate = gae(
                episode, paid, no_critic, gamma=config.gamma, lam=self.config.lam, over=config.gae_over,
                level=config.gae_level, gamma_step=config.gamma_step,
            )  # fmt: skip
            estimates.append(Estimate(estimate.advantage, rewards=estimate.rewards, credit=credit))
        self.recent.append(_with_outcomes(rows, trajectories))
        self.n_added += 1
        self._fit([row for iteration in self.recent for row in iteration], self.config.refit_epochs)
        return estimates

    def state(self) -> LearnerState:
        """Weights of the model and the kept episodes."""
        kept = [graded_state(rows) for rows in self.recent]
        counted = LearnerState(facts={"added": self.n_added, "kept": len(kept)})
        parts = {f"iteration {i}": part for i, part in enumerate(kept)}
        return merge_states(parts | {"model": self.model.state(), "counted": counted})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; raises ValueError if a part is missing."""
        facts = split_state(state, "counted").facts
        self.model.load_state(split_state(state, "model"))
        self.n_added = int(facts["added"])
        self.recent.clear()
        self.recent.extend(
            load_graded(split_state(state, f"iteration {i}")) for i in range(int(facts["kept"]))
        )

    def _fit(self, rows: list[GradedRow], epochs: int) -> None:
        rng = self.inputs.stream(f"hindsight {self.n_added}")
        outcomes = [float(row.target[0]) for row in rows]
        self.extra.add(updates=self.model.fit([row.row for row in rows], outcomes, epochs=epochs, rng=rng))


def _with_outcomes(rows: Sequence[TokenRow], trajectories: Sequence[Trajectory]) -> list[GradedRow]:
    """Every step has its episode's outcome as target."""
    return graded(rows, [np.full(len(trajectory), trajectory.known_outcome) for trajectory in trajectories])


def make(inputs: TrainingInputs) -> Learner:
    """Groups of `hindsight.group_size` episodes.

    Raises:
        ValueError: there are no explorations.
    """
    extra = ExtraCost()
    advantages = HindsightAdvantages(inputs, extra)
    return OnPolicyLearner(
        inputs,
        advantages,
        group_size=inputs.preset.hindsight.group_size,
        explored=advantages.explored_range,
        stateful={"hindsight": advantages},
        extra=extra,
    )


METHOD = TrainingMethod(
    name="spa_hindsight",
    title="SPA-RL, hindsight",
    origin="ours, after arXiv:1912.02503",
    make=make,
    needs=frozenset({"explored"}),
)

"""StepAgent by inverse reinforcement learning: a discriminator's opinion of each step is its reward.

r_t = -log (1 - D(h_t, a_t)) + beta * g_t,  A_t = r_t - V(h_t)     arXiv:2411.03817; GAIL, arXiv:1606.03476

D is fitted to tell the expert's steps from the agent's, in turn with updates by PPO. The outcome is not used.

Not stated in what is public: the form of the reward, its discount and the discriminator. Here each step
maximises its own reward alone, PPO with the discount 0. A sum over later steps would depend on their number
as well: -log (1 - D) is positive and pays for going on; the log odds (arXiv:1710.11248) are negative where
the agent is known, and with the discount 1 the policy learnt to end episodes by a text that is no action
(probe world "gates"). They have no lower bound either: a few such steps outweigh all others.

The discriminator is a language model of its own, a copy of the cloned policy with a head
(`learn.step_network`); in each iteration it is fitted further, with the passes and the rate of
`preset.estimator`, to as many demonstrations as there are episodes, and asked about the very steps that it
was fitted to, as in GAIL. Inserted mistakes are not the expert's.

Cost: a fit of the discriminator in each iteration, to twice its episodes.

Fails where the expert's steps are easily distinguished by wording: the reward then grades the wording. The
outcome is never looked at. A discriminator that is fitted too briefly grades no single step.
"""

from collections.abc import Sequence

import numpy as np

from spa_lab.agent.codec import TokenRow
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.graded_rows import GradedRow, graded
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo, with_ppo
from spa_lab.learn.settings_read import GROUNDED, NETWORK, PLAYED, UPDATE
from spa_lab.learn.step_network import StepNetwork
from spa_lab.learn.step_rewards import paid_as_it_is
from spa_lab.types import Credit, Trajectory


class Discriminator:
    """Pays each step -log (1 - D), D the probability that the expert wrote it.

    Args:
        inputs: of the method.
        extra: counts its updates.

    Raises:
        ValueError: there are no demonstrations.
    """

    def __init__(self, inputs: TrainingInputs, extra: ExtraCost) -> None:
        if not inputs.demonstrations:
            raise ValueError("method 'stepagent_inverse' needs demonstrations, got 0")
        self.inputs, self.extra = inputs, extra
        seed = inputs.stream("discriminator").randrange(2**31)
        self.network = StepNetwork(inputs.policy, inputs.preset.estimator, seed=seed)
        rows = inputs.policy.codec.rows_of([shown.trajectory for shown in inputs.demonstrations])
        self.expert = [
            GradedRow(row, np.ones(len(shown.supervised)), np.array(shown.supervised, dtype=float))
            for row, shown in zip(rows, inputs.demonstrations, strict=True)
        ]
        """The demonstrations; of their steps those to be imitated count."""

    def __call__(
        self, trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        """Fits the discriminator to these steps and the expert's, and asks it about these."""
        encoded = self.network.codec.rows_of(trajectories, rows)
        drawn = self.inputs.rng.choices(self.expert, k=len(encoded))
        own = graded(encoded, [np.zeros(len(trajectory)) for trajectory in trajectories])
        self.extra.add(updates=self.network.fit([*drawn, *own], rng=self.inputs.rng))
        log_odds = self.network.logits(encoded)
        return [
            Credit(t.id, "stepagent_inverse", np.logaddexp(0.0, odds[:, 0]))  # (T, 1) -> (T,)
            for t, odds in zip(trajectories, log_odds, strict=True)
        ]


def make(inputs: TrainingInputs) -> Learner:
    """PPO on -log (1 - D) with the discount 0 per step."""
    inputs = with_ppo(inputs, gae_level="step", gamma=0.0, lam=0.0)
    extra = ExtraCost()
    judge = Discriminator(inputs, extra)
    reward = paid_as_it_is(inputs.preset.reward, judge)
    return ppo(inputs, reward, extra=extra, stateful={"discriminator": judge.network})


METHOD = TrainingMethod(
    name="stepagent_inverse",
    title="StepAgent, inverse RL",
    origin="arXiv:2411.03817",
    make=make,
    needs=frozenset({"demonstrations"}),
    reads=PLAYED | UPDATE | GROUNDED | NETWORK | {"ppo.vf_coef"},
)
